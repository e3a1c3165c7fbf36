"""How many latent dimensions an autoencoder needs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from sklearn.decomposition import PCA
from torch import Tensor

from autoencode.data import Data, scaled
from autoencode.evaluation import QUICK
from autoencode.evaluation.thresholds import MIN_PARTIAL_AGREEMENT
from autoencode.models.inference import BATCH_SIZE, split
from autoencode.models.recipe import Recipe
from autoencode.models.recipes.table import recipe_named
from autoencode.report.charts import Series, curves
from autoencode.report.figures.base import ChartFigure
from autoencode.report.tables import Table
from autoencode.studies.pictures import code_figure, reconstruction_figure
from autoencode.studies.results import Results, StudyPlan, StudyRun
from autoencode.studies.rules import (
    Finding,
    Hypothesis,
    by_seed,
    cluster_agreement,
    compare_with_threshold,
    elbow,
    evidence,
    percent,
)
from autoencode.studies.study import Conclusion, Study

SIZES = (2, 4, 8, 16, 32, 64)
# Training images that the principal components are fitted to; more change no digit shown.
MAX_FITTED = 10_000
# Metrics of the two models that are trained fully.
METRICS = (
    "squared_error",
    "knn_accuracy",
    "linear_probe_accuracy",
    "kmeans_accuracy",
    "kmeans_ari",
    "silhouette",
    "trustworthiness",
)
FALLS = Hypothesis(
    "The squared error is lower with the most latent dimensions than with the fewest.",
    "squared_error",
)
BELOW_PCA = Hypothesis(
    "With every number of latent dimensions the squared error is below that of PCA."
)
CLASSES = Hypothesis(
    "K-means on codes with the fewest latent dimensions agrees with the classes at least in part "
    f"(adjusted Rand index above {MIN_PARTIAL_AGREEMENT})."
)
BETTER_ERROR = Hypothesis(
    "After full training the model at the elbow has a lower squared error than the one with the "
    "fewest latent dimensions.",
    "squared_error",
)
BETTER_NEIGHBOURS = Hypothesis(
    "Classes are predicted better by the nearest codes at the elbow than with the fewest latent "
    "dimensions.",
    "knn_accuracy",
    expected="higher",
)


class BottleneckStudy(Study):
    """Squared error against the number of latent dimensions, with PCA and the elbow."""

    name = "bottleneck"
    title = "How many latent dimensions?"
    question = (
        "How does the squared error fall with the number of latent dimensions, where is the elbow "
        "of the curve, and what does a two-dimensional latent space lose?"
    )
    hypotheses = (FALLS, BELOW_PCA, CLASSES, BETTER_ERROR, BETTER_NEIGHBOURS)

    def trainings(self, plan: StudyPlan) -> list[StudyRun]:
        """One model for each number of latent dimensions and seed."""
        recipes = {_name(size): _recipe(size) for size in _sizes(plan.data)}
        return plan.runs(recipes, plan.settings(2_000, 10_000), 2)

    def further_trainings(self, plan: StudyPlan, results: Results) -> list[StudyRun]:
        """The fewest latent dimensions and those at the elbow, trained fully."""
        settings, measures = plan.settings(8_000, 30_000), (*QUICK, "space")
        return [
            StudyRun(_fully(size), _recipe(size), settings, measures=measures)
            for size in dict.fromkeys((_sizes(plan.data)[0], _chosen(plan, results)))
        ]

    def conclude(self, plan: StudyPlan, results: Results) -> Conclusion:
        """The curve, its elbow, and the two fully trained models."""
        sizes, chosen = _sizes(plan.data), _chosen(plan, results)
        intervals = [results.seed_interval(_name(size), "squared_error") for size in sizes]
        pca = pca_errors(plan.data, sizes)
        table = Table(
            {
                "latent dimensions": list(sizes),
                "squared error": [results.mean(_name(size), "squared_error") for size in sizes],
                "lower": [low for low, _ in intervals],
                "upper": [high for _, high in intervals],
                "squared error of PCA": pca.mean(1).tolist(),
            }
        )
        ends = {size: results.first(_fully(size)) for size in (sizes[0], chosen)}
        named = {_name(size): result for size, result in ends.items()}
        figures = {
            "curve": _curve(table, sizes, chosen),
            "reconstructions": reconstruction_figure(plan.data, named),
        }
        if plan.data.test.y is not None:
            figures["codes"] = code_figure(
                plan.data,
                named,
                "The codes of {} test examples, one colour for each class. In a t-SNE plot the "
                "distances between groups and the sizes of groups have no meaning.",
                "Separate groups of one colour are classes that the codes separate.",
            )
        tables = {"Error against latent dimensions": table}
        if "kmeans_ari" in ends[chosen]:
            tables["The two models"] = Results([*ends.values()]).table("model", METRICS)
        return Conclusion(self._findings(results, sizes, pca, chosen), tables, figures)

    def _findings(
        self, results: Results, sizes: Sequence[int], pca: Tensor, chosen: int
    ) -> list[Finding]:
        """One for each hypothesis that the data allow.

        pca: squared errors of PCA, [sizes, N].   chosen: the size at the elbow.
        """
        first, last = sizes[0], sizes[-1]
        means = {size: results.mean(_name(size), "squared_error") for size in sizes}
        fall = means[first] - means[last]
        share = (means[first] - means[chosen]) / fall if fall > 0 else 0.0
        falls = FALLS.test(results, [(_name(last), _name(first))])
        elbow_text = (
            f"The elbow is at {chosen} latent dimensions, where {percent(share)} of the fall is "
            "reached: on validation examples the curve of the error over the logarithm of the "
            "latent dimensions is farthest below its chord there."
        )
        against_pca = []
        for size, errors in zip(sizes, pca, strict=True):
            ours = results.estimate(_name(size), "squared_error")
            constant = by_seed([errors.mean().item()] * len(ours.values), errors)
            against_pca.append(evidence((_name(size), ours), ("PCA", constant)))
        found = [
            replace(falls, sentence=f"{falls.sentence} {elbow_text}"),
            BELOW_PCA.finding("Squared error", against_pca),
        ]
        small, large = _fully(first), _fully(chosen)
        classes = "kmeans_ari" in results.first(small)
        if classes:
            ari = {size: results.mean(_fully(size), "kmeans_ari") for size in (first, chosen)}
            words = "; ".join(
                f"{cluster_agreement(value)} with d = {size}, {value:.2f}"
                for size, value in ari.items()
            )
            agreement = compare_with_threshold(results, small, "kmeans_ari", MIN_PARTIAL_AGREEMENT)
            found.append(CLASSES.finding(f"Adjusted Rand index of k-means ({words})", [agreement]))
        if first != chosen:
            better = (BETTER_ERROR, BETTER_NEIGHBOURS) if classes else (BETTER_ERROR,)
            found += [each.test(results, [(large, small)]) for each in better]
        return found


def pca_errors(data: Data, sizes: Sequence[int]) -> Tensor:
    """Squared errors of test examples by numbers of principal components, [sizes, N].

    The components are fitted to training examples.
    """
    rows = torch.randperm(len(data.train), generator=torch.Generator().manual_seed(0))
    train = scaled(data.train.x[rows[:MAX_FITTED]]).flatten(1).double().numpy()
    pca = PCA(min(max(sizes), len(train)), svd_solver="randomized", random_state=0).fit(train)
    found = []
    for x in split(data.test.x, BATCH_SIZE):
        centred = scaled(x).flatten(1).double().numpy() - pca.mean_
        explained = (centred @ pca.components_.T) ** 2
        found.append([(centred**2).sum(1) - explained[:, :size].sum(1) for size in sizes])
    return torch.from_numpy(np.concatenate(found, axis=1))


def _recipe(size: int) -> Recipe:
    return recipe_named("ae-deep").set("network.hidden", (512, 256)).but(latent=size)


def _sizes(data: Data) -> tuple[int, ...]:
    """Numbers of latent dimensions below the number of values of an example."""
    pixels = data.train.x[0].numel()
    return tuple(size for size in SIZES if size < pixels)


def _chosen(plan: StudyPlan, results: Results) -> int:
    """The number of latent dimensions at the elbow, by errors of validation examples."""
    sizes = _sizes(plan.data)
    errors = [
        sum(each.validation["squared_error"] for each in results.of(_name(size))) for size in sizes
    ]
    return sizes[elbow(sizes, errors)]


def _name(size: int) -> str:
    return f"d = {size}"


def _fully(size: int) -> str:
    return f"d = {size}, trained fully"


def _curve(table: Table, sizes: Sequence[int], chosen: int) -> ChartFigure:
    mean, low, high, pca = map(list[float], list(table.columns.values())[1:])
    return ChartFigure(
        title="Error against latent dimensions",
        picture=curves(
            [Series("autoencoder", sizes, mean, low, high), Series("PCA", sizes, pca, dashed=True)],
            x="latent dimensions",
            y="squared error on test examples",
            log_x=True,
            log_y=True,
            marked=((chosen, f"elbow: {chosen}"),),
        ),
        text="Squared error of test examples, summed over all values of an example; mean over "
        "seeds with its 95 % interval. Both axes are logarithmic.",
        note=f"The elbow of the curve is at {chosen} latent dimensions.",
        alt_text="Curves of squared error over latent dimensions, of the autoencoder and of PCA.",
        data=table,
    )
