"""Where the repository and its site are published: one setting, from which every address follows.

The setting is `Repository` in `[project.urls]` of pyproject.toml. Until `make home REPOSITORY=owner/name` has written
it, no file names an address that is not there: lines that need one wait behind the mark `home:`.
"""

import json
import os
import re
import subprocess
import sys
import tomllib
from importlib.metadata import PackageNotFoundError, metadata
from pathlib import Path
from urllib.parse import quote

from lcmat.files.paths import PACKAGE, repository_folder

WAITING = "https://github.com/OWNER/NAME"
"""What lines behind the mark have in the place of the address."""

_NAME = re.compile(r"(?:https://github\.com/)?([\w.-]+/[\w.-]+?)(?:\.git)?/?")
_MARKED = re.compile(r"^(?:<!-- home: (.*) -->|# home: (.*))$", re.MULTILINE)
_DESCRIPTION = "codemeta.json"  # JSON has no comments in which a line could wait


def repository() -> str | None:
    """The address of the repository: `$LCMAT_REPOSITORY`, owner/name, else as declared; None until one is set."""
    given = os.environ.get("LCMAT_REPOSITORY")
    return address(given) if given else _declared(PACKAGE.parent)


def address(name: str) -> str:
    """The address of a repository on GitHub.

    Raises:
        ValueError: this is no such name.

    >>> address("somebody/lcmat")
    'https://github.com/somebody/lcmat'
    """
    matched = _NAME.fullmatch(name)
    if not matched:
        raise ValueError(f"{name!r} names no repository on GitHub: give owner/name")
    return f"https://github.com/{matched[1]}"


def site(repository: str) -> str:
    """The address of the site that GitHub Pages serves for a repository.

    >>> site("https://github.com/Somebody/lcmat"), site("https://github.com/somebody/somebody.github.io")
    ('https://somebody.github.io/lcmat/', 'https://somebody.github.io/')
    """
    owner, name = repository.split("/")[-2:]
    host = f"{owner.lower()}.github.io"
    return f"https://{host}/" if name.lower() == host else f"https://{host}/{name}/"


def addressed(text: str, old: str, new: str) -> str:
    """Replace an address, and that of its site, and uncover the lines that waited for one.

    >>> addressed("<!-- home: See <https://owner.github.io/NAME/>. -->", WAITING, "https://github.com/a/b")
    'See <https://a.github.io/b/>.'
    """
    text = _MARKED.sub(lambda line: line[1] or line[2], text)
    for before, after, end in ((site(old), site(new), ""), (old, new, r"(?![\w-])")):
        for form in (str, _quoted):
            text = re.sub(re.escape(form(before)) + end, form(after), text)
    return text


def write(folder: Path, name: str) -> list[Path]:
    """Write an address into every tracked file of a checkout that has one, or waits for it.

    Args:
        folder: the checkout.
        name: of the repository, owner/name.

    Returns:
        The files that changed.
    """
    old, new = _declared(folder) or WAITING, address(name)
    listing = subprocess.run(["git", "ls-files", "-z"], cwd=folder, capture_output=True, encoding="utf-8", check=True)
    changed = []
    for path in (folder / file for file in listing.stdout.split("\0") if file and not file.startswith("tests/")):
        before = path.read_bytes() if path.is_file() and path.name != Path(__file__).name else b""
        after = addressed(before.decode(errors="surrogateescape"), old, new).encode(errors="surrogateescape")
        after = _described(before, new) if path.name == _DESCRIPTION else after
        if after != before:
            path.write_bytes(after)
            changed.append(path)
    return changed


def _declared(folder: Path) -> str | None:
    """What pyproject.toml says, in a checkout, or the installed package."""
    project = folder / "pyproject.toml"
    if project.is_file():
        urls = tomllib.loads(project.read_text(encoding="utf-8"))["project"].get("urls", {})
    else:
        try:
            urls = dict(line.split(", ", 1) for line in metadata("lcmat").get_all("Project-URL", []))
        except PackageNotFoundError:
            urls = {}
    declared: str | None = urls.get("Repository")
    return declared


def _described(before: bytes, new: str) -> bytes:
    """The description of the software for machines, with the addresses."""
    addresses = {"codeRepository": new, "issueTracker": f"{new}/issues", "softwareHelp": site(new)}
    return (json.dumps(json.loads(before) | addresses, indent=2, ensure_ascii=False) + "\n").encode()


def _quoted(address: str) -> str:
    return quote(address, safe="")


if __name__ == "__main__":
    try:
        print(*write(repository_folder(), sys.argv[1]), sep="\n")
    except ValueError as error:
        sys.exit(f"lcmat: {error}")
