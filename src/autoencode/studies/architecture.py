"""Shallow, deep, with dropout, convolutional: at equal parameters and at equal time."""

from __future__ import annotations

import math

from autoencode.data import Data
from autoencode.errors import DataError
from autoencode.models.build import build, parameter_count, sizes_for
from autoencode.models.recipe import Recipe
from autoencode.models.recipes.table import recipe_named
from autoencode.report.charts import Series, bars, curves, image_rows
from autoencode.report.figures.base import ChartFigure
from autoencode.report.formatting import short
from autoencode.report.tables import Table
from autoencode.studies.pictures import originals, reconstructions
from autoencode.studies.rules import differ, spread
from autoencode.studies.study import Conclusion, Finding, Results, Study, StudyPlan, StudyRun

# Times that differ by less than this factor are equal enough.
EVEN = 1.25
KINDS = ("shallow", "deep", "dropout", "conv")
LATENT = 16
# Units of the one hidden layer that sets the number of parameters for all.
UNITS = 512
SHOWN = 12
PARAMETERS, TIME = "equal parameters", "equal time"
WIDEST = 4096


class Architecture(Study):
    """Four networks, made comparable in two ways."""

    name = "architecture"
    title = "Which network?"
    question = (
        "One wide layer, several narrow ones, dropout between them, or convolutions: which "
        "reconstructs best with as many parameters, and which in as much time?"
    )
    expects = (
        "With as many parameters convolutions are best and dropout costs; in equal time the order "
        "is closer, as a step of a convolution takes longer."
    )

    def check(self, data: Data) -> None:
        """Convolutions need images."""
        if data.train.x.dim() < 3:
            raise DataError(
                "This study sets convolutions beside dense networks, and these data are vectors",
                "Give it images.",
            )

    def trainings(self, plan: StudyPlan) -> list[StudyRun]:
        """Each network with as many parameters as the shallow one, for as many steps."""
        wanted = _parameters(_network("shallow", UNITS), plan.data)
        steps = plan.updates(2_000, 10_000)
        return [
            _training(kind, PARAMETERS, _fitted(kind, wanted, plan.data), steps, seed)
            for kind in KINDS
            for seed in plan.trials(2, 3)
        ]

    def further(self, plan: StudyPlan, results: Results) -> list[StudyRun]:
        """The same networks, for as long as the slowest of them took."""
        speed = {kind: results.mean(_name(kind, PARAMETERS), "images_per_second") for kind in KINDS}
        found = []
        steps = plan.updates(2_000, 10_000)
        for kind in KINDS:
            first = results.first(_name(kind, PARAMETERS)).training
            more = math.ceil(steps * speed[kind] / min(speed.values()))
            found += [_training(kind, TIME, first.recipe, more, seed) for seed in plan.trials(2, 3)]
        return found

    def conclude(self, plan: StudyPlan, results: Results) -> Conclusion:
        """Errors both ways, and what each network costs."""
        columns: dict[str, list] = {
            "network": [],
            "at": [],
            "parameters": [],
            "steps": [],
            "seconds": [],
            "examples a second": [],
            "squared error": [],
            "lower": [],
            "upper": [],
        }
        for name in results.models():
            kind, at = name.split(", ")
            first = results.first(name)
            errors = results.values(name, "squared_error")
            low, high = spread(errors)
            row = (
                kind,
                at,
                parameter_count(first.run.load_model()),
                first.run.summary["steps"],
                results.mean(name, "seconds"),
                results.mean(name, "images_per_second"),
                sum(errors) / len(errors),
                low,
                high,
            )
            for column, value in zip(columns.values(), row, strict=True):
                column.append(value)
        table = Table(columns)
        return Conclusion(
            [self._best(results, PARAMETERS), self._best(results, TIME), self._dropout(results)],
            {"Networks": table},
            {
                "errors": self._bars(results, table),
                "course": self._course(results),
                "reconstructions": ChartFigure(
                    "What comes back",
                    image_rows(
                        [
                            ("original", originals(plan.data, SHOWN)),
                            *(
                                (n, reconstructions(results.first(n), plan.data, SHOWN))
                                for n in results.models()
                            ),
                        ]
                    ),
                    "The first test examples and what each network makes of them.",
                    "Compare each row with the first.",
                    "Rows of test examples and their reconstructions.",
                    None,
                ),
            },
        )

    def _best(self, results: Results, at: str) -> Finding:
        errors = {k: results.mean(_name(k, at), "squared_error") for k in KINDS}
        order = sorted(KINDS, key=errors.__getitem__)
        best, second = (results.of(_name(kind, at)) for kind in order[:2])
        sure = differ(best, second, "squared_error")
        noise = "" if sure else "; the first two do not differ beyond the noise"
        if at == TIME:
            noise += self._uneven(results)
        return Finding(
            f"At {at} the order is "
            + ", ".join(f"{kind} {short(errors[kind])}" for kind in order)
            + f" (squared error){noise}.",
            sure and order[0] == "conv" if at == PARAMETERS else None,
        )

    def _uneven(self, results: Results) -> str:
        """How far times differ that were meant to be equal, where other programs ran beside."""
        seconds = [results.mean(_name(kind, TIME), "seconds") for kind in KINDS]
        if max(seconds) < EVEN * min(seconds):
            return ""
        return (
            f"; their times came out as {short(min(seconds))} to {short(max(seconds))} s, since "
            "the machine had other work too"
        )

    def _dropout(self, results: Results) -> Finding:
        deep, dropped = (_name(kind, PARAMETERS) for kind in ("deep", "dropout"))
        errors = [results.mean(name, "squared_error") for name in (deep, dropped)]
        sure = differ(results.of(deep), results.of(dropped), "squared_error")
        verb = "costs" if errors[1] > errors[0] else "gains"
        return Finding(
            f"Dropout {verb if sure else 'changes nothing beyond the noise'}: {short(errors[1])} "
            f"with it, {short(errors[0])} without, in the same layers.",
            sure and errors[1] > errors[0],
        )

    def _bars(self, results: Results, table: Table) -> ChartFigure:
        names = results.models()
        values = [results.mean(name, "squared_error") for name in names]
        intervals = [spread(results.values(name, "squared_error")) for name in names]
        return ChartFigure(
            "Error of each network",
            bars(names, values, "squared error", intervals, best="low"),
            f"Squared error of test examples with codes of {LATENT} numbers; mean over seeds with "
            "its 95 % interval. Equal parameters: as many steps for all. Equal time: as many steps "
            "as fit in the time of the slowest.",
            "Shorter is better.",
            "Bars of squared error for each network.",
            table,
        )

    def _course(self, results: Results) -> ChartFigure:
        series, columns = [], {}
        for kind in KINDS:
            lines = [each for each in results.first(_name(kind, TIME)).run.log() if "loss" in each]
            seconds = [line["seconds"] for line in lines]
            errors = [line["squared_error"] for line in lines]
            series.append(Series(kind, seconds, errors))
            columns |= {f"{kind}, seconds": seconds, f"{kind}, squared error": errors}
        longest = max(map(len, columns.values()))
        padded = {k: [*v, *[None] * (longest - len(v))] for k, v in columns.items()}
        return ChartFigure(
            "Error in the course of training",
            curves(series, x="seconds of one core", y="squared error, training", log_y=True),
            "Squared error of training batches over time, at equal time; first seeds.",
            "Which network is ahead depends on how long one waits where curves cross.",
            "Falling curves of training error over time, one for each network.",
            Table(padded),
        )


