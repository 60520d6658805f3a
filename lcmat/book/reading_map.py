"""The reading map of the landing page: what each chapter takes, needs and shows, read from the chapters themselves."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from posixpath import dirname, join, normpath

import yaml

from lcmat.book.story import reading_minutes
from lcmat.files.paths import atomic_write, project_folder
from lcmat.sweep.runner import read_source

PARTS = ("start", "derivation", "selection", "condensation")
"""The folders whose chapters are read one after another; the others are looked up."""

_LABEL = re.compile(r":label: (eq-[\w-]+)|\$\$ \((eq-[\w-]+)\)")
_USED = re.compile(r"{eq}`(eq-[\w-]+)`")
_DOCUMENT = re.compile(r"{doc}`([^`<]+)`")


def reading_map() -> str:
    """A table in Markdown, a row for each chapter in the order of the contents.

    A chapter builds on those before it whose numbered equations it refers to. The line says what its take-away names
    first as shown, or else how it opens.
    """
    texts = dict(_texts())
    defined = {"".join(label): name for name, text in texts.items() for label in _LABEL.findall(text)}
    lines = ["| Chapter | Minutes | Builds on | In a line |", "| --- | --- | --- | --- |"]
    for number, (name, text) in enumerate(texts.items()):
        earlier = list(texts)[:number]
        needed = {defined.get(label) for label in _USED.findall(text)}
        before = ", ".join(f"{{doc}}`/book/{other}`" for other in earlier if other in needed)
        minutes = reading_minutes(name.rpartition("/")[2])
        lines.append(f"| {{doc}}`/book/{name}` | {minutes} | {before or '—'} | {in_cell(shown(text))} |")
    return "\n".join(lines) + "\n"


def shown(text: str) -> str:
    r"""What a chapter shows, in a line.

    Args:
        text: its prose, in Markdown.

    >>> shown("# A\n\nIt opens. More.\n\n- **Shown:** that it\n  holds; and more.")
    'That it holds.'
    >>> shown("# A\n\nIt opens. More.")
    'It opens.'
    """
    found = re.search(r"\*\*Shown:\*\* (.*?)(?=\n- |\n\n|\Z)", text, re.DOTALL)
    words = " ".join((found[1] if found else text.split("\n\n")[1]).split())
    words = re.sub(r" ?\((?:check|in)[^)]*\)|\*\*", "", words)
    first = re.match(r"(?:\$[^$]*\$|`[^`]*`|Eq\.|[^.;`$]|\.(?=\w))+", words)
    line = (first[0] if first else words).strip()
    return f"{line[0].upper()}{line[1:]}."


def in_cell(line: str) -> str:
    r"""A line of Markdown as the cell of a table, in which a bar would end the cell.

    >>> in_cell("the norm $|x|$")
    'the norm $\\|x\\|$'
    """
    return line.replace("|", r"\|")


def write_reading_map(path: Path | None = None) -> Path:
    """Write the table into `book/figures/reading-map.txt`, which the landing page includes."""
    path = path or project_folder() / "book" / "figures" / "reading-map.txt"
    atomic_write(path, reading_map().encode())
    return path


def _texts() -> Iterator[tuple[str, str]]:
    """Name and prose of each chapter, in the order of the contents."""
    contents: Mapping[str, list[Mapping[str, list[Mapping[str, list[Mapping[str, str]]]]]]] = yaml.safe_load(
        (project_folder() / "_toc.yml").read_text(encoding="utf-8")
    )
    entries = [entry for part in contents["parts"] for entry in part["chapters"]]
    for page in (page for entry in entries for page in (entry, *entry.get("sections", ()))):
        name = str(page["file"]).removeprefix("book/")
        source = project_folder() / "notebooks" / f"{name}.py"
        if name.startswith(PARTS) and source.is_file():
            cells = read_source(source).cells
            text = "\n\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
            yield name, _with_absolute_references(text, name)


def _with_absolute_references(text: str, name: str) -> str:
    return _DOCUMENT.sub(lambda to: f"{{doc}}`{normpath(join('/book', dirname(name), to[1]))}`", text)


if __name__ == "__main__":
    print(write_reading_map())
