"""Shallow, deep, dropout and convolutional networks, at equal parameters and at equal time."""

from __future__ import annotations

import math
from bisect import bisect_right

from autoencode.data import Data
from autoencode.models.build import build, parameter_count, sizes_for
from autoencode.models.recipe import Recipe
from autoencode.models.recipes.table import recipe_named
from autoencode.report.charts import Series, bars, curves
from autoencode.report.figures.base import ChartFigure
from autoencode.report.formatting import short
from autoencode.report.tables import Table
from autoencode.studies.pictures import reconstruction_figure
from autoencode.studies.results import Results, StudyPlan, StudyRun
from autoencode.studies.rules import Finding, Hypothesis, by_seed, evidence
from autoencode.studies.study import Conclusion, Study, require_images

# Training times that differ by less than this factor count as equal.
MAX_TIME_RATIO = 1.25
KINDS = ("shallow", "deep", "dropout", "conv")
LATENT = 16
# Units of the hidden layer of the shallow network, which sets the number of parameters for all.
UNITS = 512
MIN_UNITS, MAX_UNITS = 8, 4096
PARAMETERS, TIME = "equal parameters", "equal time"


ADVANTAGE = Hypothesis(
    "At equal training time the advantage of the convolutional network over the deep one is "
    "smaller than at equal parameters."
)


def _name(kind: str, at: str) -> str:
    return f"{kind}, {at}"


