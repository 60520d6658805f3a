"""The form of the derivation: its chapters are short, show little code and an early figure, and use one notation."""

import re
from pathlib import Path

import jupytext
import pytest

from lcmat.book import story

ROOT = Path(__file__).parents[1]
MAP = "00_map"
HELD = [
    *("01_matching", "02_worst_case_gap", "03_upper_bound", "04_diagonal", "04b_coreset", "05_facility_location"),
    *("05b_greedy", "06_gradient_variance", "07_generalisation", "07b_gaps", "08_errata", "08b_numbers"),
    "09_what-the-bound-buys",
]
"""The chapters that are held to the form."""

CORE = {
    "eq-objective": "01_matching",
    "eq-gradient": "02_worst_case_gap",
    "eq-bound": "03_upper_bound",
    **dict.fromkeys(("eq-diagonal", "eq-top-k"), "04_diagonal"),
    **dict.fromkeys(("eq-distance", "eq-craig"), "05_facility_location"),
    "eq-facility-location": "05b_greedy",
}
MAX_LINES, MAX_CODE, LATEST_FIGURE = 450, 0.30, 0.40

LETTERS = "alpha beta gamma delta epsilon zeta eta theta kappa lambda mu nu xi pi rho sigma tau psi chi omega ell"
COUNTED = {*LETTERS.split(), "Delta", "Theta", "Phi", "Pi"}
STANDARD = {"e", "I", "O", r"\mathbb E"}
"""Euler's number, the identity, Landau's order, the expectation."""


def cells(chapter):
    return jupytext.read(ROOT / f"notebooks/derivation/{chapter}.py").cells


def displayed(text):
    return re.findall(r"```\{math\}(.*?)```|\$\$(.*?)\$\$", re.sub(r":label:.*", "", text), re.DOTALL)


def symbols(latex):
    """Letters of a formula, with their accent or alphabet: words, commands of layout and primes do not count."""
    latex = re.sub(r"\\(?:operatorname\*?|text|mathrm|begin|end)\s*(?:\{[^}]*\}|[A-Za-z])", " ", latex)
    latex = re.sub(r"_\{[a-z]{3,}\}", " ", latex)
    dressed = r"\\(?:mathcal|mathbf|mathbb|tilde|hat)\s*\{?\\?[A-Za-z]+\}?"
    found = {re.sub(r"\s*\{?\\?([A-Za-z]+)\}?$", r" \1", each) for each in re.findall(dressed, latex)}
    latex = re.sub(dressed, " ", latex)
    found |= {f"\\{name}" for name in re.findall(r"\\([A-Za-z]+)", latex) if name in COUNTED}
    return found | set(re.findall(r"[A-Za-z]", re.sub(r"\\[A-Za-z]+", " ", latex)))


def listed():
    """The symbols in the first column of the notation page."""
    rows = re.findall(r"^\| (\$.*?) \|", (ROOT / "book/start/notation.md").read_text(), re.MULTILINE)
    return set().union(*(symbols(" ".join(re.findall(r"\$(.*?)\$", row))) for row in rows))


def symbols_of(chapter):
    text = "\n".join(cell.source for cell in cells(chapter) if cell.cell_type == "markdown")
    return set().union(*(symbols("".join(formula)) for formula in displayed(text)))


@pytest.mark.parametrize("chapter", HELD)
def test_each_symbol_of_a_displayed_equation_is_on_the_notation_page(chapter):
    assert symbols_of(chapter) - listed() - STANDARD == set()


def test_most_symbols_of_the_notation_page_are_displayed_somewhere():
    used = set().union(*map(symbols_of, HELD))
    assert len(used & listed()) > len(listed()) / 2


def test_a_symbol_that_is_not_on_the_notation_page_is_noticed():
    assert symbols(r"\mathcal Z + \hat\kappa_{abc} \le \Xi") - listed() == {r"\mathcal Z", r"\hat kappa"}
    assert symbols(r"\frac{\rho}{2} \lVert H\rVert_2") == {r"\rho", "H"} <= listed()


