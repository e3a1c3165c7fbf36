"""Runs set side by side: seeds of one model taken together, and the best marked where it is."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from autoencode.evaluation.compare.run_records import RunRecord, check_trials, names_of
from autoencode.evaluation.kinds import Kind, kind_of, place_of
from autoencode.evaluation.metrics.significance import Estimate, differ, estimate
from autoencode.evaluation.records import TERMS
from autoencode.models.recipe import Recipe

# Terms of the objective that hold ln p(x|z): nats under one likelihood only.
BOUNDS = ("reconstruction", "iwae", "iwae-dreg", "miwae", "piwae", "ciwae")
NO_DIRECTION = "neither more nor less is better"
ALONE = "no other model has it"
WITHIN_NOISE = "no difference beyond the noise"
UNKNOWN_NOISE = "noise unknown of a single seed"
INCOMPARABLE = "not comparable: it depends on the likelihood, or on how examples are corrupted"
RULE = (
    "± is half of a 95 % interval: of a model with several seeds that of their mean, by Student's "
    "t; of one with a single seed that over test examples, by the bootstrap, which says nothing of "
    "how trainings differ. A figure is marked best where it differs from that of every other model "
    "by more than the noise: by Welch's t-test over the seeds (p < 0.05) where both have several, "
    "else where their intervals do not meet. Where nothing is marked, no model is shown to be best."
)


@dataclass(frozen=True)
class ComparedModel:
    """A model with all its seeds.

    name: of its recipe, and how it differs from others of that recipe.
    trials: a seed each, in their order.   figures: those that all its seeds have.
    """

    name: str
    trials: tuple[RunRecord, ...]
    figures: Mapping[str, Estimate]

    @property
    def recipe(self) -> Recipe:
        """Of all its seeds."""
        return self.trials[0].run.recipe

    @property
    def median(self) -> RunRecord:
        """The seed of the median squared error, the lower one of two, which pictures are of."""
        order = sorted(self.trials, key=lambda trial: trial.metrics.get("squared_error", 0.0))
        return order[(len(order) - 1) // 2]

    def costs(self, name: str) -> Estimate:
        """What training took, "seconds" or "images_per_second", over its seeds."""
        return estimate([float(trial.run.summary[name]) for trial in self.trials])

    def basis(self, name: str) -> tuple[str, ...]:
        """What a figure's numbers depend on: two models are comparable where it is the same."""
        recipe = self.recipe
        if _is_density(recipe, name):
            return (recipe.likelihood.kind, *self.notes(name))
        if name in ("restored_squared_error", "corrupted_squared_error"):
            return (repr(recipe.corruption),)
        return ()

    def notes(self, name: str) -> list[str]:
        """How a figure was measured: a sentence, or several where that differs between seeds."""
        found = {trial.metrics.get("notes", {}).get(name, "") for trial in self.trials}
        return sorted(found - {""})


@dataclass(frozen=True)
class ComparedMetric:
    """One figure of several models.

    likelihood: the one that its nats are of, of a density; else empty.
    models: those that have it, in the order of all.   best: the name of one of them, or None.
    why: nothing is marked; empty where something is.
    """

    name: str
    kind: Kind
    unit: str
    note: str
    likelihood: str
    models: tuple[ComparedModel, ...]
    best: str | None
    why: str


@dataclass(frozen=True)
class Comparison:
    """Models with all their figures, in an order that does not depend on how runs were named."""

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
            "figures": [_figure(figure) for figure in self.figures],
        }