class ArchitectureStudy(Study):
    """Four networks at equal parameters and at equal training time."""

    name = "architecture"
    title = "Which network?"
    question = (
        "One wide layer, several narrower layers, these with dropout, or convolutions: which "
        "network has the lowest squared error at equal parameters, and which at equal training "
        "time?"
    )
    hypotheses = (
        Hypothesis(
            "At equal parameters the convolutional network has a lower squared error than each "
            "dense network.",
            "squared_error",
            [(_name("conv", PARAMETERS), _name(kind, PARAMETERS)) for kind in KINDS[:-1]],
        ),
        Hypothesis(
            "Dropout raises the squared error of the deep network.",
            "squared_error",
            [(_name("dropout", PARAMETERS), _name("deep", PARAMETERS))],
            "higher",
        ),
        ADVANTAGE,
    )

    def check(self, data: Data) -> None:
        """Convolutions need images."""
        require_images(data, "This study compares convolutional with dense networks")

    def trainings(self, plan: StudyPlan) -> list[StudyRun]:
        """Each network with the parameters and the number of steps of the shallow one."""
        wanted = _parameters(_network("shallow", UNITS), plan.data)
        recipes = {_name(kind, PARAMETERS): _fitted(kind, wanted, plan.data) for kind in KINDS}
        return plan.runs(recipes, plan.settings(2_000, 10_000, lr=2e-3), 2)

    def further_trainings(self, plan: StudyPlan, results: Results) -> list[StudyRun]:
        """The same networks, for the training time of the slowest."""
        speed = {kind: results.mean(_name(kind, PARAMETERS), "images_per_second") for kind in KINDS}
        settings, found = plan.settings(2_000, 10_000, lr=2e-3), []
        for kind in KINDS:
            recipe = results.first(_name(kind, PARAMETERS)).training.recipe
            steps = math.ceil(settings["steps"] * speed[kind] / min(speed.values()))
            longer = {**settings, "steps": steps, "warmup": min(300, steps // 4)}
            found += plan.runs({_name(kind, TIME): recipe}, longer, 2)
        return found

    def conclude(self, plan: StudyPlan, results: Results) -> Conclusion:
        """Errors at equal parameters and at equal time, and what each network costs."""
        runs = [first.run for first in results.firsts().values()]
        names = [name.split(", ") for name in results.models()]
        intervals = _intervals(results)
        table = Table(
            {
                "network": [network for network, _ in names],
                "at": [at for _, at in names],
                "parameters": [parameter_count(run.load_model()) for run in runs],
                "steps": [run.summary["steps"] for run in runs],
                "seconds": results.means("seconds"),
                "examples per second": results.means("images_per_second"),
                "squared error": results.means("squared_error"),
                "lower": [low for low, _ in intervals],
                "upper": [high for _, high in intervals],
            }
        )
        return Conclusion(
            self.findings(results),
            {"Networks": table},
            {
                "errors": self._bars(results, table),
                "course": self._training_curves(results),
                "reconstructions": reconstruction_figure(plan.data, results.firsts()),
            },
        )

    def findings(self, results: Results) -> list[Finding]:
        """One for each hypothesis."""
        return [*super().findings(results), self._advantage(results)]

    def _advantage(self, results: Results) -> Finding:
        """How far the error of the deep network is above that of the convolutional one."""
        advantage = {}
        for at in (TIME, PARAMETERS):
            deep, conv = (
                results.values(_name(kind, at), "squared_error") for kind in ("deep", "conv")
            )
            advantage[at] = [a - b for a, b in zip(deep, conv, strict=True)]
        seconds = [results.mean(_name(kind, TIME), "seconds") for kind in KINDS]
        uneven = (
            f" (training times from {short(min(seconds))} to {short(max(seconds))} s, as the "
            "speed of the machine varied)"
            if max(seconds) >= MAX_TIME_RATIO * min(seconds)
            else ""
        )
        time, parameters = ((at, by_seed(values)) for at, values in advantage.items())
        compared = evidence(time, parameters)
        quantity = f"Squared error of the deep minus that of the convolutional network{uneven}"
        return ADVANTAGE.finding(quantity, [compared])

    def _bars(self, results: Results, table: Table) -> ChartFigure:
        values = results.means("squared_error")
        return ChartFigure(
            title="Error of each network",
            picture=bars(
                results.models(), values, "squared error", _intervals(results), best="low"
            ),
            text=f"Squared error of test examples with {LATENT} latent dimensions; mean over "
            "seeds with its 95 % interval. Equal parameters: the same number of steps for all. "
            "Equal time: as many steps as fit in the training time of the slowest.",
            note="Lower is better.",
            alt_text="Bars of squared error for each network.",
            data=table,
        )

    def _training_curves(self, results: Results) -> ChartFigure:
        series, columns = [], dict[str, list[float]]()
        for kind in KINDS:
            lines = [each for each in results.first(_name(kind, TIME)).run.log() if "loss" in each]
            seconds = [line["seconds"] for line in lines]
            errors = [line["squared_error"] for line in lines]
            series.append(Series(kind, seconds, errors))
            columns |= {f"{kind}, seconds": seconds, f"{kind}, squared error": errors}
        longest = max(map(len, columns.values()))
        padded = {k: [*v, *[None] * (longest - len(v))] for k, v in columns.items()}
        return ChartFigure(
            title="Training progress",
            picture=curves(
                series, x="seconds of one core", y="squared error, training", log_y=True
            ),
            text="Squared error of training batches over time, at equal time; first seeds.",
            note="Where curves cross, the better network depends on the training time.",
            alt_text="Curves of training error over time, one for each network.",
            data=Table(padded),
        )


def _network(kind: str, units: int) -> Recipe:
    """A network of a kind, with `units` in its first hidden layer."""
    if kind == "conv":
        row = recipe_named("conv-ae").but(latent=LATENT)
        return row.set("network.width", max(1, units // 32)).set("network.hidden", (units,))
    row = recipe_named("ae").but(latent=LATENT).set("network.norm", "batch")
    hidden = (units,) if kind == "shallow" else (units, units // 2, units // 2)
    row = row.set("network.hidden", hidden)
    return row.set("network.dropout", 0.1) if kind == "dropout" else row


def _fitted(kind: str, wanted: int, data: Data) -> Recipe:
    """The network of a kind whose number of parameters is nearest to the one wanted."""

    def parameters(units: int) -> int:
        return _parameters(_network(kind, units), data)

    sizes = range(MIN_UNITS, MAX_UNITS)
    above = bisect_right(sizes, wanted, lo=1, key=parameters) + MIN_UNITS
    return _network(kind, min(above - 1, above, key=lambda units: abs(parameters(units) - wanted)))


def _intervals(results: Results) -> list[tuple[float, float]]:
    return [results.seed_interval(name, "squared_error") for name in results.models()]


def _parameters(recipe: Recipe, data: Data) -> int:
    return parameter_count(build(recipe, sizes_for(recipe, data.shape, n=len(data.train)), seed=0))
