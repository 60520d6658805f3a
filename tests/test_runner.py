import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import papermill
import pytest

from lcmat.cli import main as cli
from lcmat.config import SelectionParameters
from lcmat.records import record as records
from lcmat.records.record import RecordError
from lcmat.sweep import runner
from lcmat.sweep.runner import RunError, execute_notebook, run_directly, run_notebook
from tests.test_records import make_record

PARAMETERS = SelectionParameters(method="uniform", selection_epochs=1, epochs=2)
PRELOAD = ("tabnanny",)  # the first kernel of a process decides
HEADER = '# %% tags=["parameters"]\nseed = 0\n\n# %%\nprint("seed", seed)\n\n# %%\n'


def write_source(folder, code):
    source = folder / "chapter.py"
    source.write_text(HEADER + code + "\n\n# %%\nlast = 1\n")
    return source


def test_executed_notebook_holds_parameters_metadata_and_outputs(tmp_path, monkeypatch):
    """The kernel is this interpreter's, whatever another installation calls python3, and folders have any name."""
    foreign = tmp_path / "jupyter" / "kernels" / "python3"
    foreign.mkdir(parents=True)
    content = {"argv": ["/bin/false", "{connection_file}"], "display_name": "Python 3", "language": "python"}
    (foreign / "kernel.json").write_text(json.dumps(content), encoding="utf-8")
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path / "jupyter"))
    output = tmp_path / "deep {x}: {}" / "chapter.ipynb"
    execute_notebook(write_source(tmp_path, "1 + 1"), output, {"seed": 7}, {"fingerprint": "abc"})
    notebook = json.loads(output.read_text())
    assert notebook["metadata"]["lcmat"] == {"fingerprint": "abc"}
    assert "seed 7" in json.dumps([cell.get("outputs") for cell in notebook["cells"]])
    assert [path.name for path in output.parent.iterdir()] == ["chapter.ipynb"]


@pytest.mark.parametrize("preload", [(), PRELOAD], ids=["launched", "forked"])
@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("raise ValueError('no luck')", r"cell 3 failed: ValueError: no luck"),
        ("import sys\nsys.exit(0)", r"stopped at code cell"),
        ("import os\nos.kill(os.getpid(), 9)", r"[Kk]ernel died"),
    ],
    ids=["failing cell", "exit 0", "dead kernel"],
)
def test_incomplete_execution_is_a_failure_with_a_log(tmp_path, code, message, preload):
    output = tmp_path / "out" / "chapter.ipynb"
    output.parent.mkdir()
    output.write_text("an older success")
    with pytest.raises(RunError, match=message) as caught:
        execute_notebook(write_source(tmp_path, code), output, preload=preload)
    log = output.with_suffix(".log")
    assert str(log) in str(caught.value)
    assert "chapter.py" in log.read_text()
    assert not output.exists()
    assert sorted(path.name for path in output.parent.iterdir()) == ["chapter.failed.ipynb", "chapter.log"]


@pytest.mark.parametrize(("deaths", "succeeds"), [(2, True), (3, False)])
def test_a_kernel_that_dies_before_the_first_cell_is_started_again(tmp_path, monkeypatch, deaths, succeeds):
    """As when another process has taken a port that was chosen for it."""
    started, launch = [], papermill.execute_notebook

    def unlucky(*arguments, **options):
        started.append(arguments)
        if len(started) <= deaths:
            raise RuntimeError("Kernel died before replying to kernel_info")
        return launch(*arguments, **options)

    monkeypatch.setattr(papermill, "execute_notebook", unlucky)
    output = tmp_path / "chapter.ipynb"
    if succeeds:
        execute_notebook(write_source(tmp_path, "1 + 1"), output)
    else:
        with pytest.raises(RunError, match="died before replying"):
            execute_notebook(write_source(tmp_path, "1 + 1"), output)
    assert len(started) == 3 and output.exists() is succeeds


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere each kernel imports for itself")
def test_forked_kernels_share_imports_and_nothing_else(tmp_path, monkeypatch):
    """One process for each notebook, today's environment, figures in the page, one module before its cells."""
    code = """
import os, sys
import matplotlib.pyplot as plt
facts = sorted({"tabnanny", "left"} & {*sys.modules}), os.environ["TODAY"], os.getpid() == os.getpgid(0)
sys.modules["left"] = sys
print("facts", facts, "process", os.getpid())
plt.plot([1]);
"""
    monkeypatch.delenv("MPLBACKEND", raising=False)
    printed, images = [], 0
    for day in ("one", "two"):
        monkeypatch.setenv("TODAY", day)
        output = tmp_path / day / "chapter.ipynb"
        execute_notebook(write_source(tmp_path, code), output, preload=PRELOAD)
        for cell in json.loads(output.read_text())["cells"]:
            printed += ["".join(each["text"]) for each in cell.get("outputs", ()) if "text" in each]
            images += sum("image/png" in each.get("data", {}) for each in cell.get("outputs", ()))
    facts, processes = zip(*(text.split(" process ") for text in printed if text.startswith("facts")), strict=True)
    assert facts == ("facts (['tabnanny'], 'one', True)", "facts (['tabnanny'], 'two', True)")
    assert processes[0] != processes[1]
    assert images == 2


