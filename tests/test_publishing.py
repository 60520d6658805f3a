"""The step that commits what another job has made takes notebooks from it and nothing else."""

import io
import os
import shutil
import subprocess
import tarfile
from pathlib import Path

import pytest
import yaml

from lcmat.report import published

ROOT = Path(__file__).parents[1]
WORKFLOW = ROOT / ".github" / "workflows" / "pages.yml"
GOOD = {"book/a.ipynb": b"{}", "book/records/selection/digits/0.json": b"{}", "book/a b/-c*.ipynb": b"{}"}
OTHERS = {
    **{f".git/hooks/{name}": b"#!/bin/sh\ntouch ../hooked hooked" for name in ("pre-commit", "commit-msg", "pre-push")},
    "lcmat/__init__.py": b"import os",
    ".github/workflows/ci.yml": b"on: push",
    "Makefile": b"all:",
    "book/notes.md": b"not a notebook",
    "book/.hidden/x.json": b"{}",
    "book/published.json": b"changed",
}


def git(folder, *words):
    author = ("-c", "user.name=a", "-c", "user.email=a@example.org")
    done = subprocess.run(["git", *author, *words], cwd=folder, capture_output=True, encoding="utf-8", check=True)
    return done.stdout


@pytest.fixture
def checkout(tmp_path):
    """A clone with a file of its own, whose origin is another folder."""
    git(tmp_path, "init", "--quiet", "--bare", "origin.git")
    git(tmp_path, "clone", "--quiet", "origin.git", "checkout")
    folder = tmp_path / "checkout"
    (folder / "book").mkdir()
    (folder / "book" / "published.json").write_text("kept", encoding="utf-8")
    git(folder, "add", ".")
    git(folder, "commit", "--quiet", "--message", "first")
    return folder


def packed(path):
    """An archive of notebooks, of files that are none, and of links and devices."""
    with tarfile.open(path, "w:gz") as archive:
        for name, content in {**GOOD, **OTHERS}.items():
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(content), 0o777
            archive.addfile(member, io.BytesIO(content))
        for name, kind, target in (
            ("book/link.ipynb", tarfile.SYMTYPE, "/etc/passwd"),
            ("book/folder", tarfile.SYMTYPE, "../.git"),
            ("book/pipe.json", tarfile.FIFOTYPE, ""),
        ):
            member = tarfile.TarInfo(name)
            member.type, member.linkname = kind, target
            archive.addfile(member)


@pytest.mark.skipif(not shutil.which("install") or os.uname().sysname != "Linux", reason="the runner has GNU tools")
def test_the_published_branch_gets_notebooks_and_nothing_else(checkout, tmp_path):
    (tmp_path / "temp").mkdir()
    packed(tmp_path / "temp" / "notebooks.tar.gz")
    steps = yaml.safe_load(WORKFLOW.read_text(encoding="utf-8"))["jobs"]["notebooks"]["steps"]
    (step,) = (each["run"] for each in steps if "run" in each)
    environment = {**os.environ, "RUNNER_TEMP": str(tmp_path / "temp")}
    subprocess.run(["bash", "-e", "-o", "pipefail", "-c", step], cwd=checkout, env=environment, check=True)
    files = git(tmp_path / "origin.git", "ls-tree", "-r", "-z", "--name-only", "notebooks").split("\0")
    assert sorted(filter(None, files)) == sorted([*GOOD, "book/published.json"])
    assert git(tmp_path / "origin.git", "show", "notebooks:book/published.json") == "kept"
    modes = {line.split()[0] for line in git(tmp_path / "origin.git", "ls-tree", "-r", "notebooks").splitlines()}
    assert modes == {"100644"}
    assert not list(tmp_path.rglob("hooked")) and not (checkout / "Makefile").exists()


def test_a_changed_table_of_published_numbers_is_refused(tmp_path, monkeypatch):
    content = (ROOT / "book" / "published.csv").read_bytes()
    (tmp_path / "book").mkdir()
    monkeypatch.setattr(published, "repository_folder", lambda: tmp_path)
    for same in (content, content.replace(b"\r\n", b"\n")):
        (tmp_path / "book" / "published.csv").write_bytes(same)
        assert len(published.read_published()) > 500
    for changed in (content.replace(b"1", b"2", 1), content + b"\n", content[:-9]):
        (tmp_path / "book" / "published.csv").write_bytes(changed)
        with pytest.raises(ValueError, match=r"published\.csv was changed .*take it from version control"):
            published.read_published()
