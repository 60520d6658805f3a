"""The registries: a method, network, objective or kind of evidence is one line here and one function elsewhere.

Nothing is imported but what is used: options and defaults are read from the functions' source text.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal, get_type_hints

from lcmat.config.signatures import REQUIRED, keywords, load

ZOO_PREFIX = "torchvision:"
"""With it begins the name of any of torchvision's classifiers."""


@dataclass(frozen=True)
class Method:
    """A selection method: ``function(layer, budget, generator, **options)`` chooses from the samples of one class.

    Keyword-only parameters with a default are options.  Those without are evidence: what the method must be told beyond
    the last layer's view, either a tensor with a row for each sample or another set of samples as a `LastLayer`.  The
    parameter ``bias`` is neither: a method that looks at gradients has it, to be told whether the layer has a bias.

    Attributes:
        title: as the paper spells it.
        target: ``module:function``.
        reference: where it comes from.
        looks: whether it looks at a network; none is trained otherwise.
    """

    title: str
    target: str
    reference: str
    looks: bool = True

    @property
    def function(self) -> Callable[..., Any]:
        """The function itself, imported when asked for."""
        function: Callable[..., Any] = load(self.target)
        return function

    @property
    def options(self) -> dict[str, Any]:
        """The method's options with their defaults."""
        found = keywords(self.target).items()
        return {name: default for name, default in found if name != "bias" and default is not REQUIRED}

    @property
    def evidence(self) -> tuple[str, ...]:
        """Names of the evidence that the method needs, keys of `EVIDENCE`."""
        return tuple(name for name, default in keywords(self.target).items() if default is REQUIRED)

    @property
    def kinds(self) -> dict[str, Any]:
        """Types of the function's parameters, options and evidence among them."""
        return get_type_hints(self.function)

    @property
    def sees_bias(self) -> bool:
        """Whether the choice depends on the last layer's having a bias."""
        return "bias" in keywords(self.target)


@dataclass(frozen=True)
class Model:
    """A network.

    Attributes:
        title: as on a page.
        target: ``module:function``, which makes the features from channels, height of the images, and width.
        width: published channels of the first stage.
        batch_norm: whether it has batch normalisation.
    """

    title: str
    target: str
    width: int
    batch_norm: bool = True


@dataclass(frozen=True)
class Objective:
    """What a condensation method minimises: how it compares batches of original and of synthetic images.

    Attributes:
        title: as on a page.
        reference: where it comes from.
        distance: what is compared at full strength: the gradients of all layers, or the mean features.
        target: ``module:function`` of a moment of the last layer's per-sample gradients, which is compared at strength
            rho / 2; None: nothing more.
        pooled: take the moment over all classes together instead of one by one.
        fewest: images of a class that the moment needs.
    """

    title: str
    reference: str
    distance: Literal["gradients", "features"] = "gradients"
    target: str | None = None
    pooled: bool = False
    fewest: int = 1

    @property
    def moment(self) -> Callable[..., Any] | None:
        """The moment ``(features, logits, labels, *, bias)``, imported when asked for."""
        return None if self.target is None else load(self.target)


METHODS: Mapping[str, Method] = MappingProxyType(
    {
        "uniform": Method(
            "Uniform", "lcmat.selection.uniform:uniform", "baseline; the same number from each class", looks=False
        ),
        "lcmat-s": Method(
            "LCMat-S", "lcmat.selection.lcmat_s:lcmat_s", "Shin et al., AISTATS 2023, Eq. 12 and Algorithm 1"
        ),
        "lcmat-s-spectral": Method(
            "LCMat-S (spectral norm)",
            "lcmat.selection.lcmat_s_spectral:lcmat_s_spectral",
            "this project; Shin et al., AISTATS 2023, Eq. 6 instead of 7",
        ),
        "gap-herding": Method(
            "Gap herding",
            "lcmat.selection.gap_herding:gap_herding",
            "this project; Shin et al., AISTATS 2023, Eq. 10 without its bound",
        ),
        "craig": Method(
            "Craig", "lcmat.selection.craig:craig", "Mirzasoleiman et al., ICML 2020, section on deep networks"
        ),
        "gradmatch": Method(
            "GradMatch", "lcmat.selection.gradmatch:gradmatch", "Killamsetty et al., ICML 2021, Algorithm 2"
        ),
        "gradmatch-val": Method(
            "GradMatch-Val",
            "lcmat.selection.gradmatch:gradmatch_val",
            "Killamsetty et al., ICML 2021, Algorithm 2, validation",
        ),
        "glister": Method(
            "Glister", "lcmat.selection.glister:glister", "Killamsetty et al., AAAI 2021, Taylor approximation"
        ),
        "glister-val": Method(
            "Glister-Val",
            "lcmat.selection.glister:glister_val",
            "Killamsetty et al., AAAI 2021, Taylor approximation, validation",
        ),
        "adacore": Method("AdaCore", "lcmat.selection.adacore:adacore", "Pooladzandi et al., ICML 2022"),
        "facility-location": Method(
            "Facility location",
            "lcmat.selection.facility_location:facility_location",
            "Guo et al., DEXA 2022 (DeepCore)",
        ),
        "graph-cut": Method(
            "Graph cut",
            "lcmat.selection.graph_cut:graph_cut",
            "Guo et al., DEXA 2022 (DeepCore); Iyer et al., ALT 2021",
        ),
        "least-confidence": Method(
            "L-Conf",
            "lcmat.selection.scores:least_confidence",
            "Settles 2009, Sec. 3.1; Coleman et al., ICLR 2020",
        ),
        "entropy": Method(
            "Entropy", "lcmat.selection.scores:entropy", "Settles 2009, Sec. 3.1; Coleman et al., ICLR 2020"
        ),
        "margin": Method(
            "Margin", "lcmat.selection.scores:margin", "Scheffer et al., IDA 2001; Settles 2009, Sec. 3.1"
        ),
        "herding": Method("Herding", "lcmat.selection.herding:herding", "Welling, ICML 2009"),
        "k-center": Method("k-Center", "lcmat.selection.k_center:k_center", "Sener & Savarese, ICLR 2018, Algorithm 1"),
        "contextual-diversity": Method(
            "C-Div", "lcmat.selection.contextual_diversity:contextual_diversity", "Agarwal et al., ECCV 2020, CDAL-CS"
        ),
        "moderate": Method("Moderate", "lcmat.selection.moderate:moderate", "Xia et al., ICLR 2023"),
        "cal": Method("CAL", "lcmat.selection.cal:cal", "Margatina et al., EMNLP 2021, Algorithm 1"),
        "forgetting": Method("Forgetting", "lcmat.selection.scores:forgetting", "Toneva et al., ICLR 2019"),
        "el2n": Method("EL2N", "lcmat.selection.scores:el2n", "Paul et al., NeurIPS 2021"),
        "grand": Method("GraNd", "lcmat.selection.scores:grand", "Paul et al., NeurIPS 2021; of the last layer"),
        "deepfool": Method(
            "DeepFool",
            "lcmat.selection.scores:deepfool",
            "Ducoffe & Precioso 2018; Moosavi-Dezfooli et al., CVPR 2016, Algorithm 2",
        ),
    }
)
"""Selection methods; each is one function in `lcmat.selection`."""

