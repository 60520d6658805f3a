"""What readers elsewhere get: no MyST is left, the numbers are those of the pages, and each notebook runs alone."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from lcmat.book import publishing
from lcmat.book.plain import plain, plain_code
from lcmat.book.references import Book, References, Work

ROOT = Path(__file__).parents[1]
SITE = ROOT / "_build/html"
HOME = "https://github.com/somebody/something"
NAMES = [publishing.page_of(source).removeprefix("book/") for source in publishing.sources()]
QUICK = ["derivation/00_map", "report/wall-clock", "benchmarks/selection"]
MYST = re.compile(
    r"^[ >]*(?:`{3,}|:{3,}|~{3,})\{|(?<!`)\{[a-z][\w:.-]*\}`|^\([\w-]+\)=$|\$\$ ?\([\w-]+\)|^\+\+\+|^% ", re.MULTILINE
)
ROLE_IN_CODE = re.compile(r"\{(?:doc|eq|ref|numref|term|cite:?\w*|prf:\w+|class|func|meth)\}\}?`")

PAGE = r"""
# First

% a comment
(above)=
## Part one

See {eq}`eq-one`, {eq}`eq-far`, {ref}`above`, {ref}`the part <above>`, {numref}`fig-seen`, {doc}`second`,
{doc}`there <../start/notation>`, {term}`coreset`, {cite:t}`one2001`,
{cite:p}`one2001,two2002`, [words](second.md),
[elsewhere](https://example.org){.wide}, {func}`~torch.func.grad`, {math}`x^2`, `{doc}` and ``{eq}`literal` ``.

- a list

  ```{math}
  :label: eq-one
  a &= b \\

  c &= d
  ```

````{prf:theorem} Of sums
:label: thm-sum
:nonumber:
Then

$$
e = f
$$ (eq-two)

```{note}
By {eq}`eq-two`.
```
````

:::{dropdown} Solution
Look.
:::

::::{tab-set}
:::{tab-item} Python
`pip`
:::
::::

:::{grid} 2
:gutter: 1
```{grid-item-card} Card
:link: second
Text
```
:::

```{figure} pictures/seen.png
:name: fig-seen
:alt: two lines
The caption of {eq}`eq-one`.
```

```{glossary}
coreset
  A part of {doc}`second`.
```

```{code-block} python
x = "{doc}`kept`"
```

```{toctree}
second
```
"""

PLAIN = r"""
# First

## Part one

See (1), [(3) of “Second”](second.ipynb), Part one, the part, Figure 1, [Second](second.ipynb),
there, coreset, [One (2001)](https://doi.org/10.1/1),
([One, 2001](https://doi.org/10.1/1); Two and Three, 2002), [words](second.ipynb),
[elsewhere](https://example.org), `torch.func.grad`, $x^2$, `{doc}` and ``{eq}`literal` ``.

- a list

  $$
  \begin{aligned}
  a &= b \\
  c &= d
  \end{aligned}
  \tag{1}
  $$

> **Of sums**
>
> Then
>
> $$
> e = f
> \tag{2}
> $$
>
> > **Note**
> >
> > By (2).

<details>
<summary>Solution</summary>

Look.

</details>

> **Python**
>
> `pip`

> **[Card](second.ipynb)**
>
> Text

*two lines*

**Figure 1.** The caption of (1).

- **coreset**
  A part of [Second](second.ipynb).

```python
x = "{doc}`kept`"
```
"""


def book(site=None):
    works = {"one2001": Work("One", "2001", "https://doi.org/10.1/1"), "two2002": Work("Two and Three", "2002", None)}
    made = Book(works=works, site=site)
    made.add("book/part/first", PAGE, is_notebook=True)
    made.add("book/part/second", "# Second\n\n```{math}\n:label: eq-far\nz\n```\n", is_notebook=True)
    made.add("book/start/notation", "# Notation\n", is_notebook=False)
    return made


def texts(notebook):
    """What a reader sees of a notebook: kind of cell, text."""
    for cell in notebook.cells:
        yield cell.cell_type, cell.source
        for output in cell.get("outputs", []):
            yield from (("output", text) for kind, text in output.get("data", {}).items() if kind == "text/markdown")


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """All notebooks, of a repository that has an address."""
    folder = tmp_path_factory.mktemp("exported")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LCMAT_REPOSITORY", HOME)
        patch.setenv("LCMAT_RUNS", str(folder / "runs"))
        publishing.export_notebooks(folder)
    return folder


def test_every_kind_of_myst_becomes_plain_markdown():
    assert plain(PAGE, References(book(), "book/part/first")).strip() == PLAIN.strip()


def test_links_lead_to_the_site_where_there_is_one():
    references = References(book("https://a.github.io/b/"), "book/part/second")
    assert plain("{eq}`eq-two` and {doc}`/book/start/notation`", references) == (
        "[(2)](https://a.github.io/b/book/part/first.html#equation-eq-two) and "
        "[Notation](https://a.github.io/b/book/start/notation.html)"
    )


def test_roles_in_the_texts_of_code_are_rewritten_and_computed_targets_stay():
    code = 'f"{{eq}}`eq-one` of {{doc}}`{chapter}`, {name}`s", "{doc}`second`"'
    expected = 'f"(1) of `{chapter}`, {name}`s", "[Second](second.ipynb)"'
    assert plain_code(code, References(book(), "book/part/first")) == expected


def test_an_executed_notebook_keeps_results_and_loses_what_its_machine_left():
    output = nbformat.v4.new_output("display_data", {"text/markdown": ":::{div} x\nSee {doc}`second`.\n:::"})
    cell = nbformat.v4.new_code_cell(
        "1", outputs=[output], execution_count=3, metadata={"papermill": {"status": "completed"}}
    )
    notebook = nbformat.v4.new_notebook(cells=[cell], metadata={"papermill": {"input_path": "/here"}, "lcmat": {}})
    made = publishing.published(notebook, References(book(), "book/part/first"))
    assert made.cells[-1].outputs[0].data["text/markdown"].strip() == "See [Second](second.ipynb)."
    assert made.cells[-1].execution_count == 3
    assert "/here" not in nbformat.writes(made) and "papermill" not in nbformat.writes(made)


@pytest.mark.parametrize("name", NAMES)
def test_no_directive_or_role_is_left_and_no_path_of_this_machine(name, exported):
    notebook = nbformat.read(exported / f"{name}.ipynb", as_version=4)
    nbformat.validate(notebook)
    for kind, text in texts(notebook):
        assert not (ROLE_IN_CODE if kind == "code" else MYST).findall(text), text
        if kind == "code":
            compile(text, name, "exec")
    written = nbformat.writes(notebook)
    assert not [path for path in (str(ROOT), str(exported), str(Path.home()) + "/.") if path in written]
    assert set(notebook.metadata) <= {"kernelspec", "language_info"}
    assert next(text for kind, text in texts(notebook) if kind == "code").startswith("# Only on Colab")


@pytest.mark.parametrize("name", NAMES)
def test_equations_are_numbered_without_gaps(name, exported):
    notebook = nbformat.read(exported / f"{name}.ipynb", as_version=4)
    numbers = [
        int(n) for kind, text in texts(notebook) if kind == "markdown" for n in re.findall(r"\\tag\{(\d+)\}", text)
    ]
    assert numbers == list(range(min(numbers, default=0), min(numbers, default=0) + len(numbers)))
    assert all(text.count("$$") % 2 == 0 for kind, text in texts(notebook) if kind == "markdown")


def test_without_an_address_there_is_nothing_to_clone(monkeypatch):
    monkeypatch.setattr(publishing, "repository", lambda: None)
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("1")])
    assert len(publishing.published(notebook, References(book(), "book/part/first")).cells) == 1


def test_on_colab_the_first_cell_clones_and_installs(tmp_path, exported):
    """The address leads to a repository here, and pip only says what it would do."""
    upstream, empty = tmp_path / "upstream", tmp_path / "empty"
    upstream.mkdir()
    empty.mkdir()
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, upstream)
    (upstream / "lcmat").mkdir()
    (upstream / "lcmat/__init__.py").write_text("WHENCE = 'the clone'\n")
    author = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
    for words in (["init", "--quiet"], ["add", "."], ["commit", "--quiet", "--message", "All"]):
        subprocess.run(["git", *author, *words], cwd=upstream, check=True)
    notebook = nbformat.read(exported / "start/ten-minutes.ipynb", as_version=4)
    cell = next(text for kind, text in texts(notebook) if kind == "code")
    setting = {
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": f"url.file://{upstream}.insteadOf",
        "GIT_CONFIG_VALUE_0": HOME,
    }
    pip = {"PIP_DRY_RUN": "1", "PIP_NO_DEPS": "1", "PIP_NO_INDEX": "1", "PIP_NO_BUILD_ISOLATION": "0"}
    environment = {
        "PATH": f"{Path(sys.executable).parent}:/usr/local/bin:/usr/bin:/bin",
        "HOME": str(tmp_path),
        **setting,
        **pip,
    }
    shown = [sys.executable, "-c", f"{cell}\nimport lcmat\nprint(getattr(lcmat, 'WHENCE', 'installed'))"]
    for colab, whence in (({}, "installed"), ({"COLAB_RELEASE_TAG": "release"}, "the clone")):
        done = subprocess.run(shown, cwd=empty, env=environment | colab, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        assert done.stdout.strip().endswith(whence)
        assert (empty / "repository").is_dir() == bool(colab)


@pytest.mark.timeout(1200)
@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=() if name in QUICK else pytest.mark.slow) for name in NAMES]
)
def test_it_runs_from_an_empty_folder_by_plain_papermill(name, exported, tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    shutil.copytree(ROOT / "book/records", tmp_path / "records")  # what runs write lands in the copy
    empty = tmp_path / "empty"
    empty.mkdir()
    command = [sys.executable, "-m", "papermill", exported / f"{name}.ipynb", tmp_path / "out.ipynb", "-k", "python3"]
    done = subprocess.run([*command, "--no-progress-bar"], cwd=empty, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    executed = json.loads((tmp_path / "out.ipynb").read_text())
    assert all(cell["execution_count"] for cell in executed["cells"] if cell["cell_type"] == "code" and cell["source"])


@pytest.mark.site
def test_the_numbers_are_those_of_the_pages_and_downloads_are_plain():
    if not (SITE / "index.html").is_file():
        pytest.skip("no site in _build/html: run make book")
    labels = publishing.read_book().labels
    compared = 0
    for path in SITE.glob("book/**/*.html"):
        pairs = re.findall(r'class="eqno">\((\d+)\)<a[^>]*href="#equation-([^"]+)"', path.read_text())
        assert [(number, labels[label].number) for number, label in pairs] == [(n, f"({n})") for n, _ in pairs], path
        compared += len(pairs)
    assert compared > 100
    for path in SITE.glob("_sources/book/*/*.ipynb"):
        notebook = nbformat.read(path, as_version=4)
        left = [text for kind, text in texts(notebook) if kind != "code" and MYST.search(text)]
        assert not left and str(ROOT) not in path.read_text(), path
