"""Records may come from anywhere: whatever text one holds, a page shows it and does nothing that it says."""

import ast
import contextlib
import io
from html.parser import HTMLParser
from pathlib import Path

import IPython.display
import jupytext
import pytest
import yaml
from docutils.core import publish_parts
from myst_parser.parsers.docutils_ import Parser

from lcmat.book.display import record_table
from lcmat.config import parse
from lcmat.records import record as records
from lcmat.report.continual import replay_runs
from lcmat.report.cost import describe_cost
from lcmat.report.markup import cell, prose
from tests.synthetic_records import make_record

ROOT = Path(__file__).parents[1]
MARK = "hostile"
HOSTILE = [
    f"<script>{MARK}()</script>",
    f"<img src=x onerror={MARK}()>",
    f'" onmouseover="{MARK}()" x="',
    f"</td></table><iframe srcdoc='<script>{MARK}()</script>'></iframe>",
    f"[{MARK}](javascript:{MARK}()) ![{MARK}](https://example.org/x.png) <https://example.org/{MARK}>",
    f"x\n\n```{{raw}} html\n<script>{MARK}()</script>\n```\n",
    f"x\n\n:::{{raw}} html\n<script>{MARK}()</script>\n:::\n",
    f"{{raw}}`{MARK}` {{doc}}`{MARK}` {{download}}`{MARK}`",
    f"$\\href{{javascript:{MARK}()}}{{x}}$ $$\\class{{{MARK}}}{{x}}$$",
    f"\n\n# {MARK}\n\n- {MARK}\n\n(here)=\n\n% {MARK}\n\n---\n\n&lt;script&gt;",
    f"[x]{{.{MARK} onclick={MARK}()}} \\begin{{equation}}{MARK}\\end{{equation}}",
    f"<!-- {MARK}",
    f"{{{{ {MARK} }}}} {{% {MARK} %}} *{MARK}* _{MARK}_ `{MARK}` | {MARK} | ~ ^ @ # \\",
]
ALL = "\n".join(HOSTILE)


class Page(HTMLParser):
    """The elements of a page with their attributes, and its text."""

    def __init__(self, html):
        super().__init__()
        self.elements, self.texts = [], []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))

    def handle_data(self, data):
        self.texts.append(data)

    @property
    def text(self):
        return " ".join("".join(self.texts).split())

    @property
    def acting(self):
        """Elements that act on behalf of a record: scripts, frames, and whatever has its text in the name of an act."""
        return [
            (tag, attributes)
            for tag, attributes in self.elements
            if tag in ("script", "iframe", "object", "embed")
            or any(name.startswith("on") and MARK in str(value) for name, value in attributes.items())
            or any(MARK in str(attributes.get(name)) for name in ("href", "src", "srcdoc", "action", "style"))
            or attributes.get("class") == MARK
        ]


def rendered(markdown):
    """Markdown as the book shows it: MyST with the extensions that `_config.yml` names."""
    config = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))["parse"]
    settings = {"myst_enable_extensions": config["myst_enable_extensions"], "report_level": 5, "raw_enabled": True}
    return publish_parts(markdown, parser=Parser(), writer_name="html5", settings_overrides=settings)["body"]


@pytest.mark.parametrize("text", HOSTILE)
def test_a_text_stands_in_a_sentence_letter_by_letter(text):
    page = Page(rendered(f"Before {prose(text)} after."))
    assert page.text == f"Before {' '.join(text.split())} after."
    assert {tag for tag, _ in page.elements} <= {"main", "p"}
    assert Page(cell(text)).text == " ".join(text.split())


def test_the_renderer_of_this_test_lets_markup_act():
    assert Page(rendered(f"Before {HOSTILE[5]} after.")).acting


