"""The book: its pages exist, its chapters keep the house rules, and the built site renders without a network."""

import functools
import hashlib
import http.server
import importlib.util
import io
import itertools
import re
import threading
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import unquote

import jupytext
import numpy as np
import pytest
import yaml
from PIL import Image

from lcmat.book.chapters import output_of, sources
from lcmat.book.publishing import HIDDEN
from lcmat.files.home import repository

ROOT = Path(__file__).parents[1]
SITE = ROOT / "_build/html"
SOURCES = sources()
CONFIG = yaml.safe_load((ROOT / "_config.yml").read_text())
BROWSER = Path("/usr/bin/chromium")
DRAWING = re.compile(r"\b(plt\.show|plt\.subplots|sns\.)\b")
MAX_PAGE_BYTES = 1_500_000
LEAST_CONTRAST = 3.0  # what WCAG asks of large text; links of the theme on striped tables have 4.0
CONTRAST = (ROOT / "tests/contrast.js").read_text()
MAX_LOADED_BYTES = 3 * 2**20  # with scripts, styles and pictures
LOADED = """performance.getEntriesByType('resource').concat(performance.getEntriesByType('navigation'))
    .reduce((sum, entry) => sum + entry.encodedBodySize, 0)"""
UNSEEN = """[...document.querySelectorAll('article img')]
    .filter(i => !(i.alt || i.role === 'presentation') || !i.naturalWidth ||
        i.offsetParent && Math.abs(i.width / i.height * i.naturalHeight / i.naturalWidth - 1) > .05)
    .map(i => i.outerHTML.slice(0, 200))"""
"""Pictures without words or pixels, or out of proportion."""
AXE = ROOT / "_build/axe/package/axe.min.js"
AXE_SHA256 = "29348999450cdf2849a8e70b7912fc2da85a849da39c0d0d5394f51d4a9ed95c"  # of version 4.14.1
AUDITED = ["book/intro", "book/start/ten-minutes", "book/reference/bibliography", "book/derivation/03_upper_bound"]
LOOKED_AT = [
    "intro",
    "start/ten-minutes",
    "tables/figure-2",
    "derivation/00_map",
    "derivation/04_diagonal",
    "reference/api",
]
OBSTACLES = """() => axe.run({exclude: ['.theme-switch-button']}, {resultTypes: ['violations']}).then(({violations}) =>
    violations.filter(({impact}) => ['serious', 'critical'].includes(impact))
    .map(({id, nodes}) => `${id}: ${nodes.map(({html}) => html.slice(0, 200))}`))"""
"""The icons of the button that changes the theme have titles, which axe takes for text beside its name."""
SHIFT = """() => new Promise(done => {
    let sum = 0;
    new PerformanceObserver(list => list.getEntries().forEach(entry => { sum += entry.value }))
        .observe({type: 'layout-shift', buffered: true});
    setTimeout(() => done(sum), 1000);
})"""


def pages():
    toc = yaml.safe_load((ROOT / "_toc.yml").read_text())
    entries = [chapter for part in toc["parts"] for chapter in part["chapters"]]
    return [toc["root"], *(each["file"] for entry in entries for each in (entry, *entry.get("sections", ())))]


def test_the_sidebar_is_short():
    toc = yaml.safe_load((ROOT / "_toc.yml").read_text())
    assert sum(len(part["chapters"]) for part in toc["parts"]) <= 25


@pytest.mark.parametrize("page", pages())
def test_every_page_of_the_contents_is_written_or_has_a_notebook_source(page):
    notebooks = [output_of(source) for source in SOURCES]
    assert (ROOT / f"{page}.md").is_file() + notebooks.count(ROOT / f"{page}.ipynb") == 1


def test_every_notebook_and_every_page_is_in_the_contents():
    written = {path.relative_to(ROOT).with_suffix("").as_posix() for path in (ROOT / "book").rglob("*.md")}
    executed = {output_of(path).relative_to(ROOT).with_suffix("").as_posix() for path in SOURCES}
    assert written | executed == set(pages())


