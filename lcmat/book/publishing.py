"""The notebooks for readers elsewhere, on GitHub, in Jupyter or Colab: plain Markdown, and nothing of this machine."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lcmat.book.chapters import sources
from lcmat.book.plain import plain, plain_code
from lcmat.book.references import Book, References, bibliography
from lcmat.files.home import repository, site
from lcmat.files.paths import atomic_write, repository_folder
from lcmat.sweep.runner import read_source

if TYPE_CHECKING:
    from nbformat import NotebookNode

KEPT = ("kernelspec", "language_info")
HIDDEN = {"hide-cell", "hide-input", "remove-cell", "remove-input"}

COLAB = """\
# Only on Colab: fetch the repository and install its package. Elsewhere this cell does nothing.
import os

if "COLAB_RELEASE_TAG" in os.environ:
    import subprocess
    import sys

    subprocess.run(["git", "clone", "--quiet", "--depth", "1", "$REPOSITORY", "repository"], check=True)
    subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", "--editable", "repository[run]"], check=True)
    sys.path.insert(0, os.path.abspath("repository"))"""

_LISTED = re.compile(r"^\s*(?:- file|root): (\S+)", re.MULTILINE)
_PAGE_LINK = re.compile(r'href="(?!https?:|#)([^"#]+\.html)(#[^"]*)?"')


def page_of(source: Path) -> str:
    """The page that a chapter's source makes, as the table of contents names it."""
    return f"book/{source.parent.name}/{source.stem}"


def read_book() -> Book:
    """Take up all pages in the order of the contents: titles, labels, numbers."""
    root, home = repository_folder(), repository()
    works = root / "book/references.bib"
    book = Book(works=bibliography(works) if works.is_file() else {}, site=site(home) if home else None)
    notebooks = {page_of(source): source for source in sources()}
    contents = root / "_toc.yml"
    listed = _LISTED.findall(contents.read_text(encoding="utf-8")) if contents.is_file() else []
    for page in dict.fromkeys([*listed, *notebooks]):
        if page in notebooks:
            _add_notebook(book, page, notebooks[page])
        elif (path := root / f"{page}.md").is_file():
            book.add(page, path.read_text(encoding="utf-8"), is_notebook=False)
    return book


def published(notebook: NotebookNode, references: References) -> NotebookNode:
    """A notebook, executed or not, for readers elsewhere.

    Args:
        notebook: of the book; it is changed.
        references: the book as its page sees it.
    """
    from nbformat.v4 import new_code_cell

    cells: list[Any] = []
    home, wanted = repository(), True
    for cell in notebook.cells:
        if cell.cell_type == "code" and wanted:
            cells += [new_code_cell(COLAB.replace("$REPOSITORY", home))] if home else []
            wanted = False
        cells += _rewritten(cell, references)
    for number, cell in enumerate(cells):
        cell.id = f"cell-{number}"  # a drawn one would differ in every build
    notebook.cells = cells
    for name in set(notebook.metadata) - set(KEPT):
        del notebook.metadata[name]
    return notebook


def export_notebooks(folder: Path) -> list[Path]:
    """Convert all chapters to `<folder>/<part>/<name>.ipynb`, not executed: for papermill, Jupyter or Colab."""
    book, written = read_book(), []
    for source in sources():
        path = folder / source.parent.name / f"{source.stem}.ipynb"
        _write(path, published(read_source(source), References(book, page_of(source))))
        written.append(path)
    return written


def publish_executed(folder: Path) -> None:
    """Rewrite the executed notebooks `<folder>/book/<part>/<name>.ipynb` for readers elsewhere.

    Args:
        folder: a copy of the pages, such as `_sources` of the built site.
    """
    import nbformat

    paths = sorted(folder.glob("book/*/*.ipynb"))
    book = read_book() if paths else Book()
    for path in paths:
        notebook, page = nbformat.read(path, as_version=4), path.relative_to(folder).with_suffix("").as_posix()
        if "papermill" in notebook.metadata:  # else it has been rewritten before
            _write(path, published(notebook, References(book, page)))


def _write(path: Path, notebook: NotebookNode) -> None:
    import nbformat

    atomic_write(path, nbformat.writes(notebook).encode())


def _add_notebook(book: Book, page: str, source: Path) -> None:
    cells = read_source(source).cells
    figures = [cell.metadata.get("mystnb", {}).get("figure", {}) for cell in cells]
    named = [(figure["name"], figure.get("caption", "")) for figure in figures if "name" in figure]
    text = "\n\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
    book.add(page, text, named, is_notebook=True)


def _rewritten(cell: Any, references: References) -> list[Any]:
    """A cell, and its caption below it."""
    from nbformat.v4 import new_markdown_cell

    figure = cell.metadata.pop("mystnb", {}).get("figure", {})
    cell.metadata.pop("papermill", None)
    if cell.cell_type == "markdown":
        cell.source = plain(cell.source, references)
        return [cell]
    cell.source = plain_code(cell.source, references)
    if HIDDEN & set(cell.metadata.get("tags", [])):
        cell.metadata["jupyter"] = {"source_hidden": True}
    for output in cell.get("outputs", []):
        _rewrite_output(output, references)
    if not figure.get("caption"):
        return [cell]
    caption = f"{references.number(figure.get('name', ''))} {plain(figure['caption'], references)}"
    return [cell, new_markdown_cell(caption.strip())]


def _rewrite_output(output: Any, references: References) -> None:
    data = output.get("data", {})
    if "text/markdown" in data:
        data["text/markdown"] = plain("".join(data["text/markdown"]), references)
    if "text/html" in data:
        html = "".join(data["text/html"])
        data["text/html"] = _PAGE_LINK.sub(lambda link: _address(link, references), html)


def _address(link: re.Match[str], references: References) -> str:
    """A link of a table to another page: there if it can be reached from elsewhere."""
    address = references.address(link[1], link[2] or "")
    return f'href="{address}"' if address else 'data-page="the book"'
