"""Studies of selection in two sizes; the third, the paper's own, is `lcmat.sweep.profiles.paper`."""

from lcmat.sweep.profiles.study import Study, grid
from lcmat.sweep.profiles.variants import (
    ALTERNATIVES,
    DEFINED,
    LEDGER,
    LEDGER_ENDS,
    PAPER_RADII,
    SHIPPED,
    UNIFORM,
    Variants,
    lcmat_s,
    methods,
    official,
)

SELECTOR_EPOCHS = (1, 2, 20)
"""Ages of the selecting network beside the default one at which the smoke profile repeats one fraction."""

QUESTIONS = {
    "selection": "Which methods beat uniform selection, and does a radius above zero help?",
    "cross-architecture": "Does a coreset chosen with one network serve another?",
    "pretraining-robustness": "How do the methods depend on how the selecting network was trained?",
    "sensitivity": "How does LCMat-S depend on its settings?",
    "ledger": "Which step from the definition of LCMat-S to its official code changes the result, and by how much?",
    "alternatives": "Does a choice with a reason do what the statistics of single-class batches do?",
    "batch-norm": "What do the statistics of single-class batches do to the choice?",
    "label-noise": "Which methods choose wrong labels?",
    "class-imbalance": "What happens when the classes differ in size?",
}
_TABLES = {
    "selection": ("1", "3", "6", "D.2"),
    "cross-architecture": ("2",),
    "pretraining-robustness": ("figure 3",),
    "sensitivity": ("figure 4",),
}
_SEEDS, _FEW = range(5), range(3)
"""Of what the digits' main questions need, and of the others."""

_CORE = (*UNIFORM, *lcmat_s(0.1, 0.0))


def smoke() -> tuple[Study, ...]:
    """On digits; five seeds of the main benchmark and of batch normalisation, three of the rest."""
    return (*_main(), *_hard_conditions())


def _main() -> tuple[Study, ...]:
    return (
        _study(
            "selection",
            DEFINED + lcmat_s(0.0, *PAPER_RADII) + SHIPPED,
            dataset=["digits"],
            seed=_SEEDS,
            fraction=(0.01, 0.05),
        ),
        _study(
            "cross-architecture",
            _crossed(_CORE + methods("craig"), ("convnet", 16), ("resnet18", 4)),
            dataset=["digits"],
            seed=_FEW,
        ),
        _study(
            "pretraining-robustness",
            methods("uniform", "k-center", "craig", "gradmatch", "glister", "adacore", "lcmat-s"),
            dataset=["digits"],
            seed=_FEW,
            selection_epochs=(2, 20),
            selection_weight_decay=(1e-4, 1e-3),
            fraction=[0.02],
        ),
        _study("sensitivity", _sensitivity(), dataset=["digits"], seed=_FEW),
    )


def _hard_conditions() -> tuple[Study, ...]:
    return (
        _study(
            "batch-norm",
            _CORE
            + tuple({**variant, "batch_norm": "batch"} for variant in _CORE[1:])
            + methods("adacore")
            + official("lcmat-s", "adacore"),
            dataset=["digits"],
            seed=_SEEDS,
            network=["resnet18"],
            width=[4],
        ),
        _study(
            "label-noise",
            _CORE + methods("craig", "k-center", "herding", "moderate", "el2n", "forgetting"),
            dataset=["digits"],
            seed=_FEW,
            label_noise=(0.1, 0.3),
        ),
        _study(
            "class-imbalance",
            _CORE
            + methods("craig", "k-center")
            + tuple({**variant, "across_classes": True} for variant in _CORE + methods("craig", "k-center")),
            dataset=["digits"],
            seed=_FEW,
            imbalance=[10.0],
            fraction=[0.1],
        ),
    )


def cpu() -> tuple[Study, ...]:
    """Fashion-MNIST and CIFAR-10 with a narrow ConvNet, five seeds each; the ledger with a narrow ResNet-18, three."""
    settings = {
        "network": "convnet",
        "width": 32,
        "selection_epochs": 10,
        "epochs": 100,
        "evaluate_every": 50,
        "compile": True,
    }
    axes = {"dataset": ("cifar10", "fashion-mnist"), "seed": range(5)}
    radii = _CORE + lcmat_s(*PAPER_RADII)
    others = methods("craig", "graph-cut", "herding", "k-center", "adacore", "gradmatch")
    others += tuple(variant for variant in SHIPPED if variant["method"] in ("lcmat-s", "craig"))
    runs = grid("selection", radii, settings, **axes, fraction=(0.001, 0.01, 0.05))
    runs += grid("selection", others, settings, **axes, fraction=(0.001, 0.01))
    narrow = (_narrow("ledger", (LEDGER, 0.01), (LEDGER_ENDS, 0.05)), _narrow("alternatives", (ALTERNATIVES, 0.01)))
    return (Study("selection", QUESTIONS["selection"], runs, _TABLES["selection"]), *narrow)


def _narrow(name: str, *parts: tuple[Variants, float]) -> Study:
    """Variants at a fraction each, on a network with batch normalisation, for the paper's epochs, seed by seed."""
    settings = {"dataset": "cifar10", "network": "resnet18", "width": 16, "evaluate_every": 50}
    runs = [
        run
        for variants, fraction in parts
        for run in grid("selection", variants, settings, seed=range(3), fraction=[fraction])
    ]
    return Study(name, QUESTIONS[name], tuple(runs))


def _crossed(variants: Variants, *learners: tuple[str, int]) -> Variants:
    """Each variant as it is, and with each of these networks, of this width, learning from its coreset."""
    return variants + tuple(
        {**variant, "learner": name, "learner_width": width} for name, width in learners for variant in variants
    )


def _sensitivity() -> Variants:
    """The radius as in Figure 4, then one other setting at a time at the default radius."""
    return (
        *UNIFORM,
        *lcmat_s(*(step / 20 for step in range(8))),
        *({"method": "lcmat-s", "top_k": count} for count in (1, 10, 30, 300)),
        {"method": "lcmat-s-spectral"},
        {"method": "lcmat-s", "weighted": True},
        {"method": "lcmat-s", "rho": 0.0, "weighted": True},
        *({"method": name, "selection_epochs": e} for name in ("lcmat-s", "craig") for e in SELECTOR_EPOCHS),
    )


def _study(name: str, variants: Variants, **axes: object) -> Study:
    return Study(name, QUESTIONS[name], grid("selection", variants, **axes), _TABLES.get(name, ()))  # type: ignore[arg-type]
