"""Packages that only an extra of this distribution installs, such as `pip install 'lcmat[run]'`."""

from importlib.util import find_spec


class MissingExtraError(ImportError):
    """A package of an extra is not installed; the message names both."""


def require(extra: str, *modules: str) -> None:
    """Refuse to go on without the modules of an extra.

    Args:
        extra: as pyproject.toml names it.
        modules: top-level names, as they are imported.

    Raises:
        MissingExtraError: one of them cannot be found.

    >>> require("run", "json")
    >>> require("run", "json", "snakes")
    Traceback (most recent call last):
    lcmat.files.extras.MissingExtraError: no module 'snakes' here: pip install 'lcmat[run]'
    """
    missing = [module for module in modules if find_spec(module) is None]
    if missing:
        named = " and ".join(map(repr, missing))
        raise MissingExtraError(f"no module {named} here: pip install 'lcmat[{extra}]'", name=missing[0])
