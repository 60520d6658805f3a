"""What the labels, pages and citations of the book stand for outside it."""

from __future__ import annotations

import posixpath
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

OPTION = re.compile(r"^\s*:([\w-]+):[ \t]*(.*)$")
_EQUATION = re.compile(r"\$\$ ?\(([^()\s]+)\)")
_OPENING = re.compile(r"^[ \t>]*(?:`{3,}|:{3,})\{([\w:.-]+)\}[ \t]*(.*)\n((?:[ \t>]*:[\w-]+:.*\n)*)", re.MULTILINE)
_SECTION = re.compile(r"^\(([^()\s]+)\)=\s*\n+#+ (.*)$", re.MULTILINE)
_ENTRY = re.compile(r"^@\w+\{([^,\s]+),(.*?)^\}", re.MULTILINE | re.DOTALL)
_FIELD = re.compile(r"^\s*(\w+)\s*=\s*\{(.*)\},?\s*$", re.MULTILINE)
_ACCENT = re.compile(r"\{?\\([\"'`^~])\{?(\w)\}?\}?")
_ACCENTS = {'"': "\u0308", "'": "\u0301", "`": "\u0300", "^": "\u0302", "~": "\u0303"}


@dataclass(frozen=True)
class Label:
    """What a label marks: on which page, as what ("(3)" or "Figure 2", or nothing), with which title and anchor."""

    page: str
    number: str
    title: str
    anchor: str


@dataclass(frozen=True)
class Work:
    """An entry of the bibliography: "Shin et al.", its year, where it can be read."""

    authors: str
    year: str
    url: str | None


@dataclass
class Book:
    """Titles of the pages, their labels, the bibliography, and where the site is, if anywhere.

    Attributes:
        titles: page, such as "book/start/notation", -> its title.
        labels: label -> what it marks.
        works: key -> entry of the bibliography.
        notebooks: the pages that are notebooks, which links can lead to without a site.
        site: its address, with a slash at the end.
        counted: equations and figures so far, which are numbered through the book.
    """

    titles: dict[str, str] = field(default_factory=dict)
    labels: dict[str, Label] = field(default_factory=dict)
    works: Mapping[str, Work] = field(default_factory=dict)
    notebooks: set[str] = field(default_factory=set)
    site: str | None = None
    counted: Counter[str] = field(default_factory=Counter)

    def add(self, page: str, text: str, figures: Iterable[tuple[str, str]] = (), *, is_notebook: bool) -> None:
        """Take up the next page of the contents.

        Args:
            page: its name.
            text: all its Markdown.
            figures: label and caption of those that its cells draw, in their order.
            is_notebook: whether it is one.
        """
        heading = re.search(r"^# (.+)$", text, re.MULTILINE)
        self.titles[page] = heading[1] if heading else page
        if is_notebook:
            self.notebooks.add(page)
        for label in _equations(text):
            self.labels[label] = Label(page, f"({self._next('equation')})", "", f"equation-{label}")
        for label, title in _SECTION.findall(text):
            self.labels[label] = Label(page, "", title, label)
        for _, title, options in _directives(text):
            if options.get("name"):
                self.labels[options["name"]] = Label(page, "", title, options["name"])
        drawn = [*((o["name"], "") for name, _, o in _directives(text) if name == "figure" and "name" in o), *figures]
        for label, caption in drawn:
            self.labels[label] = Label(page, f"Figure {self._next('figure')}", caption, label)

    def _next(self, kind: str) -> int:
        self.counted[kind] += 1
        return self.counted[kind]


