"""Noise: kinds and levels, in training and in use."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from scipy import ndimage  # type: ignore[import-untyped]
from torch import Tensor

from autoencode.contract import Corruption, Sizes
from autoencode.data import Data, scaled
from autoencode.errors import DataError
from autoencode.evaluation import reconstruct, squared_error
from autoencode.models.inference import seeded
from autoencode.models.recipe import Spec
from autoencode.models.recipes.table import recipe_named
from autoencode.parts import CORRUPTIONS
from autoencode.report.charts import bars, image_rows, matrix
from autoencode.report.figures.base import ChartFigure
from autoencode.report.formatting import short
from autoencode.report.tables import Table
from autoencode.studies.pictures import CPU
from autoencode.studies.study import Conclusion, Finding, Results, Study, StudyPlan, StudyRun

LEVELS = (0.25, 0.5, 0.75)
# Two factors are alike where neither is so many times the other.
ALIKE = 1.1
PLAIN = "no noise"
# Other kinds of noise, each at one level.
KINDS = {
    "masking": Spec("masking", {"share": 0.5}),
    "salt and pepper": Spec("salt-and-pepper", {"share": 0.25}),
    "occlusion": Spec("occlusion", {"share": 0.4}),
}
LATENT = 64
# Test examples that are restored, and validation examples that a filter's setting is found on.
TESTED, CHOSEN_ON, SHOWN = 2_000, 200, 10
Filter = Callable[[np.ndarray], np.ndarray]


class Noise(Study):
    """Denoising against plain models and filters; trained level against tested level."""

    name = "noise"
    title = "Which noise should a model be trained on?"
    question = (
        "How well is noise taken away by a model that was trained on it, on another level of it, "
        "on another kind, or on none, and by classical filters?"
    )
    expects = (
        "Each kind and level is restored best by the model that was trained on it, and far better "
        "than by filters or by a plain autoencoder."
    )

    def check(self, data: Data) -> None:
        """Filters and occlusion need images."""
        if data.train.x.dim() < 3:
            raise DataError(
                "Filters look at neighbouring pixels, and these data are vectors", "Give it images."
            )

    def trainings(self, plan: StudyPlan) -> list[StudyRun]:
        """One model for each noise, and one for none."""
        steps = plan.updates(3_000, 15_000)
        row = recipe_named("denoising-ae").but(latent=LATENT)
        settings = {"steps": steps, "warmup": min(300, steps // 4)}
        return [
            StudyRun(name, name.replace(" ", "-"), row.but(corruption=spec), settings, seed)
            for name, spec in _noises().items()
            for seed in plan.trials(1, 3)
        ]

    def conclude(self, plan: StudyPlan, results: Results) -> Conclusion:
        """Every model on every noise, filters beside them."""
        names, tested = results.models(), [name for name in _noises() if name != PLAIN]
        clean = scaled(plan.data.test.x[:TESTED])
        errors: dict[str, list[float]] = {name: [] for name in [*names, *FILTERS]}
        before, shown = [], []
        for noise in tested:
            noisy = corrupted(noise, clean, seed=1)
            before.append(_error(clean, noisy))
            for name in names:
                each = [_restored(result, noisy) for result in results.of(name)]
                errors[name].append(sum(_error(clean, x) for x in each) / len(each))
            trial = scaled(plan.data.validation.x[:CHOSEN_ON])
            for name, settings in FILTERS.items():
                restore = best_setting(settings, trial, corrupted(noise, trial, seed=2))
                errors[name].append(_error(clean, filtered(restore, noisy)))
            shown.append((noise, noisy))
        table = Table(
            {
                "restored by": ["nothing", *errors],
                **{
                    f"squared error under {noise}": [before[i], *(e[i] for e in errors.values())]
                    for i, noise in enumerate(tested)
                },
            }
        )
        rows = ["as it comes", *errors]
        values = [before, *errors.values()]
        return Conclusion(
            self._findings(names, tested, errors),
            {"Squared error of restored test examples": table},
            {
                "matrix": ChartFigure(
                    "Trained on, tested on",
                    matrix(
                        values,
                        rows,
                        tested,
                        "squared error",
                        "restored by a model trained on, or by",
                        "tested under",
                        best="low",
                    ),
                    f"Squared error of {len(clean):,} restored test examples against the clean "
                    "ones. Each filter has the setting that is best on validation examples under "
                    "that noise; a model has only what it was trained on.",
                    "The best of each column is marked: is it the model trained on that noise?",
                    "A table of errors, models and filters by noises.",
                    table,
                ),
                "restored": self._pictures(results, clean, tested),
                "gaussian": self._bars(tested, before, errors),
            },
        )

    def _findings(self, names, tested, errors) -> list[Finding]:
        best = {n: min(names, key=lambda m, i=i: errors[m][i]) for i, n in enumerate(tested)}
        own = [noise for noise in tested if best[noise] == noise]
        at = tested.index(_gaussian(0.5))
        filters = {name: errors[name][at] for name in FILTERS}
        strongest = min(filters, key=filters.__getitem__)
        ratio = filters[strongest] / errors[tested[at]][at]
        plain = errors[PLAIN][at] / errors[tested[at]][at]
        others = "; ".join(f"{n}: {best[n]}" for n in tested if n not in own)
        low, high = (tested.index(_gaussian(level)) for level in (LEVELS[0], LEVELS[-1]))
        up = errors[_gaussian(LEVELS[0])][high] / errors[_gaussian(LEVELS[-1])][high]
        down = errors[_gaussian(LEVELS[-1])][low] / errors[_gaussian(LEVELS[0])][low]
        return [
            Finding(
                f"Of {len(tested)} kinds and levels of noise {len(own)} are restored best by the "
                "model that was trained on "
                f"them{f' (best of the others: {others})' if others else ''}.",
                len(own) == len(tested),
            ),
            Finding(
                f"Under Gaussian noise of σ = 0.5 the model's squared error is "
                f"{short(errors[tested[at]][at])}, that of the best filter ({strongest}) "
                f"{short(filters[strongest])}, {ratio:.1f} times as much, and that of the same "
                f"network trained without noise {plain:.1f} times as much.",
                ratio > 1 and plain > 1,
            ),
            Finding(
                f"Tested at σ = {LEVELS[-1]}, a model trained at {LEVELS[0]} has {up:.1f} times "
                f"the error of one trained at {LEVELS[-1]}; tested at {LEVELS[0]}, the one trained "
                f"at {LEVELS[-1]} has {down:.1f} times that of the other: "
                f"{_dearer(up, down)}.",
            ),
        ]

    def _pictures(self, results: Results, clean: Tensor, tested: Sequence[str]) -> ChartFigure:
        rows = [("clean", clean[:SHOWN])]
        for noise in tested:
            noisy = corrupted(noise, clean, seed=1)[:SHOWN]
            rows.append((noise, noisy))
            rows.append(("restored", _restored(results.first(noise), noisy)))
        return ChartFigure(
            "Before and after",
            image_rows(rows),
            "The first test examples under each noise, and restored by the model trained on it.",
            "What cannot be seen in the noisy image has to be made up.",
            "Rows of noisy and restored examples.",
            None,
        )

    def _bars(self, tested, before, errors) -> ChartFigure:
        at = tested.index(_gaussian(0.5))
        values = {"as it comes": before[at], **{name: e[at] for name, e in errors.items()}}
        order = sorted(values, key=values.__getitem__)
        return ChartFigure(
            "Gaussian noise of σ = 0.5",
            bars(order, [values[name] for name in order], "squared error", best="low"),
            "Squared error of test examples under this noise, restored by models trained on each "
            "noise and by filters.",
            "The shorter the better; what is longer than “as it comes” does harm.",
            "Bars of squared error, the best first.",
            Table({"restored by": order, "squared error": [values[name] for name in order]}),
        )


def corrupted(noise: str, x: Tensor, seed: int) -> Tensor:
    """Examples [N, *X] under a noise, by its name."""
    spec = _noises()[noise]
    assert spec is not None
    corruption: Corruption = CORRUPTIONS[spec.kind](Sizes(tuple(x.shape[1:]), (1,)), **spec.args)
    with seeded(seed, CPU):
        return corruption(x)


def filtered(restore: Filter, x: Tensor) -> Tensor:
    """Images [N, (C,) H, W], each channel of each by itself."""
    planes = x.reshape(-1, *x.shape[-2:]).numpy()
    found = np.stack([restore(plane) for plane in planes]).clip(0, 1)
    return torch.from_numpy(found).to(x.dtype).reshape(x.shape)


def best_setting(settings: Sequence[Filter], clean: Tensor, noisy: Tensor) -> Filter:
    """Of a filter's settings the one with the smallest error."""
    return min(settings, key=lambda each: _error(clean, filtered(each, noisy)))


def _noises() -> dict[str, Spec | None]:
    gaussian = {_gaussian(s): Spec("gaussian-noise", {"scale": s}) for s in LEVELS}
    return {PLAIN: None, **gaussian, **KINDS}


def _gaussian(level: float) -> str:
    return f"σ = {level:g}"


def _restored(result, noisy: Tensor) -> Tensor:
    return reconstruct(result.run.load_model(), noisy).clamp(0, 1)


def _error(clean: Tensor, x: Tensor) -> float:
    return squared_error(clean, x).mean().item()


FILTERS: dict[str, list[Filter]] = {
    "median filter": [lambda x, s=s: ndimage.median_filter(x, s) for s in (3, 5, 7)],
    "Gaussian filter": [lambda x, s=s: ndimage.gaussian_filter(x, s) for s in (0.6, 1.0, 1.5, 2.0)],
}


def _dearer(up: float, down: float) -> str:
    """Which way to be wrong about the level costs more, by the factors that the error grows."""
    if max(up, down) < ALIKE * min(up, down):
        return "to err either way costs about as much"
    return f"to err towards {'more' if down < up else 'less'} noise costs less"
