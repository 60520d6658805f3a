import json
import re
import shlex
from pathlib import Path

import pytest

from lcmat import cli as commands
from lcmat.book import chapters
from lcmat.cli import arguments
from lcmat.cli import main as cli
from lcmat.config import SelectionParameters, parse_assignments
from lcmat.config.registry import METHODS, OBJECTIVES
from lcmat.experiments import code_fingerprint
from lcmat.files.paths import runs_folder
from lcmat.records import record as records
from lcmat.sweep import runner
from lcmat.sweep.profiles import Profile, Study
from lcmat.sweep.runner import RunError
from tests.test_records import make_record

QUICK = SelectionParameters(method="uniform", selection_epochs=1, epochs=2)
WORDS = ["-p", "method=uniform", "-p", "selection_epochs=1", "-p", "epochs=2"]


@pytest.mark.parametrize(
    ("assignment", "hint"),
    [
        ("fracton=0.1", "did you mean 'fraction'"),
        ("seed=1_0", "expected a whole number"),
        ("method=lcmatt", "did you mean 'lcmat-s'"),
        ("fraction", "expected NAME=VALUE"),
    ],
)
def test_impossible_parameters_are_refused_before_anything_starts(assignment, hint, capsys):
    assert cli.main(["run", "selection", "-p", assignment]) == 2
    captured = capsys.readouterr()
    assert hint in captured.err
    assert captured.out == ""
    assert not records.records_folder().exists() and not runs_folder().exists()


SMOKE = ["--profile", "smoke"]
IMPOSSIBLE = [
    *([], ["rnu"], ["run"], ["run", "selecton"], ["sweep"], ["merge"], ["chapters", "--jobs", "0"]),
    *(["sweep", *SMOKE, "--budget", text] for text in ("", "2", "h", "0s", "-1h", "2h 3", "\u0661h")),
    *(["sweep", *SMOKE, "--shard", text] for text in ("0/2", "3/2", "1", "1/0", "a/b")),
    ["sweep", *SMOKE, "--notebooks", "some"],
    ["sweep", *SMOKE, "--no-notebook", "--in-process"],
    ["compare", "--strict", "--update"],
]


@pytest.mark.parametrize("words", IMPOSSIBLE)
def test_impossible_words_are_refused(words, capsys):
    with pytest.raises(SystemExit) as caught:
        cli.main(words)
    assert caught.value.code == 2


def test_run_leaves_a_record_once(capsys):
    assert cli.main(["run", "selection", "--no-notebook", *WORDS]) == 0
    assert "done: test accuracy" in capsys.readouterr().out
    before = records.path_of(QUICK).read_bytes()
    assert cli.main(["run", "selection", *WORDS]) == 0
    assert capsys.readouterr().out == f"already done: {records.path_of(QUICK)}\n"
    assert records.path_of(QUICK).read_bytes() == before


def test_run_with_a_number_in_scientific_notation(capsys):
    path = records.write(make_record(SelectionParameters(fraction=0.005)))
    assert cli.main(["run", "selection", "-p", "fraction=5e-3"]) == 0
    assert capsys.readouterr().out.startswith(f"already done: {path}")


def test_a_record_of_other_code_is_kept_and_said_to_be(capsys):
    records.write(make_record(QUICK))
    assert cli.main(["run", "selection", *WORDS]) == 0
    assert "Its code has changed since" in capsys.readouterr().out


def test_a_diverged_run_says_so(capsys):
    assert cli.main(["run", "selection", "--no-notebook", *WORDS, "-p", "learning_rate=1e30"]) == 0
    assert "diverged: the training loss is nan in epoch " in capsys.readouterr().out


@pytest.mark.parametrize(
    ("error", "status", "message"),
    [
        (RunError("selection.py: cell 3 failed; log: here"), 1, "lcmat: selection.py: cell 3 failed; log: here\n"),
        (KeyboardInterrupt(), 130, "the same command goes on"),
    ],
)
def test_failures_and_interruptions_are_one_line_and_a_status(error, status, message, monkeypatch, capsys):
    def fail(_):
        raise error

    monkeypatch.setattr(runner, "run_notebook", fail)
    assert cli.main(["run", "selection", *WORDS]) == status
    lines = capsys.readouterr().err
    assert message in lines and lines.count("\n") == 1


def test_damaged_record_is_named(capsys):
    path = records.path_of(QUICK)
    path.parent.mkdir(parents=True)
    path.write_text("{")
    assert cli.main(["run", "selection", *WORDS]) == 1
    assert str(path) in capsys.readouterr().err
    assert cli.main(["status"]) == 1
    assert str(path) in capsys.readouterr().err