def compare(trials: Iterable[RunRecord]) -> Comparison:
    """Groups runs into models, and marks the best where the difference exceeds the noise.

    Runs that differ in nothing but their seeds are seeds of one model. Models are in the order of
    their names, then of their digests, whatever the order of the runs.

    Raises:
        RunError: see `check_trials`.
    """
    known = sorted(trials, key=lambda t: (t.run.recipe.name, t.digest, *t.seeds, t.folder))
    check_trials(known)
    groups: dict[str, list[RunRecord]] = {}
    for trial in known:
        groups.setdefault(trial.digest, []).append(trial)
    named = zip(names_of(list(groups.values())), groups.values(), strict=True)
    models = tuple(
        ComparedModel(name, tuple(group), _estimates(group))
        for name, group in sorted(named, key=lambda two: (_numbered(two[0]), two[1][0].digest))
    )
    return Comparison(models, tuple(_figures(models)))


def _numbered(name: str) -> list[str | float]:
    """A name by which "latent=2" comes before "latent=16": letters and numbers in turn."""
    parts = re.split(r"(\d+(?:\.\d+)?)", name)
    return [float(part) if i % 2 else part for i, part in enumerate(parts)]


def _estimates(trials: Sequence[RunRecord]) -> dict[str, Estimate]:
    each = [trial.figures() for trial in trials]
    shared = sorted((name for name in each[0] if all(name in f for f in each)), key=place_of)
    intervals = trials[0].metrics.get("intervals", {})
    return {name: estimate([f[name] for f in each], intervals.get(name)) for name in shared}


def _figures(models: Sequence[ComparedModel]) -> Iterator[ComparedMetric]:
    for name in sorted({name for model in models for name in model.figures}, key=place_of):
        having = tuple(model for model in models if name in model.figures)
        density = _is_density(having[0].recipe, name)
        kinds = {model.recipe.likelihood.kind for model in having} if density else {""}
        for likelihood in sorted(kinds):
            # Nats under two likelihoods must not stand in one row.
            alike = [m for m in having if not density or m.recipe.likelihood.kind == likelihood]
            best, why = _best(name, having)
            first = alike[0].trials[0].metrics
            note = {*[note for model in alike for note in model.notes(name)]}
            yield ComparedMetric(
                name,
                kind_of(name),
                first.get("units", {}).get(name, ""),
                note.pop() if len(note) == 1 else "",
                likelihood,
                tuple(alike),
                best.name if best else None,
                why,
            )


def _best(name: str, models: Sequence[ComparedModel]) -> tuple[ComparedModel | None, str]:
    """The model that is better than every other by more than the noise, or why there is none."""
    better = kind_of(name).better
    if better is None:
        return None, NO_DIRECTION
    if len(models) < 2:
        return None, ALONE
    if len({model.basis(name) for model in models}) > 1:
        return None, INCOMPARABLE
    sign = 1 if better == "lower" else -1
    first = min(models, key=lambda model: sign * model.figures[name].mean)
    others = (model for model in models if model is not first)
    if all(differ(first.figures[name], other.figures[name]) for other in others):
        return first, ""
    known = all(model.figures[name].interval for model in models)
    return None, WITHIN_NOISE if known else UNKNOWN_NOISE


def _is_density(recipe: Recipe, name: str) -> bool:
    if name.startswith(TERMS):
        term = recipe.terms.get(name.removeprefix(TERMS))
        return term is not None and term.kind in BOUNDS
    return kind_of(name).density


def _model(model: ComparedModel) -> dict[str, Any]:
    seconds, speed = model.costs("seconds"), model.costs("images_per_second")
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
        "seconds": _estimate(seconds),
        "images_per_second": _estimate(speed),
    }


def _figure(figure: ComparedMetric) -> dict[str, Any]:
    return {
        "name": figure.name,
        "unit": figure.unit,
        "note": figure.note,
        **({"likelihood": figure.likelihood} if figure.likelihood else {}),
        "better": figure.kind.better,
        "best": figure.best,
        "why": figure.why,
        "models": {model.name: _estimate(model.figures[figure.name]) for model in figure.models},
    }


def _estimate(found: Estimate) -> dict[str, Any]:
    return {
        "mean": found.mean,
        "interval": None if found.interval is None else list(found.interval),
        "over": found.over,
        "values": list(found.values),
    }