def _name(kind: str, at: str) -> str:
    return f"{kind}, {at}"


def _training(kind: str, at: str, recipe: Recipe, steps: int, seed: int) -> StudyRun:
    key = f"{kind}-{at.split()[1]}"
    settings = {"steps": steps, "lr": 2e-3, "warmup": min(300, steps // 4)}
    return StudyRun(_name(kind, at), key, recipe, settings, seed)


def _network(kind: str, units: int) -> Recipe:
    """A network as wide as `units` says."""
    if kind == "conv":
        row = recipe_named("conv-ae").but(latent=LATENT)
        return row.set("network.width", max(1, units // 32)).set("network.hidden", (units,))
    row = recipe_named("ae").but(latent=LATENT).set("network.norm", "batch")
    hidden = (units,) if kind == "shallow" else (units, units // 2, units // 2)
    row = row.set("network.hidden", hidden)
    return row.set("network.dropout", 0.1) if kind == "dropout" else row


def _fitted(kind: str, wanted: int, data: Data) -> Recipe:
    """The network of a kind whose number of parameters is nearest to the one wanted."""
    low, high = 8, WIDEST
    while high - low > 1:
        middle = (low + high) // 2
        if _parameters(_network(kind, middle), data) > wanted:
            high = middle
        else:
            low = middle
    return min(
        (_network(kind, units) for units in (low, high)),
        key=lambda recipe: abs(_parameters(recipe, data) - wanted),
    )


def _parameters(recipe: Recipe, data: Data) -> int:
    return parameter_count(build(recipe, sizes_for(recipe, data.shape, n=len(data.train)), seed=0))
