"""The registry of selection methods: adding one is a function in a module of its own and a line here."""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from lcmat.selection.adacore import adacore
from lcmat.selection.coreset import Coreset
from lcmat.selection.craig import craig
from lcmat.selection.facility_location import facility_location
from lcmat.selection.glister import glister
from lcmat.selection.glister_val import glister_val
from lcmat.selection.gradmatch import gradmatch
from lcmat.selection.gradmatch_val import gradmatch_val
from lcmat.selection.graph_cut import graph_cut
from lcmat.selection.lcmat_s import lcmat_s
from lcmat.selection.uniform import uniform


@dataclass(frozen=True)
class Method:
    """A selection method: ``function(features, logits, labels, budget, generator, **options)`` for one class.

    Keyword-only parameters with a default are options.  Those without are evidence: what the method must be told beyond
    the last layer's view, either a tensor with a row for each sample or another set of samples as a `LastLayer`.
    """

    title: str  # as the paper spells it
    function: Callable[..., Coreset]
    reference: str

    @property
    def options(self) -> dict[str, Any]:
        """The method's options with their defaults."""
        return {p.name: p.default for p in self._keywords() if p.default is not inspect.Parameter.empty}

    @property
    def evidence(self) -> tuple[str, ...]:
        """Names of the evidence that the method needs."""
        return tuple(p.name for p in self._keywords() if p.default is inspect.Parameter.empty)

    def _keywords(self) -> list[inspect.Parameter]:
        parameters = inspect.signature(self.function).parameters.values()
        return [p for p in parameters if p.kind is inspect.Parameter.KEYWORD_ONLY]


METHODS: Mapping[str, Method] = {
    "uniform": Method("Uniform", uniform, "baseline; the same number from each class"),
    "lcmat-s": Method("LCMat-S", lcmat_s, "Shin et al., AISTATS 2023, Eq. 12 and Algorithm 1"),
    "craig": Method("Craig", craig, "Mirzasoleiman et al., ICML 2020, section on deep networks"),
    "gradmatch": Method("GradMatch", gradmatch, "Killamsetty et al., ICML 2021, Algorithm 2"),
    "gradmatch-val": Method("GradMatch-Val", gradmatch_val, "Killamsetty et al., ICML 2021, Algorithm 2, validation"),
    "glister": Method("Glister", glister, "Killamsetty et al., AAAI 2021, Taylor approximation"),
    "glister-val": Method(
        "Glister-Val", glister_val, "Killamsetty et al., AAAI 2021, Taylor approximation, validation"
    ),
    "adacore": Method("AdaCore", adacore, "Pooladzandi et al., ICML 2022"),
    "facility-location": Method("Facility location", facility_location, "Guo et al., DEXA 2022 (DeepCore)"),
    "graph-cut": Method("Graph cut", graph_cut, "Guo et al., DEXA 2022 (DeepCore); Iyer et al., ALT 2021"),
}
