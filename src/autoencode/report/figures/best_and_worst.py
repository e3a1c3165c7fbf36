"""The test examples of lowest and of highest error."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self, final

import torch
from torch import Tensor

from autoencode.evaluation.examples import example_names
from autoencode.models.conditions import conditioning
from autoencode.report.figures.base import ReportContext
from autoencode.report.figures.pairs import MAX_LETTERS, PairsFigure
from autoencode.report.formatting import count, short
from autoencode.report.style import names
from autoencode.report.tables import Table
from autoencode.report.view import View

# Examples of lowest and of highest error that are shown.
MAX_BEST, MAX_WORST = 8, 16
# Of highest error that are named in the text.
NAMED = 3


@final
@dataclass(frozen=True)
class BestAndWorst(PairsFigure):
    """First `best` examples of lowest error, then those of highest; `mean` is over all.

    names: of these examples, such as their files; () if the data do not name them.
    """

    view: View
    best: int
    mean: float
    names: Sequence[str] = ()

    key = "best-and-worst"
    title = "Lowest and highest errors"
    with_classes = True

    @classmethod
    def for_run(cls, context: ReportContext) -> Self | None:
        """The examples that the evaluation found; without one, of the examples in the view.

        None for tables, whose rows of highest error are in `TableRows`.
        """
        if context.data.is_table:
            return None
        view, metrics, test = context.view, context.metrics, context.data.test
        order = view.positions[view.errors.argsort(stable=True)]
        best = torch.tensor(metrics.get("best_examples", order.tolist())[:MAX_BEST])
        worst = torch.tensor(metrics.get("worst_examples", order.flip(0).tolist())[:MAX_WORST])
        rows = torch.cat([best, worst])
        y = None if test.y is None else test.y[rows]
        conditions = conditioning(context.run.recipe, test)
        shown = View.of(
            view.model,
            test.x[rows],
            y,
            context.data.classes,
            None if conditions is None else conditions[rows],
        )
        mean = metrics.get("squared_error", view.errors.mean().item())
        named = getattr(test, "names", None) is not None
        return cls(
            replace(shown, positions=rows, total=len(test)),
            len(best),
            mean,
            example_names(context.data, rows.tolist()) if named else (),
        )

    def examples(self, which: Tensor) -> list[str]:
        """The end of the name of each, or its position."""
        if not self.names:
            return [f"#{position}" for position in self.view.positions[which].tolist()]
        ends = [self.names[i] for i in which.tolist()]
        ends = [end if len(end) <= MAX_LETTERS else f"…{end[1 - MAX_LETTERS :]}" for end in ends]
        return names(ends, MAX_LETTERS, "example")

    def labels(self) -> list[str]:
        """The name of each example, or "example 12" for its position."""
        return [*self.names] or [f"example {position}" for position in self.view.positions.tolist()]

    def table(self) -> Table:
        table = super().table()
        return replace(table, columns={"example": self.labels(), **table.columns})

    def blocks(self) -> dict[str, Tensor]:
        order = torch.arange(len(self.view.errors))
        return {"lowest": order[: self.best], "highest": order[self.best :]}

    def caption(self) -> str:
        view = self.view
        what = "The end of its name" if self.names else "Its position in the test part"
        if view.y is not None:
            what = f"The class and {what[0].lower()}{what[1:]}"
        return (
            f"Of {count(view.total)} test examples, the {self.best} with the lowest and the "
            f"{len(view.errors) - self.best} with the highest squared error, each above its "
            f"reconstruction. {what} {'are' if view.y is not None else 'is'} above each pair. The "
            "number below is the squared error, summed over "
            f"{count(view.model.sizes.pixels)} values."
        )

    def findings(self) -> str:
        view, worst = self.view, self.view.errors[self.best :]
        parts = []
        if self.mean > 0:
            times = worst.max().item() / self.mean
            parts.append(f"The highest error is {times:.1f} times the mean of {short(self.mean)}.")
        if view.y is not None:
            label, most = Counter(view.y[self.best :].tolist()).most_common(1)[0]
            if most > 1:
                name = names(view.classes)[label]
                parts.append(f"{most} of the {len(worst)} highest are of the class “{name}”.")
        order = worst.argsort(descending=True, stable=True)[:NAMED].tolist()
        labels = self.labels()[self.best :]
        listed = ", ".join(f"{labels[i]} ({short(worst[i].item())})" for i in order)
        parts.append(f"Highest errors: {listed}.")
        return " ".join(parts)

    def alt(self) -> str:
        low, high = self.view.errors.min().item(), self.view.errors.max().item()
        return (
            "Test examples above their reconstructions: those of lowest squared error, from "
            f"{short(low)}, and those of highest, up to {short(high)}."
        )