def cells(source, kind):
    return [cell for cell in jupytext.read(source).cells if cell.cell_type == kind]


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.stem)
def test_chapters_parse_and_start_with_a_title_and_a_header_box(source):
    """Pages that answer a question open with what was found, and the box follows."""
    first, second, *_ = (cell.source for cell in cells(source, "markdown"))
    assert first.startswith("# ")
    assert "{admonition}" in first + second or source.parent.name == "report"
    for cell in cells(source, "code"):
        compile(cell.source, str(source), "exec")


@pytest.mark.parametrize(
    "source", [path for path in SOURCES if path.parent.name == "report"], ids=lambda path: path.stem
)
def test_pages_of_results_show_something_computed_before_their_box_and_no_code(source):
    """The answer comes right after the title, without a button that would show the code behind it."""
    title, *others = jupytext.read(source).cells
    opening = list(itertools.takewhile(lambda cell: cell.cell_type == "code", others))
    assert title.source.count("\n") == 0
    tags = [set(cell.metadata.get("tags", [])) for cell in opening]
    shown = itertools.dropwhile(lambda each: "remove-cell" in each, tags)
    assert "remove-input" in next(shown)
    assert all(HIDDEN & set(cell.metadata.get("tags", [])) for cell in others if cell.cell_type == "code")


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.stem)
def test_every_figure_has_alternative_text_and_a_caption(source):
    for cell in cells(source, "code"):
        if DRAWING.search(cell.source):
            shown = cell.metadata.get("mystnb", {})
            assert len(shown.get("image", {}).get("alt", "")) > 30, cell.source
            assert len(shown.get("figure", {}).get("caption", "")) > 30, cell.source


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.stem)
def test_chapters_leave_the_environment_alone(source):
    forbidden = re.compile(
        r"sys\.path|^\s*[!%]|manual_seed_all|torch\.manual_seed|np\.random\.seed|filterwarnings", re.M
    )
    for cell in cells(source, "code"):
        assert not forbidden.search(cell.source), cell.source


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.stem)
def test_prose_holds_no_result(source):
    """Measured values have decimals; in prose only parameters, versions and commands may."""
    for cell in cells(source, "markdown"):
        prose = re.sub(r"```.*?```|`[^`]*`|\$[^$]*\$", "", cell.source, flags=re.DOTALL)
        numbers = re.findall(r"\d+\.\d{2,}|\b\d+\.\d+ ?(?:%|±|points)", prose)
        assert not numbers, (numbers, cell.source)


def test_bibliography_parses_and_every_citation_has_its_entry():
    from pybtex.database import parse_file

    entries = parse_file(ROOT / "book/references.bib").entries
    assert all(entry.fields.get("title") and entry.fields.get("year") for entry in entries.values())
    texts = [path.read_text() for path in (*SOURCES, *(ROOT / "book").rglob("*.md"))]
    cited = {
        key.strip() for text in texts for keys in re.findall(r"{cite:[pt]}`([^`]+)`", text) for key in keys.split(",")
    }
    assert cited <= set(entries)


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.stem)
def test_the_rerun_command_of_a_chapter_gives_its_parameters_values_of_their_types(source):
    from papermill.cli import _resolve_type

    header = "\n".join(cell.source for cell in cells(source, "markdown")[:2])  # an answer may stand above the box
    tagged = [cell.source for cell in cells(source, "code") if "parameters" in cell.metadata.get("tags", [])]
    defaults: dict = {}
    exec("\n".join(tagged), defaults)
    given = {name: _resolve_type(value) for name, value in re.findall(r"papermill [^`]* -p (\w+) ([^`\s]+)`", header)}
    given |= {
        k: v for text in re.findall(r'papermill [^`]* -y "([^"]+)"`', header) for k, v in yaml.safe_load(text).items()
    }
    for name, value in given.items():
        wanted = (int, float) if isinstance(defaults[name], float) else type(defaults[name])
        assert isinstance(value, wanted), f"{name} = {value!r}"
    assert given or "papermill" not in header