@dataclass(frozen=True)
class References:
    """The book as one page of it sees it.

    Attributes:
        book: all pages.
        at: the page.
    """

    book: Book
    at: str

    def number(self, label: str) -> str:
        """The number of an equation without its brackets, of a figure with a full stop; nothing if it has none."""
        found = self.book.labels.get(label)
        if found is None or not found.number:
            return ""
        return found.number.strip("()") if found.number.startswith("(") else f"**{found.number}.**"

    def label(self, label: str, words: str) -> str:
        """A reference to an equation, a figure, a section or a box, here or on another page."""
        found = self.book.labels.get(label)
        if found is None:
            return words or label
        shown = re.sub(r"%s|\{number\}", found.number.removeprefix("Figure "), words) or found.number or found.title
        if found.page == self.at:
            return shown
        title = self.book.titles[found.page]
        return self._to(found.page, shown if self.book.site else f"{shown} of “{title}”", f"#{found.anchor}")

    def page(self, target: str, words: str) -> str:
        """A reference to a page, by a path from here or from the root of the book."""
        page = self._resolved(target)
        return self._to(page, words or self.book.titles.get(page, target))

    def link(self, words: str, target: str) -> str | None:
        """A link to a page or a label of the book; None for one that leads elsewhere."""
        path, _, fragment = target.partition("#")
        if not path and fragment in self.book.labels:
            return self.label(fragment, words)
        page = self._resolved(path)
        if path and page in self.book.titles:
            return self._to(page, words or self.book.titles[page], f"#{fragment}" if fragment else "")
        return None

    def citation(self, keys: str, *, in_brackets: bool) -> str:
        """Authors and years, with links to what they wrote."""
        cited = []
        for key in map(str.strip, keys.split(",")):
            work = self.book.works.get(key, Work(key, "n.d.", None))
            text = f"{work.authors}, {work.year}" if in_brackets else f"{work.authors} ({work.year})"
            cited.append(f"[{text}]({work.url})" if work.url else text)
        return f"({'; '.join(cited)})" if in_brackets else ", ".join(cited)

    def address(self, target: str, anchor: str = "") -> str | None:
        """Where a page can be read: on the site if there is one, else beside this notebook; None for neither."""
        page = self._resolved(target)
        if self.book.site and page in self.book.titles:
            return f"{self.book.site}{page}.html{anchor}"
        if page in self.book.notebooks:
            return f"{posixpath.relpath(page, posixpath.dirname(self.at))}.ipynb"
        return None

    def _to(self, page: str, words: str, anchor: str = "") -> str:
        address = self.address(f"/{page}", anchor)
        return f"[{words}]({address})" if address else words

    def _resolved(self, target: str) -> str:
        path = re.sub(r"\.(md|ipynb|html)$", "", target)
        if path.startswith("/"):
            return path[1:]
        return posixpath.normpath(posixpath.join(posixpath.dirname(self.at), path))


def options_of(content: str) -> tuple[dict[str, str], str]:
    r"""The options of a directive, and its body.

    >>> options_of(":class: note dropdown\n\nThe body.")
    ({'class': 'note dropdown'}, 'The body.')
    """
    lines, options = content.split("\n"), {}
    while lines and (matched := OPTION.match(lines[0])):
        options[matched[1]] = matched[2].strip()
        del lines[0]
    return options, "\n".join(lines).lstrip("\n")


def bibliography(file: Path) -> dict[str, Work]:
    """Read a BibTeX file with one field on a line."""
    return {
        key: _work(dict(_FIELD.findall(fields))) for key, fields in _ENTRY.findall(file.read_text(encoding="utf-8"))
    }


def _work(fields: Mapping[str, str]) -> Work:
    fields = {name.lower(): _letters(value) for name, value in fields.items()}
    url = fields.get("url") or (f"https://doi.org/{fields['doi']}" if "doi" in fields else None)
    return Work(_shortened(fields["author"].split(" and ")), fields["year"], url)


def _shortened(authors: list[str]) -> str:
    """At most two family names.

    >>> _shortened(["Shin, Seungjae", "Bae, Heesun", "Shin, Donghyeok"])
    'Shin et al.'
    """
    names = [author.split(",")[0].strip() for author in authors]
    return f"{names[0]} et al." if len(names) > 2 else " and ".join(names)


def _letters(text: str) -> str:
    r"""BibTeX without its marks.

    >>> _letters(r"M{\"o}lder, {BackPACK}")
    'Mölder, BackPACK'
    """
    accented = _ACCENT.sub(lambda m: unicodedata.normalize("NFC", m[2] + _ACCENTS[m[1]]), text)
    return re.sub(r"[{}]", "", accented).replace("--", "–")


def _equations(text: str) -> list[str]:
    """The labels of the equations of a page, in their order."""
    found = [(match.start(), match[1]) for match in _EQUATION.finditer(text)]
    for match in _OPENING.finditer(text):
        options, _ = options_of(match[3])
        if match[1] == "math" and "label" in options:
            found.append((match.start(), options["label"]))
    return [label for _, label in sorted(found)]


def _directives(text: str) -> list[tuple[str, str, dict[str, str]]]:
    """Name, argument and options of every directive."""
    return [(match[1], match[2], options_of(match[3])[0]) for match in _OPENING.finditer(text)]
