"""kill -9 at random moments: what was recorded stays as it is, and the same sweep completes the rest."""

import contextlib
import itertools
import random
import subprocess
import sys
import time

import psutil
import pytest

from lcmat.config import SelectionParameters
from lcmat.records import record as records

DRIVER = """
import sys
from lcmat.config import SelectionParameters
from lcmat.sweep import Engine, sweep
from tests.test_sweep_kills import tiny_runs
outcome = sweep(tiny_runs(int(sys.argv[1])), Engine(jobs=2), notebooks=sys.argv[2])
sys.exit(len(outcome.failures))
"""
PARTS = {
    "worker": ("-m", "lcmat.cli", "batch"),
    "kernel": ("-m", "ipykernel_launcher"),
    "snakemake": ("-m", "snakemake"),
}


def tiny_runs(count):
    points = itertools.product(range(1000), ("uniform", "entropy", "margin", "herding"))
    tiny = ({"seed": s, "method": m, "selection_epochs": 1, "epochs": 1} for s, m in points)
    return [SelectionParameters(**parameters) for parameters in itertools.islice(tiny, count)]


class Sweeps:
    """The same sweep, started again and again; it remembers every record that it has seen and every process."""

    def __init__(self, count, notebooks, rng):
        self.words = [sys.executable, "-c", DRIVER, str(count), notebooks]
        self.rng, self.seen, self.processes = rng, {}, set()

    def start(self):
        self.driver = psutil.Popen(self.words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def watch(self):
        """Check that no record is damaged or has been written anew."""
        for path in records.records_folder().glob("*/*/*.json"):
            found = path.stat().st_ino, path.stat().st_mtime_ns, records.read(path).started
            assert self.seen.setdefault(path, found) == found, f"{path} was written again"
        with contextlib.suppress(psutil.NoSuchProcess):
            self.processes |= set(self.driver.children(recursive=True))

    def kill(self, part):
        """Kill a part of the sweep at a random moment of its life, if it lives that long; return whether it did."""
        while self.driver.poll() is None:
            self.watch()
            victims = [self.driver] if part == "coordinator" else self.find(part)
            time.sleep(self.rng.uniform(0, 3 if part == "coordinator" else 1))
            if victims and (victim := self.rng.choice(victims)).is_running() and self.driver.poll() is None:
                victim.kill()
                return True
        return False

    def find(self, part):
        found = []
        for process in self.processes:
            with contextlib.suppress(psutil.Error):
                if tuple(process.cmdline()[1:])[: len(PARTS[part])] == PARTS[part]:
                    found.append(process)
        return sorted(found, key=lambda process: process.pid)

    def complete(self):
        """Start once more, and let it go on to its end."""
        if self.driver.poll() is None:
            self.driver.wait()
        self.start()
        assert self.driver.wait() == 0
        self.watch()

    def end(self):
        """Let what a killed coordinator has left behind come to its end."""
        _, alive = psutil.wait_procs([p for p in self.processes if p.is_running()], timeout=60)
        for process in alive:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        return alive


def survive(count, parts, seed, notebooks="none"):
    """Kill these parts one after the other, start the sweep again where it ended, and complete it."""
    sweeps = Sweeps(count, notebooks, random.Random(seed))
    sweeps.start()
    for part in parts:
        if sweeps.driver.poll() is not None:
            sweeps.start()
        assert sweeps.kill(part), f"the sweep was over before its {part} was killed: more runs, please"
        if part == "coordinator":
            sweeps.driver.wait()
    sweeps.complete()
    assert sweeps.end() == []
    sweeps.watch()
    assert {path.stem for path in sweeps.seen} == {run.key for run in tiny_runs(count)}


@pytest.mark.slow
def test_a_sweep_survives_the_death_of_its_parts():
    survive(40, ["worker", "coordinator", "worker"], seed=1)


@pytest.mark.slow
def test_a_sweep_of_notebooks_survives_the_death_of_a_kernel():
    survive(1, ["kernel"], seed=2, notebooks="all")


@pytest.mark.slow
@pytest.mark.timeout(3000)
def test_a_sweep_survives_sixteen_deaths():
    parts = ["worker", "coordinator", "worker", "snakemake", "worker", "coordinator", "worker", "worker"] * 2
    survive(800, parts, seed=3)


@pytest.mark.slow
@pytest.mark.timeout(3000)
def test_notebooks_survive_four_more():
    survive(3, ["kernel", "coordinator", "kernel", "kernel"], seed=4, notebooks="all")
