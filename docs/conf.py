"""The configuration of the documentation site: `make docs` builds it (docs/decisions/0063-a-docs-site.md says why so).

The source folder is the repository, not docs/: README.md, CONTRIBUTING.md, model cards and other pages outside docs/
are pages of the site too, so a relative link means the same on a code host and in the site.
"""

import sys
from pathlib import Path

REPOSITORY = Path(__file__).parent.parent
sys.path.insert(0, str(REPOSITORY))  # for docsite, which is not installed

project = "Mirage"
copyright = "the authors of Mirage, Apache-2.0"
extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx_copybutton", "docsite.extension"]
root_doc = "docs/index"
include_patterns = [
    "docs/**",
    "*.md",
    "examples/*/README.md",
    "models/checkpoints/*.md",
]
# Folders without pages are not searched; some of them have tens of thousands of files.
exclude_patterns = [
    *(".*", "app", "benchmarks", "build", "client", "deploy", "docsite", "runs", "shared", "soak", "supply_chain"),
    *(
        "tests",
        "training",
        "docs/pictures",
        "docs/benchmarks",
        "docs/lesson/lesson-files",
        "**/node_modules",
        "**/.ipynb_checkpoints",
    ),
]

# Markdown. Headings have the anchors that code hosts give them.
myst_heading_anchors = 6
myst_enable_extensions = ["attrs_inline", "deflist"]

# Notebooks are shown with the outputs that they were saved with. Nothing is executed, and no widget is loaded.
nb_execution_mode = "off"
nb_ipywidgets_js: dict[str, dict[str, str]] = {}

# Docstrings are plain text with code in single backticks: docsite/docstrings.py turns them into what Sphinx reads.
autodoc_default_options = {"members": True, "undoc-members": True, "member-order": "bysource"}
python_maximum_signature_line_length = 100
add_module_names = False
toc_object_entries_show_parents = "hide"

nitpicky = True
highlight_language = "none"  # for code without a language, which is mostly commands of the shell
smartquotes = False  # two hyphens begin an option

html_theme = "furo"
html_title = "Mirage"
html_logo = html_favicon = "../app/page/files/icon.svg"
html_extra_path = ["site-root"]
html_copy_source = False
html_show_sphinx = False
html_theme_options = {
    "light_css_variables": {"color-brand-primary": "#a83a17", "color-brand-content": "#a83a17"},
    "dark_css_variables": {"color-brand-primary": "#f39a74", "color-brand-content": "#f39a74"},
    "navigation_with_keys": True,
}
html_static_path = ["static"]
html_css_files = ["site.css"]
# The prompt of a console example is not copied.
copybutton_prompt_text = r"\$ |>>> "
copybutton_prompt_is_regexp = True
