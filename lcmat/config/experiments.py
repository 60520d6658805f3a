"""The experiments by name."""

from collections.abc import Mapping
from types import MappingProxyType

from lcmat.config.base import Experiment
from lcmat.config.condensation import CondensationParameters
from lcmat.config.continual import ContinualParameters
from lcmat.config.selection import SelectionParameters

EXPERIMENTS: Mapping[str, type[Experiment]] = MappingProxyType(
    {
        "selection": SelectionParameters,
        "condensation": CondensationParameters,
        "continual": ContinualParameters,
    }
)
