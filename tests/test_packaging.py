"""The files that describe the package to pip, conda, make, GitHub and readers agree with each other."""

import ast
import json
import re
import subprocess
import tomllib
from functools import cache
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
LARGEST_TRACKED_FILE = 2 * 2**20
METADATA = (".zenodo.json", "codemeta.json")
PICKLES_AND_PRODUCTS = {".ipynb", ".pickle", ".pkl", ".pt", ".pth"}


def read(name):
    return (ROOT / name).read_text(encoding="utf-8")


@cache
def tracked_files():
    listing = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True)
    if listing.returncode:
        pytest.skip("not a git checkout")
    return [ROOT / name for name in listing.stdout.split("\0") if name and (ROOT / name).is_file()]


def declared_requirements():
    extras = PROJECT["optional-dependencies"]
    lines = [*PROJECT["dependencies"], *extras["run"], *extras["book"], *extras["dev"]]
    return [requirement for requirement in map(Requirement, lines) if requirement.name != "lcmat"]


def with_what_they_include(extras):
    """Extras and those that they name: `lcmat[run]` in `book` is `run`."""
    named = [r for extra in extras for r in map(Requirement, PROJECT["optional-dependencies"][extra])]
    return {*extras, *(extra for requirement in named if requirement.name == "lcmat" for extra in requirement.extras)}


def lock_entries(text):
    """The entries of a lock as (requirement, number of hashes); comments and continuation marks are dropped."""
    unfolded = re.sub(r"\\\n", " ", re.sub(r"^\s*#.*\n", "", text, flags=re.MULTILINE))
    for line in filter(str.strip, unfolded.splitlines()):
        requirement, *hashes = line.split("--hash=")
        yield Requirement(requirement.strip()), sum(bool(re.fullmatch(r"sha256:[0-9a-f]{64}\s*", h)) for h in hashes)


def locked_versions():
    """Name of every locked package -> its versions; a universal lock can hold several, for different platforms."""
    versions = {}
    for requirement, _ in lock_entries(read("requirements.lock")):
        (pin,) = requirement.specifier
        assert pin.operator == "=="
        versions.setdefault(canonicalize_name(requirement.name), set()).add(pin.version)
    return versions


def unmet(requirements, versions):
    """Those requirements of which the lock has no version, or one out of range."""

    def is_met(requirement):
        locked = versions.get(canonicalize_name(requirement.name), set())
        return bool(locked) and all(map(requirement.specifier.contains, locked))

    return [str(requirement) for requirement in requirements if not is_met(requirement)]


def make_targets():
    return set(re.findall(r"^([a-z][a-z-]*):(?!=)", read("Makefile"), flags=re.MULTILINE))


def made_by(commands):
    """Targets which a shell text asks of make, options and settings left out."""
    calls = re.findall(r"(?:^|[ \t])make((?:[ ]+[^\s;|&#]+)*)", commands, flags=re.MULTILINE)
    return {word for call in calls for word in call.split() if "=" not in word and not word.startswith("-")}


def code_blocks(markdown, language):
    return re.findall(rf"^```{language}\n(.*?)^```", markdown, flags=re.MULTILINE | re.DOTALL)


def jobs_of(workflow):
    return yaml.safe_load(workflow.read_text())["jobs"].values()


def workflow_commands(workflow):
    return [step["run"] for job in jobs_of(workflow) for step in job.get("steps", []) if "run" in step]


def ci_stages():
    """Name of each stage of .ci/run -> its command."""
    return dict(re.findall(r"^        ([a-z]+)\) (.+) ;;$", read(".ci/run"), flags=re.MULTILINE))


def stages_asked_for(workflow):
    """The stages of .ci/run that a workflow's jobs do, those of a matrix included."""
    for job in jobs_of(workflow):
        matrix = job.get("strategy", {}).get("matrix", {})
        varied = {*matrix.get("stage", []), *(row["stage"] for row in matrix.get("include", []) if "stage" in row)}
        for command in (step["run"] for step in job.get("steps", []) if step.get("run", "").startswith(".ci/run")):
            words = command.replace("${{ matrix.stage }}", " ".join(sorted(varied))).split()
            yield from words[1:]