def test_status_counts_done_and_stale(capsys):
    records.write(make_record(QUICK, fingerprint=code_fingerprint(QUICK)))
    for seed in (1, 2):
        records.write(make_record(SelectionParameters(seed=seed)))
    assert cli.main(["status"]) == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert lines == [["selection", "digits", "done", "1"], ["selection", "digits", "stale", "2"]]


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        ("methods", "LCMat-S"),
        ("datasets", "fashion-mnist"),
        ("parameters", "fraction          a number > 0 and <= 1"),
    ],
)
def test_lists(command, expected, capsys):
    assert cli.main([command]) == 0
    assert expected in capsys.readouterr().out


def test_methods_are_listed_with_options_evidence_and_reference(capsys):
    cli.main(["methods"])
    selection, condensation = capsys.readouterr().out.split("\n\n")
    assert [line.split()[0] for line in condensation.splitlines()] == ["Condensation", *OBJECTIVES]
    lines = selection.splitlines()[1:]
    assert max(map(len, lines)) <= 120
    blocks = " ".join(line if line.startswith(" ") else f"\n{line}" for line in lines).split("\n")[1:]
    for block, (name, method) in zip(blocks, METHODS.items(), strict=True):
        assert block.startswith(f"{name} ") and method.title in block and method.reference in block
        assert all(f"{option}={default}" in block for option, default in method.options.items())
        assert ("evidence: " + ", ".join(method.evidence) in block) if method.evidence else "evidence" not in block


def test_sweep_reports_what_it_found(monkeypatch, capsys):
    small_profile(monkeypatch, QUICK)
    records.write(make_record(QUICK, fingerprint=code_fingerprint(QUICK)))
    assert cli.main(["sweep", "--profile", "smoke"]) == 0
    assert capsys.readouterr().out == "1 runs: 1 found, 0 computed, 0 failed\n"


def small_profile(monkeypatch, *runs):
    """Make the profile `smoke` one study of these runs."""
    profile = Profile("for a test", lambda: (Study("small", "Does it work?", runs, ("1",)),), disposable=True)
    for module in (arguments, commands.sweep, commands.compare):
        monkeypatch.setattr(module, "PROFILES", {"smoke": profile})


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (["plan", *SMOKE, "--study", "label-nose"], "did you mean 'label-noise'"),
        (["sweep", *SMOKE, "--table", "17"], "'17' is no table of this profile"),
        (["plan", *SMOKE, "--only", "seed=9"], "none of the runs has seed=9"),
        (["run", "selection", "--dry-run", "-p", "learner=vgg16"], "'vgg16' cannot take 8x8 images"),
        (["sweep", *SMOKE, "--in-process", "--executor", "slurm"], "leave out --executor"),
    ],
)
def test_words_that_fit_nothing_are_explained(words, hint, capsys):
    assert cli.main(words) == 2
    assert hint in capsys.readouterr().err


def test_a_dry_run_says_what_is_done_and_what_the_rest_would_take(monkeypatch, capsys):
    words = ["run", "selection", "--dry-run", *WORDS]
    assert cli.main(words) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[1] == "selecting network: none of its own" and "timed just now" in lines[-1]
    assert not records.path_of(QUICK).exists() and not runs_folder().exists()
    monkeypatch.setattr(commands.run, "this_device", lambda: "CPU")
    records.write(make_record(SelectionParameters(method="uniform", epochs=4, seed=3), seconds={"training": 24.0}))
    assert cli.main(words) == 0  # 2 epochs of 72 images instead of 4, and one test on 360
    lines = capsys.readouterr().out.splitlines()
    assert "expected to take 16 s, until " in lines[0]
    assert lines[1:] == [
        "selecting network: none of its own",
        "own training and choice: 8.5 s",  # 144 of 264 images, 120 being a third of 360
        "evaluations: 7.1 s",
        "by the record of a run like it on this machine",
    ]
    records.write(make_record(QUICK))
    assert cli.main(words) == 0
    assert "already done" in capsys.readouterr().out


