"""Formulas as MathML, which browsers show without a script from the network."""

import html
import re
from typing import Any

from docutils import nodes
from docutils.utils.math import MathError
from docutils.utils.math.latex2mathml import tex2mathml
from sphinx.application import Sphinx
from sphinx.util import logging

LOG = logging.getLogger(__name__)


def mathml(node: nodes.Element, as_block: bool = False) -> str:
    """The MathML of a formula; a formula that cannot be read is a warning, and stays as it is."""
    # Fractions of two digits may be written without braces.
    source = re.sub(r"(\\[td]?frac) ?(\d)(\d)", r"\1{\2}{\3}", node.astext())
    try:
        return str(tex2mathml(source, as_block=as_block))
    except MathError as error:
        LOG.warning("The formula %s cannot be shown: %s", source, error, location=node)
        return f"<code>{html.escape(source)}</code>"


def _inline(self: Any, node: nodes.math) -> None:
    self.body.append(mathml(node))
    raise nodes.SkipNode


def _block(self: Any, node: nodes.math_block) -> None:
    self.body.append(f'<div class="math">{mathml(node, as_block=True)}</div>\n')
    raise nodes.SkipNode


def setup(app: Sphinx) -> dict[str, bool]:
    """Called by Sphinx."""
    app.add_html_math_renderer("mathml", (_inline, None), (_block, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
