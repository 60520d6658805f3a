"""The notebooks of the book: made from scripts, executed, shown, with sliders."""

from lcmat.files.extras import require

require("run", "IPython", "matplotlib", "nbformat")
