"""A diagram of a model as SVG: a bar for each tensor, from the example to its reconstruction."""

from __future__ import annotations

from html import escape
from math import log, prod

from autoencode.report.architecture import Architecture, Stage, shape_text

# In user units of the SVG, which are CSS pixels at its largest size.
WIDTH = 360
BAR, GAP = 30, 34
MARGIN = 8
MIN_BAR = 14
# Mean width of a character of each font, wide enough for any system font.
CHARACTER, SMALL_CHARACTER = 8.4, 6.9
ROLES = {"input": "example", "code": "code z", "output": "reconstruction"}


def diagram(model: Architecture, title: str) -> str:
    """The diagram as an SVG element, whose colours come from the style of the page.

    The width of a bar grows with the logarithm of the number of values.
    """
    height = 2 * MARGIN + len(model.stages) * BAR + (len(model.stages) - 1) * GAP
    largest = max(prod(stage.shape) for stage in model.stages)
    parts = []
    for i, stage in enumerate(model.stages):
        top = MARGIN + i * (BAR + GAP)
        if i:
            parts += _arrow(stage, top)
        parts += _bar(stage, top, largest)
    words = ", ".join(
        f"{ROLES.get(stage.role, 'layer')} {shape_text(stage.shape)}" for stage in model.stages
    )
    return (
        f'<svg class="diagram" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" '
        f'role="img" aria-label="{escape(f"{title}: {words}")}">{"".join(parts)}</svg>'
    )


def _bar(stage: Stage, top: float, largest: int) -> list[str]:
    space = WIDTH - 2 * MARGIN - MIN_BAR
    width = MIN_BAR + space * log(1 + prod(stage.shape)) / log(1 + max(largest, 1))
    left = (WIDTH - width) / 2
    text = f"{ROLES[stage.role]}: " if stage.role else ""
    text += shape_text(stage.shape)
    inside = len(text) * CHARACTER + 12 <= width
    at = WIDTH / 2 if inside else (WIDTH + width) / 2 + 8
    if not inside and at + len(text) * CHARACTER > WIDTH:
        # Beside a bar that is wide already the text would leave the picture.
        text = shape_text(stage.shape)
        inside = at + len(text) * CHARACTER > WIDTH
        at = WIDTH / 2 if inside else at
    return [
        f'<rect class="bar {stage.role}" x="{left:.1f}" y="{top}" width="{width:.1f}" '
        f'height="{BAR}" rx="6"/>',
        f'<text class="{"in" if inside else "beside"} {stage.role}" x="{at:.1f}" '
        f'y="{top + BAR / 2 + 5:g}">{escape(text)}</text>',
    ]


def _arrow(stage: Stage, top: float) -> list[str]:
    """The arrow to a stage, and the layers that compute it."""
    x, start, end = WIDTH / 2, top - GAP + 4, top - 4
    path = f"M{x:g} {start:g}V{end:g}m-4 -5l4 5l4 -5"
    room = int((WIDTH / 2 - 14 - MARGIN) / SMALL_CHARACTER)
    text = stage.summary()
    lines = _lines(text, room)
    parts = [f'<path class="arrow" d="{path}"/>']
    middle = (start + end) / 2
    for i, line in enumerate(lines):
        y = middle + 4 + 13 * (i - (len(lines) - 1) / 2)
        parts.append(f'<text class="layers" x="{x + 12:g}" y="{y:g}">{escape(line)}</text>')
    return parts


def _lines(text: str, room: int) -> list[str]:
    """The text in at most two lines of `room` characters; an ellipsis replaces the rest."""
    lines = [""]
    for word in text.split(", "):
        joined = f"{lines[-1]}, {word}" if lines[-1] else word
        if len(joined) <= room or not lines[-1]:
            lines[-1] = joined
        elif len(lines) == 1:
            lines[-1] += ","
            lines.append(word)
        else:
            lines[-1] += ", …"
            break
    return [line if len(line) <= room else f"{line[: room - 1]}…" for line in lines if line]