def load_extension(name):
    spec = importlib.util.spec_from_file_location(name, ROOT / f"book/_ext/{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("docstring", "expected"),
    [
        ("a |x| b", r"a \|x\| b"),
        ("``|x|`` and *args", r"``|x|`` and \*args"),
        (":math:`|x|`", ":math:`|x|`"),
        (">>> a | b\n*x*\n\n*y*", ">>> a | b\n*x*\n\n\\*y\\*"),
        ("`Network`s are", r"`Network`\ s are"),
    ],
)
def test_docstrings_are_escaped_outside_literals(docstring, expected):
    assert load_extension("plain_docstrings").escape(docstring) == expected


def test_notebooks_are_launched_where_they_are_published():
    assert CONFIG["repository"] == {"branch": "notebooks"}  # its address is set by book/_ext/addresses.py
    assert CONFIG["execute"]["execute_notebooks"] == "off"
    assert {"binderhub_url", "colab_url"} <= set(CONFIG["launch_buttons"])


def test_the_edit_button_opens_the_tracked_source_of_every_page():
    source_of = load_extension("addresses").source_of
    for page in pages():
        suffix = ".md" if (ROOT / f"{page}.md").is_file() else ".ipynb"
        assert (ROOT / source_of(page, suffix)).is_file(), page


@pytest.mark.parametrize("name", ["somebody/lcmat", None])
def test_buttons_and_addresses_are_there_only_with_a_repository(name, monkeypatch):
    extension = load_extension("addresses")
    monkeypatch.setattr(extension, "repository", lambda: name and f"https://github.com/{name}")
    config = SimpleNamespace(html_theme_options={"launch_buttons": {"colab_url": "x"}}, html_baseurl="")
    extension.set_addresses(None, config)
    assert {config.html_theme_options[button] for button in extension.BUTTONS} == {name is not None}
    assert bool(config.html_theme_options["launch_buttons"]) is (name is not None)
    assert config.html_baseurl == ("https://somebody.github.io/lcmat/" if name else "")


def test_the_description_of_a_page_is_its_first_paragraph_without_formulas():
    from docutils.core import publish_doctree

    describe = load_extension("page_head").description
    text = "Title\n=====\n\n.. note:: A box.\n\nBecause :math:`x`.\n\nTwo\nlines.\n\nOther\n-----\n\nText.\n"
    # A lone section becomes the document's title unless it is told not to.
    doctree = publish_doctree(text, settings_overrides={"doctitle_xform": False})
    assert describe(doctree) == "Two lines."
    words = publish_doctree(f"Title\n=====\n\n{'word ' * 60}", settings_overrides={"doctitle_xform": False})
    assert describe(words) == " ".join(["word"] * 31) + "…"


@pytest.fixture(scope="module")
def browser():
    if not (SITE / "index.html").is_file():
        pytest.skip("no site in _build/html: run make book")
    if not BROWSER.exists():
        pytest.skip(f"no browser at {BROWSER}")
    from playwright.sync_api import sync_playwright

    options = ["--no-sandbox", "--disable-background-networking", "--disable-component-update"]
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=str(BROWSER), args=options)
        yield chromium
        chromium.close()


@pytest.fixture(scope="module")
def phone(browser):
    """A window in which scripts and styles are fetched once for all pages."""
    return browser.new_context(viewport={"width": 390, "height": 900})


def drawn(tab):
    """Wait until every equation is."""
    tab.wait_for_function("() => !document.querySelector('article .math:not(:has(mjx-container))')")
    assert tab.locator("mjx-merror").count() == 0


def check_contrast(tab):
    for theme in ("light", "dark"):
        tab.evaluate("theme => { document.documentElement.dataset.theme = theme }", theme)
        assert tab.evaluate(CONTRAST, LEAST_CONTRAST) == [], theme


