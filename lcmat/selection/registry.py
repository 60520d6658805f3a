"""The registry of selection methods: adding one is a function in a module of its own and a line here."""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from lcmat.selection.adacore import adacore
from lcmat.selection.cal import cal
from lcmat.selection.contextual_diversity import contextual_diversity
from lcmat.selection.coreset import Coreset
from lcmat.selection.craig import craig
from lcmat.selection.facility_location import facility_location
from lcmat.selection.glister import glister, glister_val
from lcmat.selection.gradmatch import gradmatch, gradmatch_val
from lcmat.selection.graph_cut import graph_cut
from lcmat.selection.herding import herding
from lcmat.selection.k_center import k_center
from lcmat.selection.lcmat_s import lcmat_s
from lcmat.selection.lcmat_s_spectral import lcmat_s_spectral
from lcmat.selection.moderate import moderate
from lcmat.selection.scores import deepfool, el2n, entropy, forgetting, grand, least_confidence, margin
from lcmat.selection.uniform import uniform


@dataclass(frozen=True)
class Method:
    """A selection method: ``function(layer, budget, generator, **options)`` for one class.

    Keyword-only parameters with a default are options.  Those without are evidence: what the method must be told beyond
    the last layer's view, either a tensor with a row for each sample or another set of samples as a `LastLayer`.  The
    parameter ``bias`` is neither: a method that looks at gradients has it, to be told whether the layer has a bias.
    """

    title: str  # as the paper spells it
    function: Callable[..., Coreset]
    reference: str

    @property
    def options(self) -> dict[str, Any]:
        """The method's options with their defaults."""
        keywords = (p for p in self._keywords() if p.name != "bias")
        return {p.name: p.default for p in keywords if p.default is not inspect.Parameter.empty}

    @property
    def evidence(self) -> tuple[str, ...]:
        """Names of the evidence that the method needs."""
        return tuple(p.name for p in self._keywords() if p.default is inspect.Parameter.empty)

    @property
    def sees_bias(self) -> bool:
        """Whether the choice depends on the last layer's having a bias."""
        return any(p.name == "bias" for p in self._keywords())

    def _keywords(self) -> list[inspect.Parameter]:
        parameters = inspect.signature(self.function).parameters.values()
        return [p for p in parameters if p.kind is inspect.Parameter.KEYWORD_ONLY]


METHODS: Mapping[str, Method] = {
    "uniform": Method("Uniform", uniform, "baseline; the same number from each class"),
    "lcmat-s": Method("LCMat-S", lcmat_s, "Shin et al., AISTATS 2023, Eq. 12 and Algorithm 1"),
    "lcmat-s-spectral": Method(
        "LCMat-S (spectral norm)", lcmat_s_spectral, "this project; Shin et al., AISTATS 2023, Eq. 6 instead of 7"
    ),
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
    "least-confidence": Method("L-Conf", least_confidence, "Settles 2009, Sec. 3.1; Coleman et al., ICLR 2020"),
    "entropy": Method("Entropy", entropy, "Settles 2009, Sec. 3.1; Coleman et al., ICLR 2020"),
    "margin": Method("Margin", margin, "Scheffer et al., IDA 2001; Settles 2009, Sec. 3.1"),
    "herding": Method("Herding", herding, "Welling, ICML 2009"),
    "k-center": Method("k-Center", k_center, "Sener & Savarese, ICLR 2018, Algorithm 1"),
    "contextual-diversity": Method("C-Div", contextual_diversity, "Agarwal et al., ECCV 2020, CDAL-CS"),
    "moderate": Method("Moderate", moderate, "Xia et al., ICLR 2023"),
    "cal": Method("CAL", cal, "Margatina et al., EMNLP 2021, Algorithm 1"),
    "forgetting": Method("Forgetting", forgetting, "Toneva et al., ICLR 2019"),
    "el2n": Method("EL2N", el2n, "Paul et al., NeurIPS 2021"),
    "grand": Method("GraNd", grand, "Paul et al., NeurIPS 2021; of the last layer"),
    "deepfool": Method(
        "DeepFool", deepfool, "Ducoffe & Precioso 2018; Moosavi-Dezfooli et al., CVPR 2016, Algorithm 2"
    ),
}