KILLED_RUNNER = """
import sys
from pathlib import Path
from lcmat.sweep.runner import execute_notebook
execute_notebook(Path(sys.argv[1]), Path(sys.argv[2]), preload=("tabnanny",))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere each kernel imports for itself")
def test_a_forked_kernel_ends_with_the_process_that_asked_for_it(tmp_path):
    sign = tmp_path / "kernel"
    code = f"import os, time, pathlib\npathlib.Path({str(sign)!r}).write_text(str(os.getpid()))\ntime.sleep(250)"
    command = [sys.executable, "-c", KILLED_RUNNER, write_source(tmp_path, code), tmp_path / "out" / "chapter.ipynb"]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
        kernel = int(wait_for(lambda: sign.is_file() and sign.read_text()))
        process.kill()
    wait_for(lambda: not alive(kernel))


def wait_for(condition):
    """Its first true value; a test that waits in vain ends by the time limit of tests."""
    while not (value := condition()):
        time.sleep(0.1)
    return value


def alive(number):
    """Whether a process runs; one that has ended and was not yet asked how does not."""
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        return Path(f"/proc/{number}/stat").read_text("utf-8").rpartition(")")[2].split()[0] != "Z"
    return False


def fake_experiment(tmp_path, monkeypatch, code):
    """Make the runner find a benchmark notebook that consists of this code."""
    source = tmp_path / "project" / "notebooks" / "benchmarks" / "selection.py"
    source.parent.mkdir(parents=True)
    source.write_text(f'# %% tags=["parameters"]\nseed = 0\n\n# %%\n{code}\n')
    monkeypatch.setattr(runner, "repository_folder", lambda: tmp_path / "project")


def test_a_notebook_without_a_record_is_a_failure(tmp_path, monkeypatch):
    fake_experiment(tmp_path, monkeypatch, "pass")
    with pytest.raises(RunError, match="left no record") as caught:
        run_notebook(PARAMETERS)
    assert str(runner.notebook_of(PARAMETERS)) in str(caught.value)


def test_a_notebook_with_an_invalid_record_is_a_failure(tmp_path, monkeypatch):
    path = records.path_of(PARAMETERS)
    code = f"from pathlib import Path\np = Path({str(path)!r})\np.parent.mkdir(parents=True, exist_ok=True)\n"
    code += "p.write_text('half')"
    fake_experiment(tmp_path, monkeypatch, code)
    with pytest.raises(RecordError, match="is no valid record"):
        run_notebook(PARAMETERS)


def test_a_run_that_is_done_is_not_repeated(monkeypatch):
    path = records.write(make_record(PARAMETERS))
    monkeypatch.setattr(runner, "execute_notebook", lambda *_: pytest.fail("executed again"))
    assert run_notebook(PARAMETERS) == path


def test_a_damaged_record_is_not_overwritten():
    path = records.path_of(PARAMETERS)
    path.parent.mkdir(parents=True)
    path.write_text("somebody's data")
    with pytest.raises(RecordError, match="delete the file"):
        run_directly(PARAMETERS)
    assert path.read_text() == "somebody's data"


def reproducible(record):
    return record.parameters, record.metrics, record.series, record.fingerprint, record.data


@pytest.fixture(scope="module")
def notebook_record(tmp_path_factory):
    """The record of the real notebook, executed by the runner."""
    folder = tmp_path_factory.mktemp("notebook run")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LCMAT_RECORDS", str(folder / "records"))
        patch.setenv("LCMAT_RUNS", str(folder / "runs"))
        path = run_notebook(PARAMETERS)
        assert runner.notebook_of(PARAMETERS).exists()
    return records.read(path)


def test_notebook_and_direct_run_leave_the_same_record(notebook_record, capsys):
    direct = records.read(run_directly(PARAMETERS))
    assert reproducible(direct) == reproducible(notebook_record)
    assert "learner" in capsys.readouterr().err


def test_plain_papermill_leaves_the_same_record(tmp_path, notebook_record):
    source = runner.repository_folder() / "notebooks" / "benchmarks" / "selection.py"
    plain = tmp_path / "plain.ipynb"
    subprocess.run(["jupytext", "--to", "ipynb", "-o", plain, source], check=True, env=with_scripts())
    words = ["-p", "method", "uniform", "-p", "selection_epochs", "1", "-p", "epochs", "2"]
    command = ["papermill", "-k", "python3", "--no-progress-bar", plain, tmp_path / "out.ipynb"]
    subprocess.run([*command, *words], check=True, env=with_scripts())
    assert reproducible(records.read(records.path_of(PARAMETERS))) == reproducible(notebook_record)
    wrong = subprocess.run([*command, "-p", "fracton", "0.1"], capture_output=True, text=True, env=with_scripts())
    assert wrong.returncode == 1
    assert "did you mean 'fraction'" in wrong.stderr


def with_scripts():
    """The environment, with the commands of this Python's environment first on the path."""
    return {**os.environ, "PATH": f"{os.path.dirname(sys.executable)}{os.pathsep}{os.environ['PATH']}"}


@pytest.mark.parametrize("number", [0, pytest.param(1, marks=pytest.mark.slow)])
def test_sigkill_leaves_no_record_or_a_whole_one(number):
    """Kill a run at a random moment after its imports; the same command then completes."""
    words = "method=uniform", f"seed={number + 1}", "epochs=300"
    command = [sys.executable, "-m", "lcmat.cli", "run", "selection", "--no-notebook"]
    command += [word for assignment in words for word in ("-p", assignment)]
    process = subprocess.Popen(command, stderr=subprocess.PIPE)
    process.stderr.read(1)  # the first sign of the first training
    time.sleep(random.Random(number).uniform(0, 1.5))
    process.send_signal(signal.SIGKILL)
    process.communicate()
    _, problems = records.load_all()
    assert problems == []
    assert cli.main(command[command.index("run") :]) == 0
    found, problems = records.load_all()
    assert (len(found), problems) == (1, [])
