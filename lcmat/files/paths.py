"""Where lcmat reads and writes; every location can be set by an environment variable."""

import contextlib
import os
import uuid
from pathlib import Path

PACKAGE = Path(__file__).resolve().parent.parent
"""Folder of the package `lcmat`."""

_CONTENTS = "_toc.yml"  # only the repository has it


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

        return Path(platformdirs.user_cache_dir("lcmat"))
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


def records_folder() -> Path:
    """Folder of the records: $LCMAT_RECORDS, else `book/records` of the repository, else `lcmat-records` here."""
    return _from_environment("LCMAT_RECORDS") or _folder("book/records", "lcmat-records")


def runs_folder() -> Path:
    """Folder of executed notebooks, logs: $LCMAT_RUNS, else `_build/runs` of the repository, else `lcmat-runs` here."""
    return _from_environment("LCMAT_RUNS") or _folder("_build/runs", "lcmat-runs")


def atomic_write(path: Path, content: bytes) -> None:
    """Write a file so that a crash at any moment leaves the old file or the new one, never a part.

    Raises:
        OSError: the folder cannot be created or written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}.tmp")  # the same folder: renaming stays atomic
    try:
        with temporary.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise


def _folder(in_repository: str, elsewhere: str) -> Path:
    root = project_folder()
    return root / (in_repository if (root / _CONTENTS).is_file() else elsewhere)


def _from_environment(variable: str) -> Path | None:
    value = os.environ.get(variable)
    return Path(value).expanduser().absolute() if value else None
