"""The reading map: each chapter once, in the order of the contents, after those it builds on."""

import re

import pytest

from lcmat.book.reading_map import reading_map, shown, write_reading_map
from lcmat.files.paths import project_folder


@pytest.fixture(scope="module")
def rows():
    table = [line.split(" | ") for line in reading_map().splitlines()[2:]]
    return {re.findall(r"`/book/(.*?)`", row[0])[0]: row[1:] for row in table}


def test_a_chapter_builds_on_earlier_ones_alone(rows):
    names = list(rows)
    for number, (minutes, before, _) in enumerate(rows.values()):
        assert int(minutes) > 0
        assert set(re.findall(r"`/book/(.*?)`", before)) <= set(names[:number])


def test_who_uses_the_objective_builds_on_the_chapter_that_states_it(rows):
    assert "01_matching" in rows["derivation/02_worst_case_gap"][1]
    assert rows["start/ten-minutes"][1] == "—"


def test_references_lead_from_the_landing_page_to_pages_that_are_there():
    named = re.findall(r"{doc}`([^`]*)`", reading_map())
    assert named and all((project_folder() / f"notebooks{to.removeprefix('/book')}.py").is_file() for to in named)


def test_the_line_keeps_formulas_and_abbreviations_whole():
    text = "# A\n\nOpening.\n\n- **Shown:** Eq. 15 holds at $a.b$ (check 1); more."
    assert shown(text) == "Eq. 15 holds at $a.b$."


def test_it_is_written_where_the_landing_page_includes_it(tmp_path):
    assert write_reading_map(tmp_path / "map.txt").read_text() == reading_map()
