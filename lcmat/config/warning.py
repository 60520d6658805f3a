"""Warnings that point at the line of the user's that led to them."""

import contextlib
import sys
import warnings
from pathlib import Path

_OURS = (str(Path(__file__).parents[1]), contextlib.__file__)


def warn(message: str, category: type[Warning] = UserWarning) -> None:
    """Warn as `warnings.warn` does, at the innermost line outside this package, however deep inside it is noticed."""
    level, frame = 1, sys._getframe()
    while frame.f_back and frame.f_code.co_filename.startswith(_OURS):
        level, frame = level + 1, frame.f_back
    warnings.warn(message, category, stacklevel=level)
