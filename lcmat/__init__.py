"""Loss-curvature matching for dataset selection and condensation (LCMat), reproduced."""

from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING

__all__ = ["METHODS", "Coreset", "facility_location", "select", "select_images"]

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
        """Import the public names on first use: `lcmat --help` need not wait for torch."""
        if name in _HOME:
            from importlib import import_module

            return getattr(import_module(_HOME[name]), name)
        raise AttributeError(f"module 'lcmat' has no attribute {name!r}")
