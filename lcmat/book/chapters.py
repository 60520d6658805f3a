"""From the py:percent sources to the executed notebooks that the book shows, never an outdated one."""

import hashlib
import json
import re
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from lcmat.book.tables import table_sources
from lcmat.files.paths import PACKAGE, atomic_write, records_folder, repository_folder, runs_folder
from lcmat.sweep.runner import RunError, execute_notebook

BENCHMARKS = "benchmarks"
# What most chapters import; `torch.func` imports `torch._dynamo` when it is used.
PRELOAD = (
    *("torch", "torch._dynamo", "pandas", "scipy.stats", "seaborn", "great_tables", "sklearn.datasets"),
    "lcmat.report.figures",
)


def sources() -> list[Path]:
    """All chapters, `<folder>/<part>/<name>.py`; those that write records come first."""
    folder = repository_folder() / "notebooks"
    found = [*sorted(folder.glob("*/*.py")), *table_sources(folder)]
    return sorted(found, key=lambda source: source.parent.name != BENCHMARKS)


def output_of(source: Path) -> Path:
    """The executed notebook that the table of contents lists, `book/<part>/<name>.ipynb`."""
    return repository_folder() / "book" / source.parent.name / f"{source.stem}.ipynb"


def chapter_fingerprint(source: Path) -> str:
    """Hash of all that a chapter is made from: its source, the package, the lock, stored numbers, records.

    The benchmarks' chapters make a record of their own and read none.
    """
    root = repository_folder()
    stored = (*root.glob("book/*.csv"), *root.glob("book/benchmarks/*.json"), *root.glob("book/measurements/*/*.json"))
    files = [source, root / "requirements.lock", *PACKAGE.rglob("*.py"), *stored]
    if source.parent.name != BENCHMARKS:
        files += records_folder().rglob("*.json")
    digest = hashlib.sha256()
    for file in sorted(file for file in files if file.is_file()):
        digest.update(f"{file}\n".encode() + hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()[:16]


def is_current(source: Path) -> bool:
    """Whether the executed notebook exists and was made from what there is now."""
    try:
        metadata = json.loads(output_of(source).read_bytes())["metadata"]
    except (OSError, ValueError, KeyError):
        return False
    current: bool = metadata.get("lcmat", {}).get("fingerprint") == chapter_fingerprint(source)
    return current


def execute_chapter(source: Path) -> None:
    """Execute one chapter with the values in its parameters cell; after a failure there is no page.

    Raises:
        RunError: see `lcmat.sweep.runner.execute_notebook`.
    """
    output, part = output_of(source), source.parent.name
    output.unlink(missing_ok=True)
    # Half a notebook must not lie in the book's folder, hence elsewhere first.
    executed = runs_folder() / "chapters" / part / output.name
    execute_notebook(source, executed, metadata={"fingerprint": chapter_fingerprint(source)}, preload=PRELOAD)
    atomic_write(
        output, with_stable_output(executed.read_text(encoding="utf-8"), source.read_text(encoding="utf-8")).encode()
    )


def with_stable_output(executed: str, source: str) -> str:
    r"""Number the tables for which great_tables drew an identifier and leave out addresses, which no two builds share.

    Args:
        executed: a notebook, as JSON.
        source: its source; identifiers that it names stay.

    >>> with_stable_output(r'<div id=\"qwertyuiop\" style=...>, #qwertyuiop <Body object at 0x7f23c0>', "GT(frame)")
    '<div id=\\"drawn-1\\" style=...>, #drawn-1 <Body object>'
    """
    found = dict.fromkeys(re.findall(r'<div id=\\"([a-z]{10})\\" style=', executed))
    for number, drawn in enumerate((each for each in found if each not in source), 1):
        executed = executed.replace(drawn, f"drawn-{number}")
    return re.sub(r" at 0x[0-9a-f]+>", ">", executed)


def execute_chapters(*, jobs: int) -> tuple[list[Path], list[str]]:
    """Execute all chapters that are not current.

    Args:
        jobs: how many at a time.

    Returns:
        The chapters executed well, and a message for each that failed.
    """
    good: list[Path] = []
    messages: list[str] = []
    with ProcessPoolExecutor(max_workers=max(1, jobs)) as pool:  # whose processes import once, for both phases
        for phase in (True, False):
            chapters = [s for s in sources() if (s.parent.name == BENCHMARKS) is phase and not is_current(s)]
            for chapter, message in zip(chapters, pool.map(_attempt, chapters), strict=True):
                if message is None:
                    good.append(chapter)
                else:
                    messages.append(message)
    return good, messages


def _attempt(chapter: Path) -> str | None:
    try:
        execute_chapter(chapter)
    except RunError as error:
        return str(error)
    return None
