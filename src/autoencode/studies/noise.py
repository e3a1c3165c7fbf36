"""Which noise to train a denoising autoencoder on: kinds, levels, and classical filters."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial

import numpy as np
import torch
from scipy import ndimage  # type: ignore[import-untyped]
from torch import Tensor

from autoencode.contract import Corruption, Sizes
from autoencode.data import Data, scaled
from autoencode.evaluation import reconstruct, squared_error
from autoencode.models.inference import seeded
from autoencode.models.recipe import Spec
from autoencode.models.recipes.table import recipe_named
from autoencode.parts import CORRUPTIONS
from autoencode.report.charts import bars, image_rows, matrix
from autoencode.report.figures.base import ChartFigure
from autoencode.report.tables import Table
from autoencode.studies.pictures import CPU
from autoencode.studies.results import Result, Results, StudyPlan, StudyRun
from autoencode.studies.rules import (
    Evidence,
    Finding,
    Hypothesis,
    compare_examples,
    every,
)
from autoencode.studies.study import Conclusion, Study, require_images

LEVELS = (0.25, 0.5, 0.75)
PLAIN, UNRESTORED = "no noise", "not restored"
# Other kinds of noise, each at one level.
KINDS = {
    "masking": Spec("masking", {"share": 0.5}),
    "salt and pepper": Spec("salt-and-pepper", {"share": 0.25}),
    "occlusion": Spec("occlusion", {"share": 0.4}),
}
LATENT = 64
# Test examples that are restored, and validation examples that filter settings are chosen on.
MAX_TESTED, MAX_CHOSEN_ON, SHOWN = 2_000, 200, 10
Filter = Callable[[np.ndarray], np.ndarray]
# Squared errors [seeds, N] of restored test examples, by model or filter and by noise.
Errors = Mapping[str, Mapping[str, Tensor]]


OWN_NOISE = Hypothesis(
    "Each noise is removed with a lower squared error by the model that was trained on it than by "
    "each other model."
)
BETTER_THAN_FILTERS = Hypothesis(
    "Gaussian noise of σ = 0.5 is removed with a lower squared error by the model that was trained "
    "on it than by the best filter and by the plain autoencoder."
)
LEVEL = Hypothesis(
    f"Training at σ = {LEVELS[-1]} for noise of {LEVELS[0]} increases the error by a smaller "
    f"factor than training at {LEVELS[0]} for noise of {LEVELS[-1]}."
)


class NoiseStudy(Study):
    """Denoising autoencoders against a plain one and filters, on every noise."""

    name = "noise"
    title = "Which noise should a denoising autoencoder be trained on?"
    question = (
        "How well is noise removed by a model that was trained on it, on another level or kind of "
        "noise, or on none, and by classical filters?"
    )
    hypotheses = (OWN_NOISE, BETTER_THAN_FILTERS, LEVEL)

    def check(self, data: Data) -> None:
        """Filters and occlusion need images."""
        require_images(data, "Filters use neighbouring pixels")

    def trainings(self, plan: StudyPlan) -> list[StudyRun]:
        """One model for each noise, and one without noise."""
        recipe = recipe_named("denoising-ae").but(latent=LATENT)
        recipes = {name: recipe.but(corruption=spec) for name, spec in _noises().items()}
        return plan.runs(recipes, plan.settings(3_000, 15_000), 1)

    def conclude(self, plan: StudyPlan, results: Results) -> Conclusion:
        """Every model and filter on every noise."""
        tested = [name for name in _noises() if name != PLAIN]
        clean = scaled(plan.data.test.x[:MAX_TESTED])
        errors = _errors(plan.data, results, clean, tested)
        means = {
            name: [each[noise].mean().item() for noise in tested] for name, each in errors.items()
        }
        table = Table(
            {
                "restored by": list(means),
                **{
                    f"squared error under {noise}": [each[i] for each in means.values()]
                    for i, noise in enumerate(tested)
                },
            }
        )
        return Conclusion(
            self._findings(errors),
            {"Squared error of restored test examples": table},
            {
                "matrix": ChartFigure(
                    title="Training noise and test noise",
                    picture=matrix(
                        list(means.values()),
                        list(means),
                        tested,
                        "squared error",
                        "restored by a model trained on, or by",
                        "tested under",
                        best="low",
                    ),
                    text=f"Squared error of {len(clean):,} restored test examples against the "
                    "clean ones. The setting of each filter is the best on validation examples "
                    "under that noise; a model has only its training noise.",
                    note="The best of each column is marked.",
                    alt_text="A table of errors, models and filters by noises.",
                    data=table,
                ),
                "restored": _pictures(results, clean, tested),
                "gaussian": _bars(means, tested.index(_gaussian(0.5))),
            },
        )

    def _findings(self, errors: Errors) -> list[Finding]:
        """One for each hypothesis."""
        at = _gaussian(0.5)
        models = [name for name in errors if name not in (UNRESTORED, *FILTERS)]
        verdicts, nearest, count = [], [], 0
        for noise in errors[UNRESTORED]:
            others = [name for name in models if name != noise]
            second = _best(errors, others, noise)
            verdicts += [_compare(errors, noise, other, noise).verdict for other in others]
            nearest.append(_compare(errors, noise, second, noise).text)
            count += _best(errors, models, noise) == noise
        filtering = [
            _compare(errors, at, other, at) for other in (_best(errors, FILTERS, at), PLAIN)
        ]
        return [
            Finding(
                OWN_NOISE.text,
                every(verdicts),
                f"The model trained on the noise has the lowest error for {count} of "
                f"{len(nearest)} noises. Squared error of that model and of the best other "
                f"model: {'; '.join(nearest)}.",
            ),
            BETTER_THAN_FILTERS.finding("Squared error", filtering),
            LEVEL.finding(
                "Logarithm of the factor by which the squared error increases",
                [_level(errors, *map(_gaussian, (LEVELS[0], LEVELS[-1])))],
            ),
        ]


def corrupted(noise: str, x: Tensor, seed: int) -> Tensor:
    """Examples [N, *X] under a noise, given by its name."""
    spec = _noises()[noise]
    assert spec is not None
    corruption: Corruption = CORRUPTIONS[spec.kind](Sizes(tuple(x.shape[1:]), (1,)), **spec.args)
    with seeded(seed, CPU):
        found: Tensor = corruption(x)
    return found


def filtered(restore: Filter, x: Tensor) -> Tensor:
    """Filtered images [N, (C,) H, W], each channel separately."""
    planes = x.reshape(-1, *x.shape[-2:]).numpy()
    found = np.stack([restore(plane) for plane in planes]).clip(0, 1)
    return torch.from_numpy(found).to(x.dtype).reshape(x.shape)


def best_setting(settings: Sequence[Filter], clean: Tensor, noisy: Tensor) -> Filter:
    """The setting of a filter with the lowest mean squared error."""
    return min(settings, key=lambda each: squared_error(clean, filtered(each, noisy)).mean().item())


def _noises() -> dict[str, Spec | None]:
    gaussian = {_gaussian(s): Spec("gaussian-noise", {"scale": s}) for s in LEVELS}
    return {PLAIN: None, **gaussian, **KINDS}


def _gaussian(level: float) -> str:
    return f"σ = {level:g}"


def _restored(result: Result, noisy: Tensor) -> Tensor:
    return reconstruct(result.run.load_model(), noisy).clamp(0, 1)


FILTERS: dict[str, list[Filter]] = {
    "median filter": [partial(ndimage.median_filter, size=s) for s in (3, 5, 7)],
    "Gaussian filter": [partial(ndimage.gaussian_filter, sigma=s) for s in (0.6, 1.0, 1.5, 2.0)],
}


def _errors(data: Data, results: Results, clean: Tensor, tested: Sequence[str]) -> Errors:
    """Without restoration, by each model and by each filter; equal for all seeds of a filter."""
    seeds = len(results.of(PLAIN))
    errors: dict[str, dict[str, Tensor]] = {
        name: {} for name in (UNRESTORED, *results.models(), *FILTERS)
    }
    validation = scaled(data.validation.x[:MAX_CHOSEN_ON])
    for noise in tested:
        noisy = corrupted(noise, clean, seed=1)
        errors[UNRESTORED][noise] = squared_error(clean, noisy).expand(seeds, -1)
        for name in results.models():
            restored = [_restored(result, noisy) for result in results.of(name)]
            errors[name][noise] = torch.stack([squared_error(clean, x) for x in restored])
        for name, settings in FILTERS.items():
            restore = best_setting(settings, validation, corrupted(noise, validation, seed=2))
            error = squared_error(clean, filtered(restore, noisy))
            errors[name][noise] = error.expand(seeds, -1)
    return errors


def _best(errors: Errors, names: Iterable[str], noise: str) -> str:
    """The model or filter with the lowest error under a noise."""
    return min(names, key=lambda name: errors[name][noise].mean().item())


def _compare(errors: Errors, one: str, other: str, noise: str) -> Evidence:
    """Two models or filters under one noise, of which the first is expected to be better."""
    return compare_examples((one, errors[one][noise]), (other, errors[other][noise]))


def _level(errors: Errors, low: str, high: str) -> Evidence:
    """Too high a training level against too low a one, by log factors of the error.

    The factor is that over the model trained at the tested level. The logarithm of a mean is
    linearised at each test example (delta method), which leaves its mean as it is.
    """

    def log_factor(trained: str, tested: str) -> Tensor:
        wrong, right = (errors[model][tested].double() for model in (trained, tested))
        means = wrong.mean(1, keepdim=True), right.mean(1, keepdim=True)
        return means[0].log() - means[1].log() + wrong / means[0] - right / means[1]

    return compare_examples(
        (f"{high} for {low}", log_factor(high, low)), (f"{low} for {high}", log_factor(low, high))
    )


def _pictures(results: Results, clean: Tensor, tested: Sequence[str]) -> ChartFigure:
    rows = [("clean", clean[:SHOWN])]
    for noise in tested:
        noisy = corrupted(noise, clean, seed=1)[:SHOWN]
        rows += [(noise, noisy), ("restored", _restored(results.first(noise), noisy))]
    return ChartFigure(
        title="Denoising",
        picture=image_rows(rows),
        text="The first test examples under each noise, and restored by the model trained on it.",
        note="Details that the noise hides are the model's guess.",
        alt_text="Rows of noisy and restored examples.",
    )


def _bars(means: Mapping[str, Sequence[float]], at: int) -> ChartFigure:
    """Errors under one noise, the lowest first."""
    values = dict(sorted(((name, each[at]) for name, each in means.items()), key=lambda x: x[1]))
    return ChartFigure(
        title="Gaussian noise of σ = 0.5",
        picture=bars(list(values), list(values.values()), "squared error", best="low"),
        text="Squared error of test examples under this noise, restored by models trained on each "
        "noise and by filters.",
        note=f"Lower is better; a bar longer than “{UNRESTORED}” does harm.",
        alt_text="Bars of squared error, the lowest first.",
        data=Table({"restored by": list(values), "squared error": list(values.values())}),
    )
