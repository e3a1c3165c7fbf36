"""Docstrings of the package as reStructuredText.

The package writes them as plain text: paragraphs, lines "name: what it is" for parameters and
fields, a list "Raises:", code in single backticks, and examples.
"""

import inspect
import re
import textwrap
from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import MISSING, fields, is_dataclass
from typing import Any

from sphinx.application import Sphinx

NAMES = r"\*{0,2}[A-Za-z_]\w*(?:, \*{0,2}[A-Za-z_]\w*)*"
ENTRY = re.compile(rf"({NAMES}):(?: +|$)(.*)", re.MULTILINE)
# A second entry in one line follows after several spaces.
NEXT_ENTRY = re.compile(rf"(?<=\S) {{2,}}(?={NAMES}: )")
CODE = re.compile(r"`([^`]+)`")


def inline(text: str, links: Mapping[str, str]) -> str:
    """Text with its code as literals or links, and without other markup.

    links: name in a docstring -> dotted name of a documented object.

    >>> inline("codes [*S, B] of `fit` in `p(x|z)`", {"fit": "autoencode.fit"})
    'codes [\\\\*S, B] of :py:obj:`fit <autoencode.fit>` in ``p(x|z)``'
    """
    parts = CODE.split(text)
    for i, part in enumerate(parts):
        if i % 2:
            name = " ".join(part.split())
            target = links.get(name.removesuffix("()"))
            parts[i] = f":py:obj:`{name} <{target}>`" if target else f"``{name}``"
            if parts[i + 1][:1].isalnum():
                parts[i] += "\\ "
        else:
            escaped = re.sub(r"([\\*|])", r"\\\1", part)
            parts[i] = re.sub(r"(?<=\w)_(?!\w)", r"\\_", escaped)
    return "".join(parts)


def to_rst(text: str, names: Collection[str], links: Mapping[str, str], title: str) -> str:
    """The reStructuredText of a docstring.

    names: of the parameters or fields; a line "name: …" with another name is plain text.
    title: above the first list of parameters or fields.
    """
    out: list[str] = []
    for block in re.split(r"\n\s*\n(?=\S)", inspect.cleandoc(text)):
        first, _, rest = block.partition("\n")
        if first.startswith(">>> "):
            out.append(block)
        elif first == "Raises:":
            out += [".. rubric:: Raises", _definitions(textwrap.dedent(rest), None, links)]
        elif _names(first, names):
            if (rubric := f".. rubric:: {title}") not in out:
                out.append(rubric)
            out.append(_definitions(block, names, links))
        else:
            # An indented block after an empty line is code.
            words, *code = re.split(r"\n\s*\n(?= )", block)
            out.append(inline(words, links))
            for each in code:
                out += ["::", each]
    return "\n\n".join(out) + "\n"


def _names(line: str, allowed: Collection[str] | None) -> list[str]:
    """The names of an entry "name, name: what", or none if the line is not an entry."""
    found = ENTRY.match(line)
    names = [name.lstrip("*") for name in found.group(1).split(", ")] if found else []
    return names if allowed is None or all(name in allowed for name in names) else []


def _definitions(block: str, allowed: Collection[str] | None, links: Mapping[str, str]) -> str:
    """A definition list of entries; more indented lines belong to the entry above."""
    entries: list[list[str]] = []
    for line in block.splitlines():
        if not line.startswith(" ") and _names(line, allowed):
            entries.append([line])
        elif entries:
            entries[-1].append(line)
        else:
            return inline(block, links)
    out = []
    for entry in entries:
        # The last line of an entry may hold the next one.
        for part in _split(entry, allowed):
            found = ENTRY.match(part)
            assert found is not None
            term = ", ".join(_term(name, links) for name in found.group(1).split(", "))
            body = part[found.start(2) :]
            first, _, rest = body.partition("\n")
            rest = textwrap.dedent(rest)
            nested = not first and _names(rest.partition("\n")[0], None)
            content = (
                _definitions(rest, None, links) if nested else inline(f"{first}\n{rest}", links)
            )
            out.append(f"{term}\n{textwrap.indent(content.strip(), '    ')}")
    return "\n".join(out)


def _split(entry: list[str], allowed: Collection[str] | None) -> list[str]:
    parts = [""]
    for line in entry:
        head, *more = NEXT_ENTRY.split(line.rstrip()) if line.strip() else [line]
        while more and not _names(more[0], allowed):
            head += "  " + more.pop(0)
        parts[-1] += f"{head}\n"
        parts += [f"{each}\n" for each in more]
    return parts


def _term(name: str, links: Mapping[str, str]) -> str:
    return inline(f"`{name}`", {name: links[name]} if name[0].isupper() and name in links else {})


def names_of(thing: Any) -> tuple[set[str], str]:
    """Names of the parameters or fields of a function or class, and the title of their list."""
    names: set[str] = set()
    if is_dataclass(thing):
        return {field.name for field in fields(thing)}, "Fields"
    with suppress(TypeError, ValueError):  # without a signature
        names |= set(inspect.signature(thing).parameters)
    names |= set(getattr(thing, "_fields", ()))
    return names, "Parameters"


def rewrite(app: Sphinx, what: str, name: str, thing: Any, options: Any, lines: list[str]) -> None:
    """Replaces the lines of a docstring."""
    names, title = names_of(thing)
    text = "\n".join(lines)
    if is_dataclass(thing):  # options of the command line have their help beside the field
        helped = [(f.name, f.metadata["help"]) for f in fields(thing) if f.metadata.get("help")]
        text += "\n" + "\n".join(f"{field}: {said}" for field, said in helped)
    lines[:] = to_rst(text, names, app.config.docstring_links, title).splitlines()


def short_signature(
    app: Sphinx, what: str, name: str, thing: Any, options: Any, signature: str, returned: str
) -> tuple[str, str] | None:
    """The signature of a dataclass: its fields and their simple defaults, without types."""
    if not is_dataclass(thing):
        return None
    shown = []
    for field in fields(thing):
        if field.init and field.default is MISSING and field.default_factory is MISSING:
            shown.append(field.name)
        elif field.init:
            simple = isinstance(field.default, str | int | float | None)
            shown.append(f"{field.name}={field.default!r}" if simple else f"{field.name}=...")
    return f"({', '.join(shown)})", returned


def collect_links(app: Sphinx) -> None:
    """Finds the documented objects in the pages of the reference."""
    links: dict[str, str] = {}
    for page in sorted((app.srcdir / "api").glob("*.md")):
        directive = r"^\.\. (?:auto|py:)\w+:: (autoencode\.[\w.]+)$"
        for target in re.findall(directive, page.read_text(encoding="utf-8"), re.MULTILINE):
            links[target] = links[target.rpartition(".")[2]] = target
    app.config.docstring_links = links


def setup(app: Sphinx) -> dict[str, bool]:
    """Called by Sphinx."""
    app.add_config_value("docstring_links", {}, "")
    app.connect("builder-inited", collect_links)
    app.connect("autodoc-process-docstring", rewrite)
    app.connect("autodoc-process-signature", short_signature)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
