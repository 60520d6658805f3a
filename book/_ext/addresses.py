"""Sphinx extension: every address on the pages follows the one setting of `lcmat.files.home`.

Without a repository there are no buttons that lead to one, and no canonical address.
"""

from lcmat.files.home import repository, site

BRANCH = "main"  # the sources that a reader edits; the theme's own branch holds the executed notebooks
BUTTONS = ("use_repository_button", "use_issues_button", "use_edit_page_button")


def set_addresses(app, config) -> None:
    """Tell the theme before it reads its options."""
    home, options = repository(), config.html_theme_options
    options["repository_url"] = home or ""
    options.update(dict.fromkeys(BUTTONS, bool(home)))
    if home:
        config.html_baseurl = site(home)
    else:
        options["launch_buttons"] = {}


def source_of(page: str, suffix: str) -> str:
    """The tracked file that a page is made from.

    >>> source_of("book/start/ten-minutes", ".ipynb"), source_of("book/intro", ".md")
    ('notebooks/start/ten-minutes.py', 'book/intro.md')
    """
    if suffix != ".ipynb":
        return f"{page}{suffix}"
    name = page.removeprefix("book/")
    return "notebooks/tables.toml" if name.startswith("tables/") else f"notebooks/{name}.py"


def set_edit_address(app, pagename, templatename, context, doctree) -> None:
    """Let the button "Suggest edit" open the source, which is no notebook."""
    home = repository()
    if home and context.get("page_source_suffix"):
        source = source_of(pagename, context["page_source_suffix"])
        # The theme demands that the template names the file.
        context["edit_page_url_template"] = f"{home}/edit/{BRANCH}/{source}{{# file_name #}}"


def setup(app) -> dict[str, bool]:
    """Register before the theme, which makes the buttons of the address."""
    app.connect("config-inited", set_addresses, priority=100)
    app.connect("html-page-context", set_edit_address, priority=400)
    return {"parallel_read_safe": True}
