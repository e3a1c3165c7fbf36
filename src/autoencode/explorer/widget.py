"""The explorer as a notebook widget that exchanges values with the kernel."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import anywidget
import numpy as np
import traitlets

from autoencode.explorer.page import asset

PROGRAM = "widget.js"


class Numbers(traitlets.List):  # type: ignore[type-arg]
    """A trait for (nested) lists of numbers that also accepts arrays and tensors."""

    def validate(self, obj: Any, value: Any) -> list[Any] | None:
        """Convert to lists and validate."""
        return super().validate(obj, _listed(value))


def _listed(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return [_listed(part) for part in value]
    return np.asarray(value).tolist()


class ExplorerWidget(anywidget.AnyWidget):
    """The explorer in a running notebook, made by `Explorer.widget`.

    Values that the page changes can be read and observed: `widget.observe(handler, "selected")`.
    Values set here are shown by the page. Rows that the page does not show are ignored.

    selected: rows of the test part inside the lasso.
    codes: for each model, the current code, flat; empty until the page is open.
    pins: for each model, the pinned codes, flat, two at most.

    Raises:
        traitlets.TraitError: a code has the wrong length.
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
    def _validate_codes(self, proposal: Any) -> Any:
        self._check([[code] for code in proposal["value"]], "codes")
        return proposal["value"]

    @traitlets.validate("pins")
    def _validate_pins(self, proposal: Any) -> Any:
        self._check(proposal["value"], "pins")
        return proposal["value"]

    def _check(self, values: list[list[list[float]]], name: str) -> None:
        lengths = [[len(code) for code in codes] for codes in values]
        wrong = any({*found} - {d} for found, d in zip(lengths, self._sizes, strict=False))
        if values and (wrong or len(values) != len(self._sizes)):
            raise traitlets.TraitError(
                f"{name} must hold one list per model, with codes of length "
                f"{', '.join(map(str, self._sizes))}; the lengths are {lengths}."
            )
