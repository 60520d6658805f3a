"""The reviewed file of adoptions, `adoptions.json` among the records: one line for each time that code was compared."""

import json
from collections.abc import Iterable, Sequence
from datetime import date
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from lcmat.files.paths import atomic_write, read_file, records_folder

_Hex = Annotated[str, Field(pattern=r"^[0-9a-f]{16}$")]


class Adoption(BaseModel):
    """Older code that was shown to give the same numbers as newer code.

    Attributes:
        day: of the comparison, UTC.
        old: commit of the older code.
        new: commit of the newer code.
        processor: on which both ran.
        stages: that were compared, each with the number of its configurations; the code of the others was the same.
        repeated: what became of the one record that was repeated as a whole, a sentence; None if none was.
        fingerprints: pairs (older, newer).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    day: date
    old: str
    new: str
    processor: str
    stages: dict[str, int]
    repeated: str | None
    fingerprints: tuple[tuple[_Hex, _Hex], ...]


def path() -> Path:
    """Where the adoptions lie, under version control."""
    return records_folder() / "adoptions.json"


def read() -> list[Adoption]:
    """All adoptions, oldest first.

    Raises:
        ValueError: the file is damaged.
    """
    try:
        return TypeAdapter(list[Adoption]).validate_json(read_file(path()))
    except FileNotFoundError:
        return []
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise ValueError(f"{path()} is damaged ({where}: {first['msg']}): take it from version control") from None


def add(adoption: Adoption) -> None:
    """Append an adoption."""
    lines = [json.dumps(each.model_dump(mode="json"), ensure_ascii=False) for each in (*read(), adoption)]
    atomic_write(path(), ("[\n" + ",\n".join(lines) + "\n]\n").encode())


def lineage(fingerprint: str, adoptions: Iterable[Adoption] | None = None) -> Sequence[str]:
    """The fingerprint, and those of all older code that was adopted, directly or step by step; nearest first.

    Args:
        fingerprint: of today's code.
        adoptions: what `read` returns.
    """
    pairs = [pair for adoption in (read() if adoptions is None else adoptions) for pair in adoption.fingerprints]
    found = [fingerprint]
    for newer in found:  # which grows meanwhile
        found += sorted({old for old, new in pairs if new == newer} - set(found))
    return found


def rows() -> list[dict[str, Any]]:
    """The adoptions for a table, one row each."""
    return [
        {
            "Day": adoption.day.isoformat(),
            "From": adoption.old[:8],
            "To": adoption.new[:8],
            "Compared": ", ".join(f"{stage} ({count})" for stage, count in adoption.stages.items()),
            "Processor": adoption.processor,
            "Repeated": adoption.repeated or "no",
            "Codes": len(adoption.fingerprints),
        }
        for adoption in read()
    ]