def test_a_plan_for_readers_and_for_programs(monkeypatch, capsys):
    runs = [SelectionParameters(seed=seed) for seed in range(4)]
    small_profile(monkeypatch, *runs)
    monkeypatch.setattr(commands.plan, "this_device", lambda: "CPU")
    records.write(make_record(runs[0], fingerprint=code_fingerprint(runs[0]), seconds={"training": 3.0}))
    records.write(make_record(runs[1]))
    records.path_of(runs[2]).write_text("{")
    assert cli.main(["plan", *SMOKE]) == 1  # for the damaged one, which is named
    captured = capsys.readouterr()
    assert str(records.path_of(runs[2])) in captured.err
    lines = captured.out.splitlines()
    assert [line.split()[2] for line in lines[:4]] == ["done", "stale", "failed", "missing"]
    assert [line.split()[-1] for line in lines[:4]] == [f"seed={seed}" for seed in range(4)]
    assert lines[-1] == "all: 4 runs, 1 done, 1 failed, 1 missing, 1 stale; the missing ones: 2.0 s"  # (3 + 1) / 2
    records.path_of(runs[2]).unlink()
    assert cli.main(["plan", *SMOKE, "--table", "1", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [row["state"] for row in rows] == ["done", "stale", "missing", "missing"]
    assert rows[3]["parameters"] == runs[3].canonical() and rows[3]["expected_seconds"] == 2.0


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A project of three chapters, the first of which is a benchmark."""
    for name, code in (("benchmarks/run", "x = 1"), ("start/good", "x = 2"), ("start/bad", "raise ValueError('no')")):
        source = tmp_path / "notebooks" / f"{name}.py"
        source.parent.mkdir(parents=True, exist_ok=True)
        source.write_text(f"# %%\n{code}\n")
    monkeypatch.setattr(chapters, "repository_folder", lambda: tmp_path)
    return tmp_path


def test_chapters_are_executed_when_needed_and_failures_leave_no_page(project, capsys, monkeypatch):
    monkeypatch.setattr(chapters, "PRELOAD", ())
    bad = project / "notebooks" / "start" / "bad.py"
    page = project / "book" / "start" / "bad.ipynb"
    page.parent.mkdir(parents=True)
    page.write_text("an older success")
    assert cli.main(["chapters", "--jobs", "2"]) == 1
    captured = capsys.readouterr()
    assert "chapters: 2 executed, 0 current, 1 failed" in captured.out
    assert "bad.py: cell 1 failed: ValueError: no" in captured.err
    assert not page.exists()
    assert sorted(path.name for path in (project / "book").rglob("*.*")) == ["good.ipynb", "run.ipynb"]
    bad.write_text("# %%\nx = 3\n")
    assert cli.main(["chapters", "--jobs", "2"]) == 0
    assert "chapters: 1 executed, 2 current, 0 failed" in capsys.readouterr().out


def test_a_chapter_is_outdated_when_anything_it_shows_changes(project, tmp_path):
    good, run = (project / "notebooks" / name for name in ("start/good.py", "benchmarks/run.py"))
    seen = {chapters.chapter_fingerprint(good)}
    before = chapters.chapter_fingerprint(run)
    records.write(make_record(QUICK))
    assert chapters.chapter_fingerprint(run) == before
    seen.add(chapters.chapter_fingerprint(good))
    (project / "requirements.lock").write_text("torch==0")
    seen.add(chapters.chapter_fingerprint(good))
    (project / "book").mkdir()
    (project / "book" / "published.csv").write_text("1")
    seen.add(chapters.chapter_fingerprint(good))
    good.write_text("# %%\nx = 4\n")
    seen.add(chapters.chapter_fingerprint(good))
    assert len(seen) == 5


def test_notebooks_are_exported_unexecuted(project, tmp_path, capsys):
    assert cli.main(["notebooks", str(tmp_path / "out")]) == 0
    written = capsys.readouterr().out.split()
    assert [path.rsplit("/", 2)[-2:] for path in written] == [
        ["benchmarks", "run.ipynb"],
        ["start", "bad.ipynb"],
        ["start", "good.ipynb"],
    ]
    assert all('"execution_count": null' in Path(path).read_text(encoding="utf-8") for path in written)


def test_notebooks_land_in_the_working_folder_if_no_other_is_named(project, tmp_path, monkeypatch):
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert cli.main(["notebooks"]) == 0
    assert sorted(path.name for path in Path("notebooks").rglob("*.*")) == ["bad.ipynb", "good.ipynb", "run.ipynb"]


def test_a_fraction_too_small_for_the_data_is_named_without_a_traceback(capsys):
    words = ["-p", "fraction=1e-3", "-p", "selection_epochs=1", "-p", "epochs=1"]
    assert cli.main(["run", "selection", "--no-notebook", *words]) == 2
    assert "rounds to 0 samples: use a fraction above" in capsys.readouterr().err


ROOT = Path(__file__).resolve().parent.parent


def documented():
    """The words of every `lcmat` command in a block of the shell in these pages."""
    for page in ("README.md", "book/intro.md", "book/reference/sweeps.md", "book/reference/contributing.md"):
        for block in re.findall(r"```bash\n(.*?)```", (ROOT / page).read_text(), flags=re.DOTALL):
            for line in block.replace("\\\n", " ").splitlines():
                words = shlex.split(line.replace("$((JOB_COMPLETION_INDEX + 1))", "1"), comments=True)
                for command in (["lcmat"], ["python", "-m", "lcmat.cli"]):
                    if words[: len(command)] == command:
                        yield pytest.param(words[len(command) :], id=f"{page}: {' '.join(words)}")


@pytest.mark.parametrize("words", list(documented()))
def test_documented_commands_are_understood(words):
    options = cli._parser().parse_args(words)
    if "profile" in options and options.profile and "study" in options:
        assert arguments.selected(options)
    if "assignments" in options:
        parse_assignments(options.experiment, options.assignments)
