"""Running notebooks and runs so that success means success.

papermill alone calls a run successful whose kernel was told to exit half way, and leaves half an output behind when it
is killed. Here an output bears its name only when every cell was executed, and a run has succeeded only when its valid
record exists.
"""

import re
import sys
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lcmat.config import Experiment
from lcmat.files.extras import require
from lcmat.files.paths import atomic_write, check_writable, pin_folders, repository_folder, runs_folder
from lcmat.records import record as records

if TYPE_CHECKING:
    from nbformat import NotebookNode

KERNEL = "python3"
STARTS = 3
"""How often a kernel is started until its notebook counts as failed."""

STILLBORN = "Kernel died before replying"
"""How nbclient says that a kernel ended before the first cell."""

_ESCAPES = re.compile(r"\x1b\[[0-9;]*m")


class RunError(RuntimeError):
    """A notebook or a run did not do all that it should; the message names the log."""


def execute_notebook(
    source: Path,
    output: Path,
    parameters: Mapping[str, Any] | None = None,
    metadata: Mapping[str, Any] | None = None,
    preload: Sequence[str] = (),
) -> None:
    """Execute a py:percent notebook with papermill.

    Args:
        source: the script.
        output: the executed .ipynb. An older one is removed at the start, for it would look current after a failure.
        parameters: injected behind the cell tagged "parameters".
        metadata: stored in the output under "lcmat".
        preload: modules that the kernel, and those of this process's later notebooks, begin with. It takes more time
            than it saves for a single notebook.

    Raises:
        RunError: a cell failed, the kernel died or a cell was not executed. The notebook as far as it came is
            `<output>.failed.ipynb`, the error is in `<output>.log`.
    """
    require("run", "papermill", "ipykernel")
    from papermill.exceptions import PapermillException

    pin_folders()  # the kernel works elsewhere
    output.parent.mkdir(parents=True, exist_ok=True)
    partial, failed, log = (output.with_suffix(suffix) for suffix in (".partial.ipynb", ".failed.ipynb", ".log"))
    for path in (output, failed, log):
        path.unlink(missing_ok=True)
    try:
        _check_executed(_executed(read_source(source, metadata), partial, dict(parameters or {}), preload))
    except (PapermillException, RuntimeError) as error:  # nbclient's error for a dead kernel is a RuntimeError
        atomic_write(log, f"{source}\n{_ESCAPES.sub('', str(error))}\n".encode())
        if partial.exists():
            partial.replace(failed)
        raise RunError(f"{source.name}: {_summary(error)}; log: {log}") from error
    partial.replace(output)


def _executed(
    notebook: "NotebookNode", output: Path, parameters: dict[str, Any], preload: Sequence[str]
) -> "NotebookNode":
    """Execute by papermill; begin again if the kernel did not: another process may have taken a port chosen for it."""
    import papermill

    for start in range(1, STARTS + 1):
        try:
            executed: NotebookNode = papermill.execute_notebook(
                notebook,
                str(output).replace("{", "{{").replace("}", "}}"),  # papermill fills in parameters
                parameters,
                kernel_name=KERNEL,
                kernel_manager_class=_own_kernel_manager(preload),
                progress_bar=sys.stderr.isatty(),
                cwd=str(repository_folder()),
            )
            break
        except RuntimeError as error:
            if STILLBORN not in str(error) or start == STARTS:
                raise
    return executed


def read_source(source: Path, metadata: Mapping[str, Any] | None = None) -> "NotebookNode":
    """A py:percent script as a notebook, with `metadata` stored under "lcmat"."""
    require("run", "jupytext")
    import jupytext

    notebook: NotebookNode = jupytext.read(source, fmt="py:percent")
    notebook.metadata.pop("jupytext", None)
    notebook.metadata["kernelspec"] = {"name": KERNEL, "display_name": "Python 3", "language": "python"}
    if metadata:
        notebook.metadata["lcmat"] = dict(metadata)
    return notebook


