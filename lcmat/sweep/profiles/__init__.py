"""Named sets of runs."""

from collections.abc import Mapping
from types import MappingProxyType

from lcmat.sweep.profiles import condensation, continual, paper, selection
from lcmat.sweep.profiles.study import Profile, Study

__all__ = ["PROFILES", "Profile", "Study"]

PROFILES: Mapping[str, Profile] = MappingProxyType(
    {
        "smoke": Profile(
            "digits; minutes on a laptop",
            lambda: (*selection.smoke(), *condensation.smoke(), continual.smoke()),
            disposable=True,
        ),
        "cpu": Profile(
            "Fashion-MNIST and CIFAR-10 with narrow networks; hours on two cores",
            lambda: (*selection.cpu(), *condensation.cpu(), continual.cpu()),
        ),
        "paper": Profile(
            "the paper's networks and schedules; days on two cores, then what needs GPUs",
            paper.studies,
        ),
    }
)
