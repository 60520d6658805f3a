"""Where lcmat reads and writes; every location can be set by an environment variable."""

import contextlib
import os
import stat
import uuid
from collections.abc import Mapping
from pathlib import Path

PACKAGE = Path(__file__).resolve().parent.parent
"""Folder of the package `lcmat`.

:meta hide-value:
"""

_CONTENTS = "_toc.yml"  # only the repository has it
_VARIABLES = ("LCMAT_CACHE", "LCMAT_DATA", "LCMAT_RECORDS", "LCMAT_RUNS")
_PROBE = 2**16  # bytes; an empty file may fit on a full disk


class NoRepositoryError(RuntimeError):
    """Something was asked for that only the repository has; the message says how to get it."""

    def __init__(self, folder: Path) -> None:
        """Say where it was looked for."""
        from lcmat.files.home import repository

        super().__init__(
            f"this needs files that only the repository has (notebooks, published numbers, reference records), and "
            f"{folder} is no checkout of it: git clone {repository() or 'it'}, and repeat this in there; "
            f"runs and sweeps do without notebooks by --no-notebook"
        )


def cache_folder() -> Path:
    """Folder of whatever can be made again: $LCMAT_CACHE, else the user's cache folder of this system."""
    given = _from_environment("LCMAT_CACHE")
    if given is None:
        import platformdirs  # not needed where the folder is named

        folder = Path(platformdirs.user_cache_dir("lcmat"))
        return folder if folder.is_absolute() else Path(os.devnull, "lcmat")  # without a home there is none
    return given


def data_folder() -> Path:
    """Folder of the data sets: $LCMAT_DATA, else `data` in the cache folder."""
    return _from_environment("LCMAT_DATA") or cache_folder() / "data"


def project_folder() -> Path:
    """Root of the repository: the parent of the package if the book is there, else the working directory."""
    root = PACKAGE.parent
    return root if (root / _CONTENTS).is_file() else Path.cwd()


def repository_folder() -> Path:
    """The project folder, where it is a checkout of the repository.

    Raises:
        NoRepositoryError: it is none.
    """
    root = project_folder()
    if not (root / _CONTENTS).is_file():
        raise NoRepositoryError(root)
    return root


def other_checkout() -> Path | None:
    """The checkout of the repository that the working directory lies in, if the code that runs is not of that one."""
    here = Path.cwd().resolve()
    contents = (_CONTENTS, f"{PACKAGE.name}/__init__.py")
    found = (root for root in (here, *here.parents) if all((root / name).is_file() for name in contents))
    root = next(found, PACKAGE.parent)
    return None if root == PACKAGE.parent else root


def records_folder() -> Path:
    """Folder of the records: $LCMAT_RECORDS, else `book/records` of the repository, else `lcmat-records` here."""
    return _from_environment("LCMAT_RECORDS") or _folder("book/records", "lcmat-records")


def runs_folder() -> Path:
    """Folder of executed notebooks, logs: $LCMAT_RUNS, else `_build/runs` of the repository, else `lcmat-runs` here."""
    return _from_environment("LCMAT_RUNS") or _folder("_build/runs", "lcmat-runs")


def folders() -> dict[str, str]:
    """The four folders as they are now, by their variables: what a process that works elsewhere must be told."""
    found = (cache_folder(), data_folder(), records_folder(), runs_folder())
    return dict(zip(_VARIABLES, map(str, found), strict=True))


def pin_folders() -> None:
    """Make the folders that the environment names absolute, once, before this or another process works elsewhere.

    Raises:
        ValueError: one of them begins with `~`, and there is no home.
    """
    for variable in _VARIABLES:
        _from_environment(variable)


def check_writable(*found: Path) -> None:
    """Notice before the work that its result could not be kept; a folder that is missing is created.

    Raises:
        OSError: a folder cannot be created or written, or its disk is full; the message names it and the remedy.
    """
    for folder in found:
        try:
            atomic_write(probe := folder / f".{uuid.uuid4().hex}", bytes(_PROBE))
            probe.unlink()
        except OSError as error:
            remedy = "make room or give yourself access; LCMAT_RECORDS and LCMAT_RUNS name other folders for runs"
            raise OSError(error.errno, f"nothing can be written to {folder} ({error.strerror}): {remedy}") from None


def atomic_write(path: Path, content: bytes) -> None:
    """Write a file so that a crash at any moment leaves the old file or the new one, never a part.

    Raises:
        OSError: the folder cannot be created or written.
    """
    atomic_write_all({path: content})


def atomic_write_all(contents: Mapping[Path, bytes]) -> None:
    """Write files, none of them if one cannot be: first all beside their places, then each under its name.

    Args:
        contents: path -> content. Where there is an older file, it is replaced, and stays so after a failure.

    Raises:
        OSError: a folder cannot be created or written.
    """
    # In the same folder, so that renaming is one step.
    temporaries = {path: path.with_name(f".{path.name}.{uuid.uuid4().hex}.tmp") for path in contents}
    added: list[Path] = []
    try:
        for path, temporary in temporaries.items():
            _write_durably(temporary, contents[path])
        for path, temporary in temporaries.items():
            new = not os.path.lexists(path)
            os.replace(temporary, path)
            added += [path] * new
    except BaseException:
        for path in (*temporaries.values(), *added):
            with contextlib.suppress(OSError):
                path.unlink()
        raise


def read_file(path: Path, largest: int | None = None) -> bytes:
    """Read a regular file; a pipe or a device, which might never end, is refused at once.

    Args:
        path: the file, or a link to it.
        largest: bytes that it may have; None: any number.

    Raises:
        FileNotFoundError: there is none.
        OSError: it is something else, too large, or cannot be read.
    """
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    with open(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(f"{path} is no regular file: remove it")
        content = file.read(-1 if largest is None else largest + 1)
    if largest is not None and len(content) > largest:
        raise OSError(f"{path} has more than {largest} bytes: remove it")
    return content


def _write_durably(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("xb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _folder(in_repository: str, elsewhere: str) -> Path:
    root = project_folder()
    return root / (in_repository if (root / _CONTENTS).is_file() else elsewhere)


def _from_environment(variable: str) -> Path | None:
    """The folder that a variable names. A relative one is relative to where it is first asked for, here and below."""
    value = os.environ.get(variable)
    if not value:
        return None
    try:
        folder = Path(value).expanduser().absolute()
    except RuntimeError:
        raise ValueError(f"{variable}={value}: there is no such home; write the folder in full") from None
    if value != str(folder):
        os.environ[variable] = str(folder)
    return folder