def test_every_declared_dependency_is_locked_within_its_range():
    assert unmet(declared_requirements(), locked_versions()) == []


def test_a_missing_or_outdated_lock_entry_is_noticed():
    requirements = [Requirement("torch>=2.9"), Requirement("numpy>=2.0"), Requirement("Great_Tables")]
    assert unmet(requirements, {"torch": {"2.8.0"}, "great-tables": {"0.20.0"}}) == ["torch>=2.9", "numpy>=2.0"]


def test_every_lock_entry_has_hashes():
    entries = list(lock_entries(read("requirements.lock")))
    assert len(entries) > len(declared_requirements())
    assert [str(requirement) for requirement, hashes in entries if not hashes] == []


def test_the_lock_names_no_host():
    lines = read("requirements.lock").splitlines()
    assert [line for line in lines if "://" in line or line.startswith("-")] == []


def test_uv_lock_is_not_kept():
    assert "uv.lock" not in {path.name for path in tracked_files()}, "it holds addresses of a registry; use `make lock`"


def test_environment_installs_this_project_with_its_extras_on_a_supported_python():
    *conda, pip = yaml.safe_load(read("environment.yml"))["dependencies"]
    (editable,) = pip["pip"]
    extras = re.fullmatch(r"-e \.\[([a-z,]+)\]", editable).group(1)
    assert with_what_they_include(extras.split(",")) == set(PROJECT["optional-dependencies"]) - {
        "peers"
    }  # for one benchmark only
    (python,) = (Requirement(line) for line in conda if line.startswith("python"))
    minors = [f"3.{minor}" for minor in range(30)]
    allowed = [version for version in minors if python.specifier.contains(version)]
    assert allowed
    assert all(map(SpecifierSet(PROJECT["requires-python"]).contains, allowed))


def test_the_citation_states_this_version_and_the_paper():
    citation = yaml.safe_load(read("CITATION.cff"))
    assert citation["version"] == PROJECT["version"]
    assert citation["license"] == PROJECT["license"]
    (paper,) = citation["references"]
    assert [author["family-names"] for author in paper["authors"]] == ["Shin", "Bae", "Shin", "Joo", "Moon"]
    assert (paper["year"], paper["volume"], paper["start"], paper["end"]) == (2023, 206, "8606", "8628")


def test_the_archive_is_told_what_the_project_says():
    citation, archive, codemeta = yaml.safe_load(read("CITATION.cff")), *map(json.loads, map(read, METADATA))
    assert codemeta["version"] == PROJECT["version"]
    assert codemeta["name"] == PROJECT["name"]
    assert archive["description"] == codemeta["description"] == PROJECT["description"]
    assert archive["keywords"] == codemeta["keywords"] == citation["keywords"] == PROJECT["keywords"]
    assert archive["license"] == codemeta["license"].removeprefix("https://spdx.org/licenses/") == PROJECT["license"]
    assert codemeta["runtimePlatform"] == f"Python {PROJECT['requires-python']}"
    authors = [author["name"] for author in PROJECT["authors"]]
    for listed in (archive["creators"], codemeta["author"], citation["authors"]):
        assert [author["name"] for author in listed] == authors
    assert archive["title"] == citation["title"]
    assert codemeta["referencePublication"]["url"] == citation["references"][0]["url"]


def test_the_changelog_tells_of_this_version():
    sections = re.findall(r"^## \[(.+?)\]", read("CHANGELOG.md"), flags=re.MULTILINE)
    assert sections[:2] == ["Unreleased", PROJECT["version"]]
    links = re.findall(r"^(?:<!-- home: )?\[(.+?)\]: https://", read("CHANGELOG.md"), flags=re.MULTILINE)
    assert links == sections


def test_hooks_need_no_network():
    hooks = yaml.safe_load(read(".pre-commit-config.yaml"))["repos"]
    assert [repository["repo"] for repository in hooks] == ["local"]
    assert all(hook["entry"].startswith(".venv/bin/") for hook in hooks[0]["hooks"])


