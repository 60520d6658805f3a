"""One setting: every address of the repository, its site and its badge follows it, and none stands before it is set."""

import json
import re
import shutil
import subprocess
import tomllib
from pathlib import Path
from urllib.parse import unquote

import pytest
import yaml

from lcmat.files import home
from lcmat.report.export import BADGE

ROOT = Path(__file__).resolve().parent.parent
OURS = re.compile(r"github\.com/[\w.-]+/(?:lcmat|NAME)\b|[\w-]+\.github\.io")


def tracked():
    listing = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True)
    if listing.returncode:
        pytest.skip("not a git checkout")
    names = [name for name in listing.stdout.split("\0") if name and (ROOT / name).is_file()]
    return [name for name in names if not name.startswith("tests/") and name != "lcmat/files/home.py"]


def mentions(text):
    return OURS.findall(unquote(text))


def promises(names):
    """The lines that name an address, by file."""
    for name in names:
        for line in (ROOT / name).read_bytes().decode(errors="ignore").splitlines():
            if mentions(line) and not re.match(r"(<!--|#) home: ", line):
                yield name, line


@pytest.fixture
def checkout(tmp_path):
    """A copy of the tracked files with a place for an address, in a repository of its own."""
    for name in tracked():
        content = (ROOT / name).read_bytes().decode(errors="ignore")
        if mentions(content) or name in ("pyproject.toml", "codemeta.json"):
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, tmp_path / name)
    for words in (["init", "--quiet"], ["add", "--force", "."]):
        subprocess.run(["git", *words], cwd=tmp_path, check=True)
    return tmp_path


def everything(folder):
    return {path: path.read_text() for path in folder.rglob("*") if path.is_file() and ".git/" not in path.as_posix()}


def test_before_it_is_set_no_file_promises_a_page():
    if "urls" in tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]:
        pytest.skip("it is set")
    assert list(promises(tracked())) == []


def test_one_call_writes_it_everywhere_and_another_moves_it(checkout):
    home.write(checkout, "Somebody/some.thing")
    first = everything(checkout)
    assert not [path for path, text in first.items() if "home: " in text.replace("make home: ", "") or "OWNER" in text]
    found = {mention for text in first.values() for mention in mentions(text)}
    assert found == {"somebody.github.io"}  # the others end in a name that is not ours
    assert tomllib.loads((checkout / "pyproject.toml").read_text())["project"]["urls"] == {
        "Repository": "https://github.com/Somebody/some.thing"
    }
    home.write(checkout, "https://github.com/other/lcmat.git")
    for path, text in everything(checkout).items():
        assert "somebody" not in text.lower(), path
        assert {"github.com/other/lcmat", "other.github.io"} >= set(mentions(text)), path


def test_the_files_that_describe_the_project_agree_once_it_is_set(checkout):
    home.write(checkout, "somebody/lcmat")
    address, site = "https://github.com/somebody/lcmat", "https://somebody.github.io/lcmat/"
    description = json.loads((checkout / "codemeta.json").read_text())
    assert (description["codeRepository"], description["softwareHelp"]) == (address, site)
    assert yaml.safe_load((checkout / "CITATION.cff").read_text())["repository-code"] == address
    (contact,) = yaml.safe_load((checkout / ".github/ISSUE_TEMPLATE/config.yml").read_text())["contact_links"]
    assert contact["url"] == site
    readme = (checkout / "README.md").read_text()
    (endpoint,) = re.findall(r"https://img\.shields\.io/endpoint\?url=([^)]+)", readme)
    assert endpoint == f"{site}{BADGE}".replace(":", "%3A").replace("/", "%2F")
    assert f"{site}book/report/reproducibility.html" in readme
    assert re.search(rf"^\[Unreleased\]: {address}/compare/", (checkout / "CHANGELOG.md").read_text(), re.MULTILINE)


def test_a_build_may_name_its_own_repository(monkeypatch):
    monkeypatch.setenv("LCMAT_REPOSITORY", "fork/of-it")
    assert home.repository() == "https://github.com/fork/of-it"
    monkeypatch.setenv("LCMAT_REPOSITORY", "no name")
    with pytest.raises(ValueError, match="'no name' names no repository on GitHub: give owner/name"):
        home.repository()


def test_the_workflow_that_builds_the_site_takes_its_own_repository():
    jobs = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text())["jobs"]
    settings = [step.get("env", {}) for step in jobs["book"]["steps"] if step.get("run", "").startswith(".ci/run")]
    assert settings == [{"LCMAT_REPOSITORY": "${{ github.repository }}"}]


def test_an_installed_package_asks_its_metadata(monkeypatch, tmp_path):
    monkeypatch.delenv("LCMAT_REPOSITORY", raising=False)
    monkeypatch.setattr(home, "PACKAGE", tmp_path / "lcmat")
    monkeypatch.setattr(home, "metadata", lambda name: Metadata())
    assert home.repository() == "https://github.com/a/b"


class Metadata:
    """That of a wheel."""

    def get_all(self, name, otherwise):
        return ["Documentation, x", "Repository, https://github.com/a/b"] if name == "Project-URL" else otherwise
