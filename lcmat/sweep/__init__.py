"""Doing many runs: what there is to do, what it will take, and doing it; what is done stays, the rest is completed."""

from lcmat.sweep.engine import Engine, sweep
from lcmat.sweep.outcome import Failure, Outcome
from lcmat.sweep.serial import sweep_here
from lcmat.sweep.states import discard_outdated

__all__ = ["Engine", "Failure", "Outcome", "discard_outdated", "sweep", "sweep_here"]
