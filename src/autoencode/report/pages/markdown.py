"""Texts in Markdown: what they hold is shown, and never becomes HTML, a link or another block."""

from __future__ import annotations

import re


def plain(text: object) -> str:
    r"""Text as one line without formatting, also at the beginning of a line.

    >>> print(plain("a <b> * c_d _e_ [f](g) [0, 1]"))
    a \<b> \* c_d \_e\_ \[f\](g) \[0, 1\]
    >>> print(plain("__dict__ a__b"))
    \_\_dict\_\_ a\_\_b
    >>> print(plain("1. a"), plain("-1.5"), plain("- a"), plain("# a"), sep=" / ")
    1\. a / -1.5 / \- a / \# a
    """
    line = " ".join(str(text).split())
    line = re.sub(r"[\\`*<\[\]&~$#]|(?<![^\W_])_|_(?![^\W_])", r"\\\g<0>", line)
    # What begins a list, a quotation, a heading or a rule.
    return re.sub(r"^(\d{0,9})([-+.)](?=\s|$)|[>=|]|-(?=-))", r"\1\\\2", line)


def cell(text: str) -> str:
    """Markdown as a cell of a table."""
    return " ".join(text.replace("|", "\\|").split())


def code(text: object) -> str:
    r"""Text as code in one line.

    >>> print(code("a|b"), code("a `b` <c>"))
    `a|b` `` a `b` <c> ``
    """
    line = " ".join(str(text).split()) or " "
    fence = _fence(line, 1)
    return f"{fence} {line} {fence}" if "`" in line else f"{fence}{line}{fence}"


def code_cell(text: object) -> str:
    """Text as a cell with code; backticks in a cell cannot enclose a backslash before a bar."""
    return cell(f"<code>{plain(text)}</code>" if "\\|" in str(text) else code(text))


def block(text: object, language: str = "") -> str:
    """Text as a block of code."""
    lines = "\n".join(str(text).splitlines())
    fence = _fence(lines, 3)
    return f"{fence}{language}\n{lines}\n{fence}"


def _fence(text: str, shortest: int) -> str:
    """More backticks than stand side by side in the text."""
    longest = max(map(len, re.findall("`+", text)), default=0)
    return "`" * max(shortest, longest + 1)
