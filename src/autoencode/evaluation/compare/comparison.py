"""The comparison of runs: seeds of one model are grouped, and significantly best models marked."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from autoencode.evaluation.compare.run_records import RunRecord, check_trials, names_of
from autoencode.evaluation.metric_info import MetricInfo, metric_info, metric_order
from autoencode.evaluation.metrics.significance import Difference, Estimate, difference, estimate
from autoencode.evaluation.records import TERM_PREFIX
from autoencode.models.recipe import Recipe
from autoencode.parts import TERMS

NO_DIRECTION = "neither more nor less is better"
ALONE = "no other model has it"
WITHIN_NOISE = "no significant difference"
UNKNOWN_NOISE = "noise unknown of a single seed"
INCOMPARABLE = "not comparable: it depends on the likelihood, or on how examples are corrupted"
RULE = (
    "± is half of a 95 % interval: over the seeds of a model by Student's t; of a single seed over "
    "the test examples by the bootstrap, which says nothing about other trainings. A model is "
    "marked best if its difference to every other model is significant (p < 0.05). Differences "
    "are tested on pairs: of models with several seeds over the seeds, if they are the same, else "
    "by Welch's t-test, which speaks for the recipes; of single trained models over the test "
    "examples, which speaks for these two models only. Without pairs, the two intervals must not "
    "overlap. If no model is marked, no model has been shown to be best."
)


@dataclass(frozen=True)
class ComparedModel:
    """A model with all its seeds.

    name: the name of its recipe, and its differences from other models of that recipe.
    trials: the run of each seed, in order.   figures: the metrics that all its seeds have.
    """

    name: str
    trials: tuple[RunRecord, ...]
    figures: Mapping[str, Estimate]

    @property
    def recipe(self) -> Recipe:
        """The recipe of all its seeds."""
        return self.trials[0].run.recipe

    @property
    def median(self) -> RunRecord:
        """The seed with the median squared error, the lower of two, which images are shown of."""
        order = sorted(self.trials, key=lambda trial: trial.metrics.get("squared_error", 0.0))
        return order[(len(order) - 1) // 2]

    def costs(self, name: str) -> Estimate:
        """The costs of training, "seconds" or "images_per_second", over its seeds."""
        return estimate([float(trial.run.summary[name]) for trial in self.trials])

    def basis(self, name: str) -> tuple[str, ...]:
        """What the values of a metric depend on: two models compare if it is the same."""
        recipe = self.recipe
        if _is_density(recipe, name):
            return (recipe.likelihood.kind, *self.notes(name))
        if name == "bits_per_dimension":  # of probabilities, which compare under any likelihood
            return tuple(self.notes(name))
        if name in ("restored_squared_error", "corrupted_squared_error"):
            return (repr(recipe.corruption),)
        return ()

    def notes(self, name: str) -> list[str]:
        """How a metric was measured: a sentence, or several if seeds differ."""
        found = {trial.metrics.get("notes", {}).get(name, "") for trial in self.trials}
        return sorted(found - {""})


@dataclass(frozen=True)
class ComparedMetric:
    """One metric of several models.

    likelihood: of a metric that is a density, the likelihood of its nats; else empty.
    models: those that have it, in the order of all.   best: the name of one of them, or None.
    why: why no model is marked best; empty if one is.
    reference: the name of the model with the best mean; None without a direction.
    differences: the name of each other model -> its value minus that of the reference.
    """

    name: str
    info: MetricInfo
    unit: str
    note: str
    likelihood: str
    models: tuple[ComparedModel, ...]
    best: str | None
    why: str
    reference: str | None
    differences: Mapping[str, Difference]


@dataclass(frozen=True)
class Comparison:
    """Models with all their metrics, in an order that does not depend on the order of the runs."""

    models: tuple[ComparedModel, ...]
    figures: tuple[ComparedMetric, ...]

    def to_dict(self) -> dict[str, Any]:
        """One JSON object."""
        first = self.models[0].trials[0]
        return {
            "data": first.run.data["name"],
            "n_test": first.metrics.get("n_test"),
            "test_sha256": first.test,
            "rule": RULE,
            "models": [_model(model) for model in self.models],
            "figures": [_metric(metric) for metric in self.figures],
        }


def compare(trials: Iterable[RunRecord]) -> Comparison:
    """Groups runs into models, tests their differences, and marks the best model of each metric.

    Runs that differ only in their seeds are seeds of one model. Models are ordered by their names,
    then by their digests, whatever the order of the runs.

    Raises:
        RunError: see `check_trials`.
    """
    ordered = sorted(trials, key=lambda t: (t.run.recipe.name, t.digest, *t.seeds, t.folder))
    check_trials(ordered)
    groups: dict[str, list[RunRecord]] = {}
    for trial in ordered:
        groups.setdefault(trial.digest, []).append(trial)
    named = zip(names_of(list(groups.values())), groups.values(), strict=True)
    models = tuple(
        ComparedModel(name, tuple(group), _estimates(group))
        for name, group in sorted(named, key=lambda two: (_numbered(two[0]), two[1][0].digest))
    )
    return Comparison(models, tuple(_metrics(models)))


def _numbered(name: str) -> list[str | float]:
    """A sort key by which "latent=2" comes before "latent=16": letters and numbers in turn."""
    parts = re.split(r"(\d+(?:\.\d+)?)", name)
    return [float(part) if i % 2 else part for i, part in enumerate(parts)]


def _estimates(trials: Sequence[RunRecord]) -> dict[str, Estimate]:
    each = [trial.figures() for trial in trials]
    shared = sorted((name for name in each[0] if all(name in f for f in each)), key=metric_order)
    first, seeds = trials[0], [trial.seeds for trial in trials]
    intervals = first.metrics.get("intervals", {})
    return {
        name: estimate(
            [values[name] for values in each],
            intervals.get(name),
            seeds,
            first.per_example.get(name),
        )
        for name in shared
    }


def _metrics(models: Sequence[ComparedModel]) -> Iterator[ComparedMetric]:
    for name in sorted({name for model in models for name in model.figures}, key=metric_order):
        having = tuple(model for model in models if name in model.figures)
        # Nats of two likelihoods must not stand in one row.
        rows: dict[str, list[ComparedModel]] = {}
        for model in having:
            density = _is_density(model.recipe, name)
            rows.setdefault(model.recipe.likelihood.kind if density else "", []).append(model)
        for likelihood, row in sorted(rows.items()):
            reference, differences = _differences(name, row)
            why = _why_none(name, having, differences)
            notes = {note for model in row for note in model.notes(name)}
            yield ComparedMetric(
                name,
                metric_info(name),
                row[0].trials[0].metrics.get("units", {}).get(name, ""),
                notes.pop() if len(notes) == 1 else "",
                likelihood,
                tuple(row),
                None if why else reference,
                why,
                reference,
                differences,
            )


def _differences(
    name: str, models: Sequence[ComparedModel]
) -> tuple[str | None, dict[str, Difference]]:
    """The model with the best mean, and the differences of the others from it."""
    better = metric_info(name).better
    if better is None or len({model.basis(name) for model in models}) > 1:
        return None, {}
    sign = 1 if better == "lower" else -1
    first = min(models, key=lambda model: sign * model.figures[name].mean)
    found = {
        model.name: difference(model.figures[name], first.figures[name])
        for model in models
        if model is not first
    }
    return first.name, {other: each for other, each in found.items() if each is not None}


def _why_none(
    name: str, models: Sequence[ComparedModel], differences: Mapping[str, Difference]
) -> str:
    """Why the model with the best mean is not significantly best; empty if it is."""
    if metric_info(name).better is None:
        return NO_DIRECTION
    if len(models) < 2:
        return ALONE
    if len({model.basis(name) for model in models}) > 1:
        return INCOMPARABLE
    if len(differences) < len(models) - 1:
        return UNKNOWN_NOISE
    return "" if all(each.significant for each in differences.values()) else WITHIN_NOISE


def _is_density(recipe: Recipe, name: str) -> bool:
    if name.startswith(TERM_PREFIX):
        term = recipe.terms.get(name.removeprefix(TERM_PREFIX))
        return term is not None and TERMS[term.kind].has_likelihood
    return metric_info(name).density


def _model(model: ComparedModel) -> dict[str, Any]:
    return {
        "name": model.name,
        "recipe": model.recipe.name,
        "digest": model.trials[0].digest,
        "likelihood": model.recipe.likelihood.kind,
        "latent": model.recipe.latent,
        "runs": [
            {"run": t.folder, "seed": t.seeds[0], "split_seed": t.seeds[1]} for t in model.trials
        ],
        "median_run": model.median.folder,
        "parameters": model.trials[0].parameters,
        "steps": [trial.run.summary["steps"] for trial in model.trials],
        **{name: _estimate(model.costs(name)) for name in ("seconds", "images_per_second")},
    }


def _metric(metric: ComparedMetric) -> dict[str, Any]:
    return {
        "name": metric.name,
        "unit": metric.unit,
        "note": metric.note,
        **({"likelihood": metric.likelihood} if metric.likelihood else {}),
        "better": metric.info.better,
        "best": metric.best,
        "why": metric.why,
        "models": {model.name: _estimate(model.figures[metric.name]) for model in metric.models},
        "reference": metric.reference,
        "differences": {name: asdict(each) for name, each in metric.differences.items()},
    }


def _estimate(found: Estimate) -> dict[str, Any]:
    return {
        "mean": found.mean,
        "interval": found.interval,
        "over": found.over,
        "values": found.values,
    }