@pytest.mark.site
@pytest.mark.parametrize("page", LOOKED_AT)
def test_a_page_can_be_read_from_a_disk(page, browser):
    tab = browser.new_page()
    requests = []
    tab.on("request", lambda request: requests.append(request.url))
    tab.goto((SITE / f"book/{page}.html").as_uri())
    drawn(tab)
    assert not [url for url in requests if not url.startswith(("file:", "data:", "blob:"))]
    files = [Path(unquote(url[7:].split("?")[0].split("#")[0])) for url in requests if url.startswith("file:")]
    assert all(file.exists() for file in files)
    check_contrast(tab)
    tab.close()


@pytest.mark.site
def test_pages_are_light_and_launch_the_published_notebooks(browser):
    for path in SITE.glob("book/**/*.html"):
        assert path.stat().st_size < MAX_PAGE_BYTES, path
    for page in pages():
        if not (ROOT / f"{page}.md").is_file():
            launched = re.findall(
                r"https://colab\.research\.google\.com/github/[\w.-]+/[\w.-]+/blob/notebooks/([\w/.-]+)\.ipynb",
                (SITE / f"{page}.html").read_text(),
            )
            assert launched == ([page] if repository() else [])


@pytest.fixture(scope="module")
def address():
    """The site, served over HTTP."""
    handler = functools.partial(QuietHandler, directory=str(SITE))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


class QuietHandler(http.server.SimpleHTTPRequestHandler):
    """One that says nothing."""

    def log_message(self, *words):
        pass


@pytest.mark.site
@pytest.mark.parametrize("page", (*pages(), "404"))
def test_a_page_asks_nobody_complains_of_nothing_and_is_legible_on_a_phone(page, phone, address):
    """On a phone, where there is least room."""
    tab = phone.new_page()
    said, requests = [], []
    tab.on("console", lambda message: said.append(message.text) if message.type == "error" else None)
    tab.on("pageerror", lambda error: said.append(str(error)))
    tab.on("request", lambda request: requests.append(request.url))
    tab.on("response", lambda response: said.append(response.url) if response.status >= 400 else None)
    tab.goto(f"{address}{page}.html", timeout=120_000)
    if page != "404":
        drawn(tab)
        check_contrast(tab)
    assert said == []
    assert not [url for url in requests if not url.startswith((address, "data:", "blob:"))]
    assert len(tab.locator("meta[name=description]").get_attribute("content")) > 20
    assert tab.locator("link[rel=icon]").count() == 1
    assert tab.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    assert tab.evaluate(UNSEEN) == []
    assert tab.evaluate(LOADED) < MAX_LOADED_BYTES
    tab.close()


@pytest.mark.site
@pytest.mark.parametrize("page", LOOKED_AT)
def test_what_is_read_first_stays_where_it_is_while_the_page_loads(page, browser, address):
    tab = browser.new_page(viewport={"width": 1440, "height": 900})
    tab.goto(f"{address}book/{page}.html", timeout=120_000)
    assert tab.evaluate(SHIFT) < 0.1
    tab.close()


@pytest.mark.site
def test_a_formula_has_its_room_before_it_is_drawn(browser):
    tab = browser.new_page()
    tab.goto((SITE / "book/derivation/05_facility_location.html").as_uri())
    drawn(tab)
    widths = tab.evaluate(
        "[...document.querySelectorAll('span.math')].filter(f => f.offsetParent).map(f => ["
        "parseFloat(f.style.getPropertyValue('--room')), f.offsetWidth / parseFloat(getComputedStyle(f).fontSize)])"
    )
    kept, taken = np.array(widths).T
    assert len(taken) > 20 and np.median(np.abs(kept - taken)) < 0.4 < taken.std()
    tab.close()


