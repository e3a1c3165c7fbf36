"""The site: `make site` builds it into build/site/, static, searchable and without a network."""

import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT / "docs" / "extensions"), str(ROOT / "src")]

# The folder of a GitHub repository that holds the notebooks, as notebooks/build/ does:
# "https://github.com/OWNER/NAME/blob/BRANCH/FOLDER". Where it is set, the pages of notebooks get a
# button that opens them in Colab.
repository_url = ""

project = "autoencode"
html_title = "autoencode"
extensions = ["sphinx.ext.autodoc", "myst_nb", "docstrings", "mathml", "notebooks"]
exclude_patterns = ["extensions", "**/.ipynb_checkpoints", "jupyter_execute"]
templates_path: list[str] = []

myst_enable_extensions = ["dollarmath", "colon_fence"]
myst_heading_anchors = 3  # links such as recipes.md#vae
nb_execution_mode = "off"  # notebooks are executed where they are made
html_math_renderer = "mathml"
nb_ipywidgets_js: dict[str, dict[str, str]] = {}  # would be loaded from the network

autodoc_member_order = "bysource"
autodoc_preserve_defaults = True
autodoc_class_signature = "mixed"
python_use_unqualified_type_names = True
python_maximum_signature_line_length = 88
add_module_names = False

nitpicky = True
# Types of other libraries in signatures: their pages are on the network.
nitpick_ignore_regex = [("py:class", r".*"), ("py:data", r"typing\..*")]
suppress_warnings = [
    "misc.highlighting_failure",  # blocks with "…" in place of code
]

smartquotes = False  # the quotes of texts and options stay as they are written

html_theme = "furo"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_show_sphinx = False
html_show_copyright = False
html_copy_source = False
html_theme_options = {
    "light_css_variables": {"color-brand-primary": "#2f5fa8", "color-brand-content": "#2f5fa8"},
    "dark_css_variables": {"color-brand-primary": "#8ab4f8", "color-brand-content": "#8ab4f8"},
}
