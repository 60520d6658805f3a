"""Jupyter kernels that begin with their libraries imported.

Importing takes a chapter's kernel ten seconds of processor time, more than most chapters compute. Here one process
imports, and each kernel is forked from it (the standard library's fork server).
"""

import contextlib
import multiprocessing
import os
import sys
import threading
import time
from collections.abc import Sequence
from multiprocessing.context import ForkServerProcess
from typing import Any

from jupyter_client.provisioning.local_provisioner import LocalProvisioner
from traitlets import List, Unicode

ENTRY_POINT = "lcmat-forked"


class ForkedProvisioner(LocalProvisioner):
    """Launches a kernel as a fork of a process that has imported `modules`; Jupyter finds it by its entry point."""

    modules = List(Unicode(), help="what to import; the first kernel of a process decides").tag(config=True)

    @staticmethod
    def metadata(modules: Sequence[str]) -> dict[str, Any]:
        """What a kernel's specification says to be launched like this; nothing where forking is not safe."""
        if sys.platform != "linux":
            return {}
        return {"kernel_provisioner": {"provisioner_name": ENTRY_POINT, "config": {"modules": list(modules)}}}

    async def launch_kernel(self, cmd: list[str], **kwargs: Any) -> Any:
        """Fork instead of executing `cmd`, whose arguments and environment the kernel gets all the same."""
        # The kernel's own default, which matplotlib reads when it is imported.
        os.environ.setdefault("MPLBACKEND", "module://matplotlib_inline.backend_inline")
        forking = multiprocessing.get_context("forkserver")
        forking.set_forkserver_preload(["ipykernel.kernelapp", *self.modules])
        process = _Kernel(
            target=_serve, args=(cmd, kwargs.get("env", dict(os.environ)), kwargs.get("cwd"), os.getpid())
        )
        process.start()
        self.process = process  # type: ignore[assignment]  # as good as a Popen
        self.pid = self.pgid = process.pid
        self.cwd = kwargs.get("cwd")
        return self.connection_info


class _Kernel(ForkServerProcess):
    """With those methods of `subprocess.Popen` that a provisioner calls."""

    stdin = stdout = stderr = None

    def poll(self) -> int | None:
        return self.exitcode

    def wait(self) -> int | None:
        self.join()
        return self.exitcode

    def send_signal(self, number: int) -> None:
        if self.pid and self.exitcode is None:
            os.kill(self.pid, number)


def _serve(cmd: list[str], environment: dict[str, str], folder: str | None, runner: int) -> None:
    from ipykernel.kernelapp import IPKernelApp

    threading.Thread(target=_end_with, args=(runner,), daemon=True).start()
    os.setsid()  # interrupts go to the kernel with all it has started
    os.environ.clear()
    os.environ.update(environment)
    if folder:
        os.chdir(folder)
    sys.argv = cmd[cmd.index("-m") + 1 :]
    IPKernelApp.launch_instance([*sys.argv[1:], f"--IPKernelApp.parent_handle={os.getppid()}"])


def _end_with(runner: int) -> None:
    """End this kernel when the process that asked for it is gone; the process that forked it waits for its kernels."""
    with contextlib.suppress(ProcessLookupError):
        while True:
            os.kill(runner, 0)  # only asks whether it is there
            time.sleep(1)
    os._exit(1)
