"""The parameters of the experiments: their only definition, validated before anything runs.

This package imports neither torch nor the rest of `lcmat`, so that a misspelt parameter is refused at once. The tables
of `lcmat.config.defaults` repeat what the registries of data sets, networks and methods say; a test keeps them in
agreement.
"""

from lcmat.config.base import Experiment, ParameterError, nearest
from lcmat.config.condensation import CondensationParameters
from lcmat.config.continual import ContinualParameters
from lcmat.config.experiments import EXPERIMENTS
from lcmat.config.parsing import expected, from_namespace, having, parse, parse_assignments
from lcmat.config.selection import SelectionParameters

__all__ = [
    "EXPERIMENTS",
    "CondensationParameters",
    "ContinualParameters",
    "Experiment",
    "ParameterError",
    "SelectionParameters",
    "expected",
    "from_namespace",
    "having",
    "nearest",
    "parse",
    "parse_assignments",
]
