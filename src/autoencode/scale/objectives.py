"""What a sweep minimises or maximises: metrics of a trained model on the validation part."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Literal

from autoencode.data import Data
from autoencode.errors import DataError, RecipeError, did_you_mean
from autoencode.evaluation import MEASURES, QUICK, evaluate
from autoencode.evaluation.metric_info import METRICS, metric_group, metric_info
from autoencode.evaluation.records import TERM_PREFIX
from autoencode.models.build import Model
from autoencode.models.recipe import Recipe
from autoencode.train import FitResult
from autoencode.train.session import new_session

# The measures that have the metrics of a group, quick ones first.
MEASURES_OF_GROUP: Mapping[str, tuple[str, ...]] = {
    "Reconstruction": ("reconstruction", "objective", "imputation"),
    "Objective": ("objective",),
    "Codes": ("codes", "space", "likelihood"),
    "Likelihood": ("likelihood",),
    "Generation": ("generation", "gaps"),
    "Changed inputs": ("shift",),
    "Disentanglement": ("disentanglement",),
}
# Metrics that each validation of a training measures too, by their names there.
VALIDATED = {"squared_error": "squared_error", "loss": "loss"}


@dataclass(frozen=True)
class SweepMetric:
    """A metric that a sweep minimises or maximises: "squared_error", "terms.kl"."""

    name: str
    better: Literal["lower", "higher"]

    @property
    def title(self) -> str:
        """Its title: "MSE (sum over values)"."""
        return metric_info(self.name).title

    @property
    def direction(self) -> Literal["minimize", "maximize"]:
        """Its direction in the words of Optuna."""
        return "minimize" if self.better == "lower" else "maximize"

    def validated(self, found: Mapping[str, object]) -> float | None:
        """Its value in the figures of a validation; None if validations do not measure it."""
        values: object = found
        name = VALIDATED.get(self.name)
        if self.name.startswith(TERM_PREFIX):
            values, name = found.get("terms"), self.name.removeprefix(TERM_PREFIX)
        value = values.get(name) if isinstance(values, Mapping) else None
        return float(value) if isinstance(value, int | float) else None

    @property
    def is_validated(self) -> bool:
        """Whether each validation of a training measures it."""
        return self.name in VALIDATED or self.name.startswith(TERM_PREFIX)


def sweep_metrics(
    names: str | Sequence[str], recipe: Recipe, varied: Iterable[str]
) -> tuple[SweepMetric, ...]:
    """The metrics of a sweep by name; "kl" is short for the term "terms.kl" of the recipe.

    varied: the names that the sweep varies, on which a metric may not depend by definition.

    Raises:
        RecipeError: no such metric, one without a better direction, or one that cannot compare
            models that differ in what is varied.
    """
    listed = [names] if isinstance(names, str) else list(names)
    if not listed:
        raise RecipeError("A sweep needs a metric", "For example: --metric squared_error")
    found = [_metric(name.strip(), recipe) for name in listed]
    if len({each.name for each in found}) < len(found):
        raise RecipeError(f"A metric is given twice: {', '.join(listed)}", "Give each once.")
    for metric in found:
        _check_comparable(metric, recipe, list(varied))
    return tuple(found)


def _metric(name: str, recipe: Recipe) -> SweepMetric:
    terms = [f"{TERM_PREFIX}{term}" for term in recipe.terms]
    known = [each for metrics in METRICS.values() for each in metrics]
    known = [each for each in known if not each.startswith(TERM_PREFIX)] + terms
    if name not in known and f"{TERM_PREFIX}{name}" in terms:
        name = f"{TERM_PREFIX}{name}"
    directed = [n for n in known if metric_info(n).better or n in terms or n == "loss"]
    if name not in known:
        raise RecipeError(f'There is no metric "{name}"', did_you_mean(name, directed))
    if name not in directed:
        raise RecipeError(
            f"Neither a lower nor a higher {name} is better, so a sweep cannot choose by it",
            did_you_mean(name, directed),
        )
    return SweepMetric(name, metric_info(name).better or "lower")


def _check_comparable(metric: SweepMetric, recipe: Recipe, varied: Sequence[str]) -> None:
    heads = {name.partition(".")[0] for name in varied}
    changed = [n for n in varied if n.partition(".")[0] in ("terms", "schedules", "likelihood")]
    if metric.name == "loss" and changed:
        raise RecipeError(
            f"The loss is a weighted sum that {changed[0]} changes, so it does not compare the "
            "trials",
            "Choose another metric: --metric squared_error",
        )
    reconstruction = metric.name.startswith(TERM_PREFIX) and (
        recipe.terms[metric.name.removeprefix(TERM_PREFIX)].kind == "reconstruction"
    )
    if (metric_info(metric.name).density or reconstruction) and "likelihood" in heads:
        raise RecipeError(
            f"{metric.name} compares models of one likelihood, and the likelihood is varied",
            "Choose another metric: --metric squared_error, or --metric bits_per_dimension",
        )


def check_measured(
    metrics: Sequence[SweepMetric], recipe: Recipe, data: Data, settings: Mapping[str, object]
) -> None:
    """Checks before the first training that the model and the data have the metrics.

    A new model is measured; metrics that take longer are left to the first trial.

    Raises:
        DataError: the data have no validation part, or do not fit the recipe.
        RecipeError: the model has no such metric, or the settings have no meaning.
    """
    if len(data.validation) == 0:
        raise DataError(
            f'"{data.name}" has no validation examples, by which a sweep chooses',
            "Keep a part of the training examples: --validation 0.1",
        )
    model = new_session(recipe, data, settings, None, False).trainer.model.cpu().eval()
    model.preprocessing = data.preprocessing
    quick = [m for m in metrics if set(_measures_of(m.name)) <= set(QUICK)]
    validation_values(quick, model, data)


def values_of(metrics: Sequence[SweepMetric], fitted: FitResult) -> list[float]:
    """The metrics of a trained model on the validation part, see `validation_values`."""
    return validation_values(metrics, fitted.model, fitted.data)


def validation_values(metrics: Sequence[SweepMetric], model: Model, data: Data) -> list[float]:
    """The metrics of a model on the validation part of its data, as `evaluate` measures them.

    The test part is not looked at: a sweep chooses by these values, so the test error of the best
    trial is still that of new data.

    Raises:
        RecipeError: a metric is not measured for this model or these data.
        Diverged: a metric is not finite.
    """
    held_out = validation_as_test(data)
    found: dict[str, object] = {}
    for metric in metrics:
        for measure in _measures_of(metric.name):
            if metric.name not in found:
                found |= dict(evaluate(model, held_out, [measure]))
        if metric.name not in found:
            raise RecipeError(
                f"{metric.name} has no meaning for {model.recipe.name} on {data.name}",
                f"Measured are: {', '.join(_directed(found))}."
                if found
                else "Choose another metric: --metric squared_error",
            )
    values = [found[metric.name] for metric in metrics]
    return [float(value) for value in values if isinstance(value, int | float)]


def validation_as_test(data: Data) -> Data:
    """Data whose test part is the validation part, with a fingerprint of their own."""
    own = sha256(f"{data.fingerprint} validation".encode()).hexdigest()
    return replace(data, test=data.validation, fingerprint=own if data.fingerprint else "")


def _measures_of(name: str) -> tuple[str, ...]:
    return MEASURES_OF_GROUP.get(metric_group(name), tuple(MEASURES))


def _directed(found: Iterable[str]) -> list[str]:
    return [name for name in found if metric_info(name).better or name.startswith(TERM_PREFIX)]