def test_no_products_or_pickles_are_tracked():
    assert [path for path in tracked_files() if path.suffix in PICKLES_AND_PRODUCTS] == []


def test_text_files_are_utf_8_on_every_platform():
    """Beyond what ruff finds, for it must know that a variable is a path."""
    found = []
    shipped = [path for path in tracked_files() if path.suffix in (".py", ".smk") and "tests" not in path.parts]
    for path in (path for path in shipped if path.suffix == ".py"):
        calls = [node for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(node, ast.Call)]
        found += [f"{path}:{call.lineno}" for call in calls if reads_as_the_platform_does(call)]
    snakefiles = [path.read_text(encoding="utf-8") for path in shipped if path.suffix == ".smk"]
    assert found == [] and all(text.count("open(") == text.count("encoding=") for text in snakefiles)


def reads_as_the_platform_does(call):
    name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
    words = {word.arg for word in call.keywords}
    modes = [node.value for node in call.args if isinstance(node, ast.Constant) and isinstance(node.value, str)]
    module = getattr(getattr(call.func, "value", None), "id", "")
    if "encoding" in words or module in ("os", "tarfile", "Image") or any("b" in mode for mode in modes[-1:]):
        return False
    return name in ("read_text", "write_text", "open") or bool(words & {"text", "universal_newlines"})


def test_no_large_file_is_tracked():
    assert [path for path in tracked_files() if path.stat().st_size > LARGEST_TRACKED_FILE] == []


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.name)
def test_workflows_run_only_targets_that_exist(workflow):
    assert made_by("\n".join(workflow_commands(workflow))) <= make_targets()
    assert set(stages_asked_for(workflow)) <= set(ci_stages())


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.name)
def test_actions_are_pinned_by_commit(workflow):
    used = re.findall(r"uses: (?!\./)(.+)", workflow.read_text())
    assert used and all(re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", action) for action in used)


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.name)
def test_workflows_ask_for_no_more_than_they_state(workflow):
    content = yaml.safe_load(workflow.read_text())
    assert content["permissions"] in ({}, {"contents": "read"})
    assert "concurrency" in content
    assert all("timeout-minutes" in job for job in content["jobs"].values() if "steps" in job)


def test_continuous_integration_runs_the_tests_and_the_book():
    stages, alone = ci_stages(), re.search(r"set -- (.+)", read(".ci/run")).group(1).split()
    assert stages["compare"].endswith("lcmat compare")  # nothing behind it: its status counts
    for asked in (alone, list(stages_asked_for(ROOT / ".github" / "workflows" / "ci.yml"))):
        assert {"test", "book"} <= made_by("\n".join(stages[name] for name in asked)) <= make_targets()
        assert {"compare", "pages"} <= set(asked)
    assert alone.index("test") < alone.index("book") < alone.index("compare")


def test_targets_are_read_from_commands():
    assert made_by("make lock UPGRADE=--upgrade\ntimed book make -s book && echo") == {"lock", "book"}


def test_make_help_lists_every_public_target():
    shown = subprocess.run(["make", "-s", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert set(re.findall(r"^  make ([a-z-]+) ", shown, flags=re.MULTILINE)) == make_targets()


def test_the_readme_names_the_two_commands():
    assert {"book", "test"} <= made_by("\n".join(code_blocks(read("README.md"), "bash"))) <= make_targets()


def test_the_pictures_and_files_of_the_readme_exist():
    links = re.findall(r"\[[^\]]+\]\(([^):]+)\)", read("README.md"))
    assert {"LICENSE", "CITATION.cff"} <= set(links)
    assert [link for link in links if not (ROOT / link).is_file()] == []


def test_the_example_of_the_readme_runs():
    example, _ = code_blocks(read("README.md"), "python")  # the second is run in tests/test_own_data.py
    names = {}
    exec(example, names)
    assert 0 < len(names["small"]) < 0.1 * len(names["digits"])