MODELS: Mapping[str, Model] = MappingProxyType(
    {
        "digits-net": Model("DigitsNet", "lcmat.models.convnet:digits_net", 32, batch_norm=False),
        "convnet": Model("ConvNet-3", "lcmat.models.convnet:convnet", 128, batch_norm=False),
        "resnet18": Model("ResNet-18", "lcmat.models.resnet:resnet18", 64),
        "resnet10": Model("ResNet-10", "lcmat.models.resnet10:resnet10", 32),
        "densenet121": Model("DenseNet-121", "lcmat.models.densenet:densenet121", 24),
        "vgg16": Model("VGG-16", "lcmat.models.vgg:vgg16", 64),
        "wrn16-8": Model("WRN-16-8", "lcmat.models.resnet:wrn16", 128),
        "inception-v3": Model("Inception-v3", "lcmat.models.inception:inception_v3", 32),
    }
)
"""Networks for small images; torchvision's come beside them, see `ZOO_PREFIX`."""

OBJECTIVES: Mapping[str, Objective] = MappingProxyType(
    {
        "dc": Objective("DC", "Zhao et al., ICLR 2021"),
        "dsa": Objective("DSA", "Zhao & Bilen, ICML 2021: DC under Siamese augmentation"),
        "dm": Objective("DM", "Zhao & Bilen, WACV 2023", distance="features"),
        "idc-i": Objective("IDC-I", "Kim et al., ICML 2022: with factor > 1, IDC"),
        "lcmat-c": Objective(
            "LCMat-C", "Shin et al., AISTATS 2023, Eq. 15", target="lcmat.curvature.moments:gradient_variance", fewest=2
        ),
        "mean-control": Objective(
            "Mean control", "the first moment in the variance's place", target="lcmat.curvature.moments:mean_gradient"
        ),
        "second-moment-control": Objective(
            "Second-moment control",
            "the variance without its centre: the empirical Fisher",
            target="lcmat.curvature.moments:second_moment",
        ),
        "pooled-variance-control": Objective(
            "Pooled-variance control",
            "one variance over all classes",
            target="lcmat.curvature.moments:gradient_variance",
            pooled=True,
        ),
    }
)
"""Condensation methods, by what they minimise."""

EVIDENCE: Mapping[str, str] = MappingProxyType(
    {
        "boundary_distances": "lcmat.experiments.evidence.boundary:boundary_distances",
        "error_norms": "lcmat.experiments.evidence.norms:error_norms",
        "forgetting_events": "lcmat.experiments.evidence.forgetting:forgetting_events",
        "gradient_norms": "lcmat.experiments.evidence.norms:gradient_norms",
        "validation": "lcmat.experiments.evidence.validation:validation",
    }
)
"""What a method may need to be told beyond the last layer's view -> the function that computes it for a run."""

OPTIONS: frozenset[str] = frozenset(option for method in METHODS.values() for option in method.options)
"""The options of all selection methods."""


def title_of(method: str) -> str:
    """What a method of selection or condensation is called on a page; another name as it is.

    >>> title_of("lcmat-s"), title_of("dm"), title_of("another")
    ('LCMat-S', 'DM', 'another')
    """
    known = METHODS.get(method) or OBJECTIVES.get(method)
    return known.title if known else method
