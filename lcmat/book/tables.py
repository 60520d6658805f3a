"""The pages of the paper's tables and figures: one notebook, filled with the texts of each."""

import tomllib
from pathlib import Path
from string import Template

from lcmat.files.paths import atomic_write, runs_folder

WORDS = "words"
"""The section of the texts that several pages share; each other section is a page."""


def table_sources(folder: Path) -> list[Path]:
    """Write the script of each page, from `tables.py` and `tables.toml`.

    Args:
        folder: the notebooks of the project.

    Returns:
        Their paths, `<runs folder>/sources/tables/<name>.py`; none if the folder has no such texts.

    Raises:
        KeyError: a page lacks one of the texts.
    """
    if not (folder / "tables.toml").is_file():
        return []
    texts = tomllib.loads((folder / "tables.toml").read_text(encoding="utf-8"))
    template, words = (folder / "tables.py").read_text(encoding="utf-8"), texts.pop(WORDS)
    written = []
    for name, page in texts.items():
        chosen = {"rerun": words[page["runs"]], "legend": words[page["arms"]]}
        written.append(runs_folder() / "sources" / "tables" / f"{name}.py")
        atomic_write(written[-1], fill(template, page | chosen).encode())
    return written


def fill(template: str, texts: dict[str, str]) -> str:
    r"""Put texts into the comments of a script.

    >>> fill("# $title: $text", {"title": "A", "text": "one\ntwo\n\nthree"})
    '# A: one\n# two\n#\n# three'
    """
    commented = {name: text.replace("\n", "\n# ").replace("\n# \n", "\n#\n") for name, text in texts.items()}
    return Template(template).substitute(commented)
