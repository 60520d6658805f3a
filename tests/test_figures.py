"""Figures: distinct styles, intervals drawn as computed, deterministic opaque SVG."""

import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from scipy import stats

from lcmat.report import figures
from lcmat.report.statistics import Interval
from lcmat.selection import METHODS

PUBLISHED = Path(__file__).parents[1] / "book/published.csv"


def test_every_method_of_the_paper_and_of_the_registry_has_its_own_style():
    titles = set(pd.read_csv(PUBLISHED).method) | {method.title for method in METHODS.values()}
    looks = {title: figures.method_style(title) for title in titles | set(figures.METHOD_STYLES)}
    assert len(set(looks.values())) == len(looks)  # of two new methods that draw the same, name one in METHOD_STYLES


def test_a_method_without_a_style_of_its_own_draws_a_free_one_and_keeps_it():
    drawn = {title: figures.method_style(title) for title in ("Novel", "Third")}
    assert drawn == {title: figures.method_style(title) for title in reversed(drawn)}
    assert len(set(drawn.values())) == 2 and not set(drawn.values()) & set(figures.METHOD_STYLES.values())


def accuracy_axes(samples, **options):
    ax = Figure().gca()
    figures.plot_accuracy(ax, [0.01, 0.1][: len(samples)], samples, method="LCMat-S", **options)
    return ax


def test_error_bars_are_t_intervals():
    samples = [[50.0, 52.0, 57.0], [70.0, 71.0, 72.0]]
    ax = accuracy_axes(samples)
    segments = ax.containers[0].lines[2][0].get_segments()
    for (low, high), sample in zip(segments, samples, strict=True):
        expected = stats.ttest_1samp(sample, 0.0).confidence_interval(0.95)
        assert (low[1], high[1]) == pytest.approx((expected.low, expected.high))


def test_legend_counts_seeds_and_single_seeds_are_shown_up_to_ten():
    assert accuracy_axes([[1.0, 2.0], [1.0, 2.0, 3.0]]).get_legend_handles_labels()[1] == ["LCMat-S (n = 2-3)"]
    assert len(accuracy_axes([list(range(10))]).collections) == 2  # error bars and points
    assert len(accuracy_axes([list(range(11))]).collections) == 1


def test_a_single_seed_has_no_error_bar():
    segment = accuracy_axes([[50.0]]).containers[0].lines[2][0].get_segments()[0]
    assert segment[0][1] == segment[1][1] == 50.0


def test_intervals_are_drawn_from_top_to_bottom():
    ax = figures.plot_intervals(
        Figure().gca(),
        ["first", "second"],
        [Interval(1.0, 0.0, 2.0, 3), Interval(-1.0, -np.inf, np.inf, 1)],
        method="DM",
    )
    assert [float(bar.lines[0].get_ydata()[0]) for bar in ax.containers] == [1, 0]
    assert ax.get_yticklabels()[0].get_text() == "first"


def test_image_grid_keeps_every_pixel():
    images = np.random.default_rng(0).integers(0, 255, size=(3, 4, 5), dtype=np.uint8)
    shown = figures.image_grid(Figure().gca(), images, columns=2).images[0].get_array()
    expected = np.zeros((11, 13), dtype=bool)
    for image, (top, left) in zip(images, [(1, 1), (1, 7), (6, 1)], strict=True):
        place = slice(top, top + 4), slice(left, left + 5)
        np.testing.assert_array_equal(shown[place][..., :3], np.stack([image] * 3, axis=2))
        expected[place] = True
    np.testing.assert_array_equal(shown[..., 3] == 255, expected)  # the gaps are transparent


def draw():
    figure = Figure()
    figures.plot_accuracy(figure.gca(), [0.01, 0.1], [[1.0, 2.0], [3.0, 4.0]], method="Uniform").legend()
    figures.label_fractions(figure.gca(), [0.01, 0.1])
    return figure


def test_svg_is_the_same_every_time_opaque_and_dateless(tmp_path):
    first, second = tmp_path / "first.svg", tmp_path / "second.svg"
    for path in (first, second):
        figures.save_svg(draw(), path)
    assert first.read_bytes() == second.read_bytes()
    text = first.read_text()
    assert "<dc:date>" not in text
    background = ET.fromstring(text).find(".//*[@id='patch_1']/*")
    assert "fill: #ffffff" in background.get("style")
