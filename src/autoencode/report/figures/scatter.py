"""The names of classes, written among the dots of a plane."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from matplotlib.axes import Axes
from matplotlib.patheffects import withStroke
from torch import Tensor
from torch.nn.functional import normalize

from autoencode.report.style import NORMAL, PAPER

# A letter's width and a line's height as fractions of the axes.
LETTER, LINE = 0.016, 0.045
# More names than these would hide the dots, unless they are short.
NAMED, SHORT = 12, 2


def write_names(
    axes: Axes, labels: Sequence[str], members: Sequence[Tensor], low: Tensor, high: Tensor
) -> None:
    """Write each class's name amid its points [m, 2], in axes that reach from `low` to `high`.

    Of many long names none is written.
    """
    longest = max((len(label) for label in labels), default=0)
    if not labels or (len(labels) > NAMED and longest > SHORT):
        return
    places = _places(members, low, high, longest)
    for label, (x, y) in zip(labels, places.tolist(), strict=True):
        axes.text(
            x,
            y,
            label,
            ha="center",
            va="center",
            size=NORMAL + 1 if len(label) <= SHORT else NORMAL - 2,
            weight="bold",
            path_effects=[withStroke(linewidth=3, foreground=PAPER)],
        )


def _places(members: Sequence[Tensor], low: Tensor, high: Tensor, longest: int) -> Tensor:
    """Where each class's name stands, [K, 2]: in its middle, moved aside where two would touch."""
    middles = torch.stack([own.quantile(0.5, dim=0) for own in members])
    # In units of a name's width and height.
    unit = (high - low) * torch.tensor([max(LETTER * longest, LINE), LINE])
    places = (middles - low) / unit
    for _ in range(50):
        gaps = places.unsqueeze(1) - places
        near = gaps.norm(dim=-1)
        # Two in the very same place part along the order of the classes.
        order = torch.arange(len(places)).float()
        aside = (order.view(-1, 1, 1) - order.view(1, -1, 1)).sign()
        gaps = torch.where((near < 1e-6).unsqueeze(-1), aside, gaps)
        push = (1 - near).clamp_min(0).unsqueeze(-1) * normalize(gaps, dim=-1)
        places = places + push.sum(1) / 4
    inside = (places * unit / (high - low)).clamp(0.03, 0.97)
    return low + inside * (high - low)
