"""The explorer as a widget: what is seen on the page, and Python's variables, are the same."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import anywidget
import numpy as np
import traitlets

from autoencode.explorer.page import asset

PROGRAM = "widget.js"


class Numbers(traitlets.List):  # type: ignore[type-arg]
    """A list (of lists) of numbers, which arrays and tensors may be given for."""

    def validate(self, obj: Any, value: Any) -> list[Any] | None:
        """The numbers as lists."""
        if not isinstance(value, list | tuple):
            value = np.asarray(value).tolist()
        return super().validate(obj, [_listed(part) for part in value])


def _listed(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return [_listed(part) for part in value]
    return np.asarray(value).tolist()


class ExplorerWidget(anywidget.AnyWidget):
    """The explorer in a running notebook; `Explorer.widget` makes it.

    What the page changes can be read here, and observed: `widget.observe(heard, "selected")`. What
    is set here, the page shows. Positions that the page does not show are left out.

    selected: rows of the data's test part: those inside of the lasso.
    codes: of each model the code that is shown while nothing is pointed at, flat; empty until the
        page has been opened.
    pins: of each model the pinned codes, flat, two at most.

    Raises:
        traitlets.TraitError: a code of another length than the model's.
    """

    _esm = asset(PROGRAM)
    _page = traitlets.Unicode().tag(sync=True)
    _title = traitlets.Unicode().tag(sync=True)
    height = traitlets.Int().tag(sync=True)
    selected = Numbers(traitlets.Int()).tag(sync=True)
    codes = Numbers(traitlets.List(traitlets.Float())).tag(sync=True)
    pins = Numbers(traitlets.List(traitlets.List(traitlets.Float()))).tag(sync=True)

    def __init__(self, page: str, title: str, height: int, sizes: Sequence[int]) -> None:
        self._sizes = list(sizes)
        super().__init__(_page=page, _title=title, height=height)

    @traitlets.validate("codes")
    def _codes_fit(self, proposal: Any) -> Any:
        codes = proposal["value"]
        self._check([[code] for code in codes], "codes")
        return codes

    @traitlets.validate("pins")
    def _pins_fit(self, proposal: Any) -> Any:
        self._check(proposal["value"], "pins")
        return proposal["value"]

    def _check(self, given: list[list[list[float]]], name: str) -> None:
        lengths = [[len(code) for code in codes] for codes in given]
        wrong = any({*found} - {d} for found, d in zip(lengths, self._sizes, strict=False))
        if given and (wrong or len(given) != len(self._sizes)):
            raise traitlets.TraitError(
                f"{name} holds a list for each model, with codes of length "
                f"{', '.join(map(str, self._sizes))}; these have {lengths}."
            )