@pytest.mark.site
@pytest.mark.parametrize("page", AUDITED)
def test_axe_finds_no_serious_obstacle(page, browser):
    if not AXE.is_file():
        pytest.skip(f"no axe-core in {AXE}: run make axe")
    script = AXE.read_bytes()
    assert hashlib.sha256(script).hexdigest() == AXE_SHA256
    for width in (1440, 390):
        tab = browser.new_page(viewport={"width": width, "height": 900})
        tab.goto((SITE / f"{page}.html").as_uri())
        tab.evaluate(script.decode())
        tab.add_style_tag(content="* { transition: none !important }")  # half a change of theme has no contrast
        for theme in ("light", "dark"):
            tab.evaluate("theme => { document.documentElement.dataset.theme = theme }", theme)
            assert tab.evaluate(OBSTACLES) == [], (width, theme)
        tab.close()


@pytest.mark.site
def test_no_figure_is_a_light_box_on_a_dark_page(browser):
    """Drawn figures are turned over: their white corner is as dark as the page, and their ink is light."""
    tab = browser.new_page()
    tab.goto((SITE / "book/derivation/02_worst_case_gap.html").as_uri())
    tab.evaluate("document.documentElement.dataset.theme = 'dark'")
    for image in tab.locator("article img").all():
        if image.is_visible():
            shown = np.asarray(Image.open(io.BytesIO(image.screenshot())).convert("L"))
            assert shown[:2, :2].max() < 60 < 180 < shown.max()
    tab.close()


@pytest.mark.site
def test_code_is_legible_and_what_is_cut_off_can_be_scrolled(browser, address):
    context = browser.new_context(viewport={"width": 390, "height": 900})
    tab = context.new_page()
    tab.goto(f"{address}book/derivation/03_upper_bound.html", timeout=120_000)
    tab.wait_for_selector("article div.math mjx-container")
    tab.wait_for_selector("article div.math mjx-container[tabindex]")
    assert tab.evaluate("getComputedStyle(document.querySelector('div.highlight pre')).fontSize") == "14px"
    frames = "[...document.querySelectorAll('article mjx-container[display], article .cell_output div:has(> table)')]"
    cut = f"{frames}.filter(e => e.scrollWidth > e.clientWidth + 1)"
    cue = "e => e.tabIndex === 0 && getComputedStyle(e).maskImage.includes('gradient')"
    assert tab.evaluate(f"{cut}.length > 0 && {cut}.every({cue})")
    tab.evaluate(f"{cut}[0].scrollLeft = 10_000")
    tab.wait_for_function(f"!({cue})({cut}[0])")  # at its end nothing is hidden
    context.close()


@pytest.mark.site
def test_on_a_phone_a_table_of_words_is_stacked_and_a_figure_stays_legible(browser, address):
    context = browser.new_context(viewport={"width": 390, "height": 900})
    tab = context.new_page()
    tab.goto(f"{address}book/derivation/08_errata.html", timeout=120_000)
    row = tab.locator("table.stacked").first.locator("tbody tr").first
    cells = row.evaluate("row => [...row.cells].map(cell => [cell.dataset.head, cell.getBoundingClientRect().top])")
    assert [head for head, _ in cells] == ["Paper", "What", "Chapter", "Verdict", "Note"]
    assert [top for _, top in cells] == sorted({top for _, top in cells})  # each below the one before
    assert tab.evaluate("[...document.querySelectorAll('table.stacked')].every(t => t.offsetWidth < innerWidth)")
    assert tab.locator(".figure-frame[tabindex] img").first.bounding_box()["width"] > 500
    tab.goto(f"{address}book/tables/table-1.html", timeout=120_000)
    verdicts = "[...document.querySelectorAll('td.verdict')].map(cell => cell.getBoundingClientRect().right)"
    assert 300 < max(tab.evaluate(verdicts)) <= 390  # in view, however wide the table
    frame = "document.querySelector('td.verdict').closest('.report-table-frame')"
    assert tab.evaluate(f"getComputedStyle({frame}).maskImage") == "none"  # and not faded
    context.close()


@pytest.mark.site
def test_search_finds_a_word_without_a_server(browser):
    tab = browser.new_page()
    tab.goto((SITE / "search.html").as_uri() + "?q=submodular")
    tab.wait_for_selector("#search-results li", timeout=20_000)
    assert tab.locator("#search-results li").count() > 0
