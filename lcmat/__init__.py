"""Loss-curvature matching for dataset selection and condensation (LCMat), reproduced."""

from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING

__all__ = ["METHODS", "Coreset", "facility_location", "select", "select_images"]
_ROOMS = ("bound", "condensation", "curvature", "data", "models", "selection", "training")

try:
    __version__ = version("lcmat")
except PackageNotFoundError:  # a source tree on the path, not installed
    __version__ = "0+unknown"

if TYPE_CHECKING:
    from lcmat.numerics.submodular import facility_location
    from lcmat.selection import METHODS, Coreset, select
    from lcmat.selection.images import select_images
else:  # a type checker would take this function for a promise that any name exists
    _HOME = {
        "METHODS": "lcmat.selection",
        "Coreset": "lcmat.selection",
        "facility_location": "lcmat.numerics.submodular",
        "select": "lcmat.selection",
        "select_images": "lcmat.selection.images",
    }

    def __getattr__(name: str) -> object:
        """Import the public names and rooms on first use: `lcmat --help` need not wait for torch."""
        from importlib import import_module

        if name in _HOME:
            return getattr(import_module(_HOME[name]), name)
        if name in _ROOMS:
            return import_module(f"{__name__}.{name}")
        raise AttributeError(f"module 'lcmat' has no attribute {name!r}")

    def __dir__() -> list[str]:
        """What a console offers to complete."""
        return sorted({*globals(), *__all__, *_ROOMS})
