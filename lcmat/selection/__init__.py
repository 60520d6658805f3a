"""Coreset selection: one entry point, `select`, to every method."""

from lcmat.config.registry import METHODS, Method
from lcmat.selection.coreset import Coreset
from lcmat.selection.selector import select

__all__ = ["METHODS", "Coreset", "Method", "select"]
