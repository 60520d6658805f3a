"""Doing without what can be made again: a cache that cannot be used costs time and one warning, never a run."""

import contextlib
from collections.abc import Iterator

from lcmat.config.warning import warn
from lcmat.files.paths import cache_folder

_WARNED: set[str] = set()


@contextlib.contextmanager
def optional() -> Iterator[None]:
    """Pass over what the system refuses, for instance because a disk is full or read-only, with one warning a process.

    >>> import warnings
    >>> with warnings.catch_warnings(record=True) as caught, optional():
    ...     raise OSError("no space left on device")
    """
    try:
        yield
    except (OSError, NotImplementedError) as error:  # the second of a file system without locks
        warn_once(str(error))


def warn_once(problem: str) -> None:
    """Say what is wrong with the cache and what to do; once a process for a folder, however many files it lacks."""
    folder = str(cache_folder())
    if folder in _WARNED:
        return
    _WARNED.add(folder)
    remedy = "More is computed anew, and an interrupted run starts afresh; set LCMAT_CACHE to a folder with room."
    warn(f"The cache folder {folder} cannot be used ({problem}). {remedy}", RuntimeWarning)