def run_notebook(parameters: Experiment) -> Path:
    """Do a run by executing its notebook, unless its record exists; see `notebook_of`.

    Returns:
        The record's path.

    Raises:
        RunError: the notebook failed, or left no valid record of this run.
        RecordError: there is a file in the record's place that is none.
        NoRepositoryError: there are no notebooks here.
    """
    source = repository_folder() / "notebooks" / "benchmarks" / f"{parameters.experiment}.py"
    output = notebook_of(parameters)
    return _once(parameters, lambda: execute_notebook(source, output, parameters.canonical()))


def run_directly(parameters: Experiment, *, progress: bool = True) -> Path:
    """Do the same run in this process, without Jupyter; otherwise as `run_notebook`.

    Args:
        parameters: of the run.
        progress: show a progress bar for each training, on the standard error.
    """
    experiment = import_module(f"lcmat.experiments.{parameters.experiment.replace('-', '_')}")
    return _once(parameters, lambda: experiment.run(parameters, _progress_bar if progress else None))


def notebook_of(parameters: Experiment) -> Path:
    """Where the executed notebook of a run lies."""
    return records.path_of(parameters, runs_folder()).with_suffix(".ipynb")


def _once(parameters: Experiment, act: Callable[[], Any]) -> Path:
    """Let one process at a time do a run; whoever waited finds the record and has nothing to do."""
    from filelock import FileLock

    from lcmat.experiments.session import check_built_networks  # imports torch

    lock = notebook_of(parameters).with_suffix(".lock")
    lock.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(lock):
        if not records.is_done(parameters):
            check_built_networks(parameters)
            check_writable(records.path_of(parameters).parent, lock.parent)
            act()
        if not records.is_done(parameters):
            log = notebook_of(parameters)
            raise RunError(f"the run ended but left no record at {records.path_of(parameters)}; its notebook: {log}")
    return records.path_of(parameters)


def _own_kernel_manager(preload: Sequence[str]) -> type:
    """What starts this interpreter, whatever kernel of the same name is on Jupyter's paths."""
    from ipykernel.kernelspec import get_kernel_dict
    from jupyter_client.kernelspec import KernelSpec
    from jupyter_client.manager import AsyncKernelManager

    from lcmat.sweep.kernels import ForkedProvisioner

    specification = get_kernel_dict()
    if preload:
        specification["metadata"].update(ForkedProvisioner.metadata(preload))

    class OwnKernelManager(AsyncKernelManager):
        kernel_spec = KernelSpec(**specification)
        transport_encryption = "auto"  # without it each kernel warns

    return OwnKernelManager


def _check_executed(notebook: "NotebookNode") -> None:
    """Refuse a notebook with a cell that was not executed: `sys.exit(0)` ends papermill as if all were well."""
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    for number, cell in enumerate(code, start=1):
        stopped = any(output.output_type == "error" for output in cell.outputs)
        if stopped or (cell.source.strip() and cell.execution_count is None):
            raise RunError(f"the notebook stopped at code cell {number} of {len(code)}:\n{cell.source}")


def _summary(error: Exception) -> str:
    """The error in a line."""
    from papermill.exceptions import PapermillExecutionError

    if isinstance(error, PapermillExecutionError):
        return f"cell {error.cell_index + 1} failed: {error.ename}: {_ESCAPES.sub('', error.evalue).strip()}"
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__


def _progress_bar(stage: str) -> Callable[[float, int, float, float | None], None]:
    """A bar on the standard error that follows one training."""
    from tqdm import tqdm

    bar = tqdm(desc=stage, unit="epoch", file=sys.stderr)

    def update(epoch: float, epochs: int, loss: float, accuracy: float | None) -> None:
        bar.total = epochs
        bar.set_postfix({"loss": f"{loss:.3f}", **({} if accuracy is None else {"test": f"{accuracy:.2f} %"})})
        bar.update(epoch - bar.n)
        if epoch == epochs:
            bar.close()

    return update