def hostile(record, **changes):
    """The record with hostile text wherever there is room for text."""
    part = {name: ALL for name in ("device", "processor", "instructions", "system", "blas", "onednn")}
    environment = record.environment.model_copy(update={name: ALL for name in ("python", "lcmat", "numpy", "torch")})
    data = record.data["train"].model_copy(update={"provenance": ALL})
    return record.model_copy(
        update={
            "machine": record.machine.model_copy(update=part),
            "environment": environment,
            "commit": ALL,
            "data": {"train": data, ALL: data},
            "artifacts": {ALL: ALL},
            "seconds": {"selection": 1.0, "training": 1.0, ALL: 1.0},
            "metrics": {**record.metrics, ALL: 1.0, "dataset": 1.0, "method": 1.0},
            "series": {**record.series, ALL: [1.0]},
            **changes,
        }
    )


def hostile_sweep():
    """Records of every experiment on digits, some of them diverged, and one file that is none."""
    for seed in range(2):
        for method in ("uniform", "lcmat-s", "craig"):
            records.write(hostile(make_record(50.0 + seed, method=method, seed=seed)))
    diverged = make_record(status="diverged", method="herding")
    records.write(hostile(diverged, metrics={}, error=ALL))
    damaged = records.path_of(parse("selection", {"seed": 9}))
    damaged.write_text(f'{{"schema_version": "{HOSTILE[0]}"}}', encoding="utf-8")


def outputs_of(source, monkeypatch):
    """The HTML of all that a notebook shows when its cells are executed here."""
    shown = []
    monkeypatch.setattr(IPython.display, "display", lambda *values, **_: shown.extend(values))
    namespace = {"__name__": "__main__"}
    cells = jupytext.read(source, fmt="py:percent").cells
    for code in (each.source for each in cells if each.cell_type == "code"):
        tree = ast.parse(code)
        last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
        with contextlib.redirect_stdout(io.StringIO()):
            exec(compile(tree, str(source), "exec"), namespace)
            if last:
                shown.append(eval(compile(ast.Expression(last.value), str(source), "eval"), namespace))
    return "".join(map(as_html, shown))


def as_html(value):
    for name, turned in (("_repr_html_", str), ("_repr_markdown_", rendered)):
        if (written := getattr(value, name, lambda: None)()) is not None:
            return turned(written)
    return ""


@pytest.mark.parametrize("page", ["why-the-numbers-differ", "reproducibility"])
def test_pages_of_hostile_records_show_them_and_do_nothing(page, monkeypatch):
    monkeypatch.chdir(ROOT)
    hostile_sweep()
    found = Page(outputs_of(ROOT / "notebooks" / "report" / f"{page}.py", monkeypatch))
    assert found.acting == []
    assert MARK in found.text


@pytest.mark.slow
@pytest.mark.parametrize("source", sorted((ROOT / "notebooks" / "report").glob("*.py")), ids=lambda path: path.stem)
def test_all_pages_of_hostile_records_do_nothing(source, monkeypatch):
    monkeypatch.chdir(ROOT)
    hostile_sweep()
    assert Page(outputs_of(source, monkeypatch)).acting == []


def test_what_a_run_and_its_cost_say_of_a_hostile_record():
    record = hostile(make_record())
    for html in (record_table(record).data, rendered(describe_cost([record]))):
        page = Page(html)
        assert page.acting == [] and MARK in page.text


def test_a_memory_of_hostile_origin():
    run = parse("continual", {})
    selection, stages = make_record(method="uniform"), range(1, run.num_stages + 1)
    record = selection.model_copy(
        update={
            "experiment": "continual",
            "parameters": run.canonical(),
            "metrics": {**selection.metrics, "backward_transfer_points": 0.0},
            "series": {
                "classes_seen": [2.0 * k for k in stages],
                **{f"{kind}_after_stage_{k}": [50.0] * k for kind in KINDS for k in stages},
            },
        }
    )
    (origin,) = replay_runs([hostile(record, metrics=record.metrics)])["provenance"]
    page = Page(rendered(origin))
    assert page.acting == [] and MARK in page.text


KINDS = ("accuracy_percent", "own_classes_accuracy_percent")
