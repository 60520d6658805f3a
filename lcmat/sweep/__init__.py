"""Doing many runs: which are missing, what they will take, and doing them."""

from lcmat.sweep.engine import Engine, sweep
from lcmat.sweep.outcome import Failure, Outcome
from lcmat.sweep.states import discard_outdated

__all__ = ["Engine", "Failure", "Outcome", "discard_outdated", "sweep"]
