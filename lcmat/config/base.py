"""What the parameters of every experiment have in common."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from types import MappingProxyType
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict, field_validator

_MEANT: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "random": ("uniform",),
        "uniform": ("random",),
        "submodular": ("facility-location",),
        "uncertainty": ("least-confidence", "entropy"),
        "confidence": ("least-confidence",),
        "kcentergreedy": ("k-center",),
        "coreset": ("k-center",),
        "cdal": ("contextual-diversity",),
        "lcmat": ("lcmat-s", "lcmat-c"),
        "idc": ("idc-i",),
        "fmnist": ("fashion-mnist",),
        "tiny": ("tiny-imagenet",),
        "wideresnet": ("wrn16-8",),
        "lr": ("learning_rate",),
        "bs": ("batch_size",),
        "arch": ("network",),
        "model": ("network",),
        "architecture": ("network",),
        "budget": ("fraction", "ipc"),
        "wd": ("selection_weight_decay",),
    }
)
"""What other projects, or another experiment, call something -> what it may be called here, in letters and digits."""


class ParameterError(ValueError):
    """A parameter that no run can use; the message names it and what is expected."""


class Experiment(BaseModel):
    """Base of the parameter models: immutable, no unknown names, no silent conversion, and a key.

    Two runs are the same run exactly when their keys agree. The key hashes the resolved parameters, without those
    that are None: a parameter added later, with the default None, leaves the keys of older records as they are.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)
    experiment: ClassVar[str]

    @field_validator("*")
    @classmethod
    def _unsigned_zero(cls, value: Any) -> Any:
        """-0.0 equals 0.0 but would have another key."""
        return value + 0.0 if isinstance(value, float) else value

    def canonical(self) -> dict[str, Any]:
        """The resolved parameters, in the order of their declaration, without those that are None."""
        return self.model_dump(exclude_none=True)

    @property
    def key(self) -> str:
        """16 hexadecimal digits of the SHA-256 of the experiment's name and `canonical`."""
        content = {"experiment": self.experiment, "parameters": self.canonical()}
        text = json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False)
        return hashlib.sha256(text.encode()).hexdigest()[:16]


def nearest(name: str, known: Iterable[str], *, cutoff: float = 0.5) -> str:
    """A hint for the message of an error: the known name that is meant, or all of them where none is like it.

    Letters count, whatever their case and what stands between them, and what other projects call the same.

    Args:
        name: what was written.
        known: the names to choose from.
        cutoff: how like it a name must be, from 0 (any will do) to 1.

    >>> nearest("lcmatt", ["lcmat-s", "craig"])
    "did you mean 'lcmat-s'?"
    >>> nearest("Random", ["grand", "uniform"])
    "did you mean 'uniform'?"
    """
    names = {_letters(each): each for each in known}
    written = _letters(name)
    meant = [_letters(each) for each in _MEANT.get(written, ())]
    near = [*filter(names.__contains__, meant), *get_close_matches(written, names, n=1, cutoff=cutoff)]
    return f"did you mean {names[near[0]]!r}?" if near else f"known: {', '.join(names.values()) or 'none'}"


def recognised(name: str, kind: str, known: Mapping[str, Any], prefix: str | None = None) -> str:
    """The name, if it is known or the prefix and an identifier.

    Args:
        name: what was written.
        kind: what such a name stands for, in the message.
        known: the names to choose from.
        prefix: of further names, which the run looks up.

    Raises:
        ValueError: the name is neither; the message has a hint.

    >>> recognised("roh", "option", {"rho": 0.1})
    Traceback (most recent call last):
    ValueError: 'roh' is no option; did you mean 'rho'?
    """
    if name in known or (prefix is not None and name.startswith(prefix) and _is_plain(name.removeprefix(prefix))):
        return name
    raise ValueError(f"{name!r} is no {kind}; {nearest(name, known)}")


def _letters(name: str) -> str:
    """A name in small letters and digits alone."""
    return "".join(filter(str.isalnum, name.lower()))


def _is_plain(name: str) -> bool:
    return name.isascii() and name.isidentifier()


def without_repetition(resolved: Mapping[str, Any], network: str, width: str) -> dict[str, Any]:
    """Leave out a second network that is the first one, of the same width: the same run, the same key.

    >>> without_repetition({"network": "vgg16", "width": 8, "other": "vgg16", "size": 8}, "other", "size")
    {'network': 'vgg16', 'width': 8}
    """
    same = (resolved.get(network), resolved.get(width)) == (resolved.get("network"), resolved.get("width"))
    repeated = {network, width} if same else set()
    return {name: value for name, value in resolved.items() if name not in repeated}
