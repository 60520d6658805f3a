"""Class-incremental learning with a replay memory, in three sizes (paper Figure 5)."""

from lcmat.config import Experiment
from lcmat.sweep.profiles.study import Study, grid
from lcmat.sweep.profiles.variants import methods

_QUESTION = "Which memory keeps most of what was learnt when classes arrive in stages?"
_TABLES = ("figure 5",)
_SELECTED = ("uniform", "craig", "gradmatch", "glister", "adacore", "lcmat-s")


def smoke() -> Study:
    """On digits, five stages of two classes, three seeds: less than a minute on one core in all."""
    variants = methods("uniform", "herding", "k-center", "lcmat-s", "craig", "dm", "dc", "lcmat-c")
    return _study(grid("continual", variants, {"ipc": 5, "width": 16}, dataset=["digits"], seed=range(3)))


def cpu() -> Study:
    """Two data sets of ten classes with a narrow ConvNet-3, three seeds: half an hour on one core in all."""
    shared = {"width": 32, "epochs": 100}
    steps = {"init": "real", "real_batch": 64}
    short = {"outer_iterations": 10, "inner_steps": 5, "network_epochs": 1, "network_images": 128}
    variants = (
        *({**variant, "selection_epochs": 1} for variant in methods("uniform", "herding", "craig", "lcmat-s")),
        {"method": "dm", "outer_iterations": 100, **steps},
        {"method": "lcmat-c", **steps, **short},
    )
    return _study(grid("continual", variants, shared, seed=range(3), dataset=("cifar10", "fashion-mnist")))


def paper() -> Study:
    """CIFAR-100, five stages of twenty classes, ten images each, ConvNet-3; for GPUs."""
    return _study(_figure_5(*_SELECTED, "dsa", "dm", "lcmat-c"))


def paper_selected() -> Study:
    """Those of them whose memory is selected, which a core can do."""
    return Study("replay-of-selected-images", "Which selection makes the best memory?", _figure_5(*_SELECTED), _TABLES)


def _figure_5(*names: str) -> tuple[Experiment, ...]:
    return grid("continual", methods(*names), dataset=["cifar100"], seed=range(3))


def _study(runs: tuple[Experiment, ...]) -> Study:
    return Study("continual-learning", _QUESTION, runs, _TABLES)
