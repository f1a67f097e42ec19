"""How the site is built: Markdown pages, notebooks that are executed, and a reference made from the docstrings.

Executed notebooks are kept in ``docs/_build/.jupyter_cache`` and run again when their code has changed.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

import cards

from xdownscale.field.attrs import package_version

project = "xdownscale"
author = "The xdownscale developers"
project_copyright = author
release = package_version()

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.napoleon",
    "sphinx.ext.mathjax",
    "sphinx_copybutton",
    "sphinx_design",
]
exclude_patterns = ["_build", "conf.py", "notebook.py", "cards.py", "check_links.py"]
suppress_warnings = ["mystnb.unknown_mime_type"]

myst_enable_extensions = ["colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 3

nb_custom_formats = {".py": "notebook.reads"}
nb_execution_mode = "cache"
nb_execution_timeout = 600
nb_execution_raise_on_error = True
nb_merge_streams = True
nb_output_stderr = "remove"  # progress bars, and advice of libraries

html_theme = "pydata_sphinx_theme"
html_title = f"xdownscale {release}"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_show_sourcelink = False
html_theme_options = {
    "navigation_with_keys": False,
    "header_links_before_dropdown": 7,
    "show_prev_next": False,
    "show_toc_level": 2,
    "navbar_align": "left",
    "navbar_end": ["theme-switcher"],
    "navbar_persistent": ["search-button"],
    "secondary_sidebar_items": ["page-toc"],
    "footer_start": ["copyright"],
    "footer_end": ["sphinx-version"],
    "pygments_light_style": "a11y-high-contrast-light",
    "pygments_dark_style": "a11y-high-contrast-dark",
}
html_sidebars = {"index": [], "benchmarks": [], "papers": [], "changes": []}

autodoc_typehints = "none"
autosummary_generate = True
napoleon_google_docstring = False
templates_path = ["_templates"]


def setup(app: Any) -> None:
    """Write the pages of the models from their cards, and let formulas in docstrings keep their bars."""
    app.connect("builder-inited", lambda app: cards.write(Path(app.srcdir) / "models"))
    app.connect("autodoc-process-docstring", _escape_bars, priority=900)


def _escape_bars(_app: Any, _what: str, _name: str, _object: Any, _options: Any, lines: list[str]) -> None:
    # |x| would be a substitution of reStructuredText.
    lines[:] = [line if ">>>" in line or "``" in line else line.replace("|", r"\|") for line in lines]