@pytest.mark.parametrize("chapter", [MAP, *HELD])
def test_a_chapter_is_short_and_shows_little_code(chapter):
    assert len((ROOT / f"notebooks/derivation/{chapter}.py").read_text().splitlines()) <= MAX_LINES
    code = sum(len(lines) for lines in story.visible_code(cells(chapter)))
    text = sum(len(cell.source.splitlines()) for cell in cells(chapter) if cell.cell_type == "markdown")
    assert code / (code + text) < MAX_CODE


@pytest.mark.parametrize("chapter", HELD)
def test_the_first_figure_comes_early(chapter):
    shown, first = 0, None
    for cell in cells(chapter):
        if first is None and "figure" in cell.metadata.get("mystnb", {}):
            first = shown
        shown += (
            len(cell.source.splitlines()) if cell.cell_type == "markdown" else sum(map(len, story.visible_code([cell])))
        )
    assert first is not None and first / shown <= LATEST_FIGURE


@pytest.mark.parametrize("chapter", HELD)
def test_a_chapter_begins_with_the_map_and_ends_with_checks_and_take_away(chapter):
    sources = [cell.source for cell in cells(chapter)]
    assert f'story.here("{chapter}")' in sources[1]
    headings = re.findall(r"^## (.*)", "\n".join(sources), re.MULTILINE)
    assert headings[-3:] == ["Checks", "Take-away", "Exercises"]
    assert sources.index(f'story.passed("{chapter}")') > 0


@pytest.mark.parametrize(("label", "chapter"), CORE.items())
def test_the_core_equations_stand_in_the_chapters(label, chapter):
    everywhere = [*(ROOT / "notebooks").glob("*/*.py"), *(ROOT / "book").rglob("*.md")]
    holders = [
        path.stem
        for path in everywhere
        if re.search(rf":label: {label}$|\$\$ \({label}\)", path.read_text(), re.MULTILINE)
    ]
    assert holders == [chapter]


def test_the_map_names_chapters_that_exist_in_their_order():
    named = [arrow.chapter for arrow in story.ARROWS]
    assert named == sorted(named)
    assert all((ROOT / f"notebooks/derivation/{name}.py").is_file() for name in (*named, *story.ASIDE))
    assert {arrow.relation for arrow in story.ARROWS} <= set(story.SIGNS)


def test_the_line_of_the_map_marks_the_chapter_alone_and_links_the_others():
    line = story.here("03_upper_bound").data
    assert re.findall(r"\*\*(.*?)\*\*", line) == ["bound", "Eq. 6"]
    assert "/book/derivation/02_worst_case_gap" in line and "/book/derivation/03_upper_bound" not in line
    assert f"About {story.reading_minutes('03_upper_bound')} minutes" in line


def test_reading_minutes_count_words_formulas_and_visible_code(tmp_path, monkeypatch):
    folder = tmp_path / "notebooks/derivation"
    folder.mkdir(parents=True)
    monkeypatch.setattr(story, "project_folder", lambda: tmp_path)
    text = f"# {'word ' * 360}\n#\n# $$\n# x\n# $$\n#\n# $y$ and $z$\n"
    code = "a = 1\n" * 15
    hidden = '# %% tags=["hide-cell"]\n' + "b = 1\n" * 600
    (folder / "x.py").write_text(f"# %% [markdown]\n{text}\n# %%\n{code}\n{hidden}")
    assert story.reading_minutes("x") == round((361 / 180 * 60 + 20 + 2 * 2 + 15 * 4) / 60) == 3
    assert story.here("nowhere").data.endswith(". \n:::")


def test_checks_and_assertions_are_counted(tmp_path, monkeypatch):
    folder = tmp_path / "notebooks/derivation"
    folder.mkdir(parents=True)
    monkeypatch.setattr(story, "project_folder", lambda: tmp_path)
    checks = "# %% [markdown]\n# ## Checks\n#\n# 1. One.\n# 2. Two.\n\n"
    code = "# %%\nassert 1\nfor i in (1, 2):\n    assert i\ntorch.testing.assert_close(1, 1)\nprint('assert')\n"
    (folder / "x.py").write_text(checks + code)
    assert story.passed("x").data.startswith("**2 checks with 3 assertions.**")
