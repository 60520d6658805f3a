"""The notebooks of the book: made from scripts, executed, shown, with sliders."""
