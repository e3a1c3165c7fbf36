"""How many numbers should a code have?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from sklearn.decomposition import PCA  # type: ignore[import-untyped]
from torch import Tensor

from autoencode.data import Data, scaled
from autoencode.evaluation import QUICK, embed
from autoencode.explore.projection import project
from autoencode.models.inference import BATCH_SIZE, split
from autoencode.models.recipes.table import recipe_named
from autoencode.report.charts import Series, code_planes, curves, image_rows
from autoencode.report.figures.base import ChartFigure
from autoencode.report.formatting import short
from autoencode.report.tables import Table
from autoencode.studies.pictures import reconstructions
from autoencode.studies.rules import SOME, cluster_words, differ, elbow, percent, spread
from autoencode.studies.study import Conclusion, Finding, Results, Study, StudyPlan, StudyRun

SIZES = (2, 4, 8, 16, 32, 64)
# StudyRun images that the components of PCA are fitted to; more change no digit that is shown.
MOST_FITTED = 10_000
# Codes on a map of neighbourhoods, which takes time.
MAPPED = 3_000
SHOWN = 12


class Bottleneck(Study):
    """Error against code size with PCA beside it, the elbow, and what each end is good for."""

    name = "bottleneck"
    title = "How many numbers should a code have?"
    question = (
        "How does the error fall as the code grows, from where on is more not worth it, and what "
        "is lost in a plane that one can look at?"
    )
    expects = (
        "The error falls below that of PCA at every size, steeply first and slowly then. Two "
        "numbers show the classes; the size at the elbow reconstructs far better and tells "
        "classes better."
    )

    def trainings(self, plan: StudyPlan) -> list[StudyRun]:
        """One model of each size and seed."""
        return [
            self._training(plan, size, seed, plan.updates(2_000, 10_000))
            for size in self._sizes(plan.data)
            for seed in plan.trials(2, 3)
        ]

    def further(self, plan: StudyPlan, results: Results) -> list[StudyRun]:
        """The smallest and the chosen size, trained fully."""
        steps = plan.updates(8_000, 30_000)
        sizes = (self._sizes(plan.data)[0], self._chosen(plan, results))
        return [
            replace(
                self._training(plan, size, 0, steps),
                model=_fully(size),
                key=f"full-d{size}",
                measures=(*QUICK, "space"),
            )
            for size in dict.fromkeys(sizes)
        ]

    def conclude(self, plan: StudyPlan, results: Results) -> Conclusion:
        """Curve, elbow, and the two models that were trained fully."""
        sizes = self._sizes(plan.data)
        ours = [results.values(_name(size), "squared_error") for size in sizes]
        pca = pca_errors(plan.data, sizes)
        chosen = self._chosen(plan, results)
        ends = {size: results.first(_fully(size)) for size in (sizes[0], chosen)}
        means = [sum(each) / len(each) for each in ours]
        findings = [*self._of_curve(sizes, means, pca, chosen)]
        findings += self._of_classes(sizes[0], chosen, ends)
        table = Table(
            {
                "numbers in the code": list(sizes),
                "squared error": means,
                "lower": [spread(each)[0] for each in ours],
                "upper": [spread(each)[1] for each in ours],
                "squared error of PCA": pca,
            }
        )
        return Conclusion(
            findings,
            {
                "Error against code size": table,
                **(
                    {"The two models": _classes_table(ends)} if "kmeans_ari" in ends[chosen] else {}
                ),
            },
            self._plates(plan, table, sizes, ours, pca, chosen, ends),
        )

    def _training(self, plan: StudyPlan, size: int, seed: int, steps: int) -> StudyRun:
        row = recipe_named("ae-deep").set("network.hidden", (512, 256)).but(latent=size)
        settings = {"steps": steps, "warmup": min(300, steps // 4)}
        return StudyRun(_name(size), f"d{size}", row, settings, seed)

    def _sizes(self, data: Data) -> tuple[int, ...]:
        """Sizes that are below the numbers of an example."""
        pixels = data.train.x[0].numel()
        return tuple(size for size in SIZES if size < pixels)

    def _chosen(self, plan: StudyPlan, results: Results) -> int:
        sizes = self._sizes(plan.data)
        errors = [
            sum(each.validation["squared_error"] for each in results.of(_name(size)))
            for size in sizes
        ]
        return sizes[elbow(sizes, errors)]

    def _of_curve(
        self, sizes: Sequence[int], ours: Sequence[float], pca: Sequence[float], chosen: int
    ) -> list[Finding]:
        below = [size for size, a, b in zip(sizes, ours, pca, strict=True) if a < b]
        where = (
            f"every size, {_listed(sizes)} numbers"
            if len(below) == len(sizes)
            else f"{_listed(below)} of {_listed(sizes)} numbers"
        )
        first, last, at = ours[0], ours[-1], ours[sizes.index(chosen)]
        gained = (first - at) / (first - last) if first > last else 0.0
        return [
            Finding(
                f"The error falls from {short(first)} at {sizes[0]} numbers to {short(last)} at "
                f"{sizes[-1]}; the elbow is at {chosen} numbers, where {percent(gained)} of that "
                f"fall is behind: on validation examples the curve lies farthest below its chord "
                "there (error over the logarithm of the size).",
                first > last,
            ),
            Finding(
                f"It is below that of PCA at {where}: "
                f"{short(first)} against {short(pca[0])} at {sizes[0]}, {short(at)} against "
                f"{short(pca[sizes.index(chosen)])} at {chosen}."
                if below
                else "At no size is it below that of PCA.",
                len(below) == len(sizes),
            ),
        ]

    def _of_classes(self, small: int, chosen: int, ends: dict) -> list[Finding]:
        if "kmeans_ari" not in ends[small]:
            return []
        ari = {size: ends[size]["kmeans_ari"] for size in ends}
        nearest = {size: ends[size]["knn_accuracy"] for size in ends}
        errors = {size: ends[size]["squared_error"] for size in ends}
        found = [
            Finding(
                f"In {size} numbers {cluster_words(ari[size])}: k-means finds them with an "
                f"adjusted Rand index of {ari[size]:.2f} (0 is chance, 1 all), and the silhouette "
                f"of the classes is {ends[size]['silhouette']:.2f}.",
                ari[size] >= SOME,
            )
            for size in ends
        ]
        if small == chosen:
            return found
        better = chosen if nearest[chosen] > nearest[small] else small
        tells = (
            f"To tell classes from codes, {better} numbers are better"
            if differ([ends[small]], [ends[chosen]], "knn_accuracy")
            else "Classes can be told from both codes alike"
        )
        look = chosen if ari[chosen] > ari[small] else small
        return [
            *found,
            Finding(
                f"{tells}: the nearest codes are right for {percent(nearest[chosen])} of the test "
                f"examples at {chosen}, for {percent(nearest[small])} at {small}. To reconstruct, "
                f"{chosen} are better: squared error {short(errors[chosen])} against "
                f"{short(errors[small])}. To look at, {small} are, which need no projection. What "
                f"k-means finds agrees more with the classes in {look}.",
                better == chosen,
            ),
        ]

    def _plates(self, plan, table, sizes, ours, pca, chosen, ends) -> dict[str, ChartFigure]:
        intervals = [spread(each) for each in ours]
        means = [sum(each) / len(each) for each in ours]
        curve = curves(
            [
                Series(
                    "autoencoder",
                    sizes,
                    means,
                    [low for low, _ in intervals],
                    [high for _, high in intervals],
                ),
                Series("PCA", sizes, pca, dashed=True),
            ],
            x="numbers in the code",
            y="squared error on test examples",
            log_x=True,
            log_y=True,
            marked=((chosen, f"elbow: {chosen}"),),
        )
        plates = {
            "curve": ChartFigure(
                "Error against code size",
                curve,
                "Squared error of test examples, summed over all numbers of an example; mean over "
                "seeds with its 95 % interval. Both axes are logarithmic.",
                f"Left of {chosen} each further number saves much, right of it little.",
                "A falling curve of error over code size, with that of PCA above it.",
                table,
            ),
            "reconstructions": _reconstructions(plan.data, sizes, ends),
        }
        y = plan.data.test.y
        if y is not None:
            plates["codes"] = _codes(plan.data, ends)
        return plates


def pca_errors(data: Data, sizes: Sequence[int]) -> list[float]:
    """Squared error of test examples in so many principal components of the training examples."""
    rows = torch.randperm(len(data.train), generator=torch.Generator().manual_seed(0))
    train = scaled(data.train.x[rows[:MOST_FITTED]]).flatten(1).double().numpy()
    pca = PCA(min(max(sizes), len(train)), svd_solver="randomized", random_state=0).fit(train)
    whole, along = 0.0, np.zeros(len(pca.components_))
    for x in split(data.test.x, BATCH_SIZE):
        centred = scaled(x).flatten(1).double().numpy() - pca.mean_
        whole += (centred**2).sum()
        along += ((centred @ pca.components_.T) ** 2).sum(0)
    return [float(whole - along[:size].sum()) / len(data.test) for size in sizes]


def _name(size: int) -> str:
    return f"d = {size}"


def _fully(size: int) -> str:
    return f"d = {size}, trained fully"


def _listed(sizes: Sequence[int]) -> str:
    return ", ".join(map(str, sizes))


def _classes_table(ends: dict) -> Table:
    figures = {
        "squared error": "squared_error",
        "k-NN accuracy": "knn_accuracy",
        "linear probe": "linear_probe_accuracy",
        "k-means accuracy": "kmeans_accuracy",
        "k-means ARI": "kmeans_ari",
        "silhouette": "silhouette",
        "trustworthiness": "trustworthiness",
    }
    columns: dict[str, list] = {"numbers in the code": list(ends)}
    for words, name in figures.items():
        columns[words] = [each.metrics.get(name) for each in ends.values()]
    return Table(columns)


def _reconstructions(data: Data, sizes: Sequence[int], ends: dict) -> ChartFigure:
    x = data.test.x[:SHOWN]
    rows = [("original", scaled(x))]
    rows += [(f"d = {size}", reconstructions(each, data, SHOWN)) for size, each in ends.items()]
    return ChartFigure(
        "What comes back",
        image_rows(rows),
        "The first test examples and what the two fully trained models make of them.",
        "Compare each row with the first: what kind of thing it is, and in which manner.",
        "Rows of test examples and their reconstructions.",
        None,
    )


def _codes(data: Data, ends: dict) -> ChartFigure:
    panels: list[tuple[str, Tensor, Tensor | None]] = []
    x, y = data.test.x[:MAPPED], data.test.y[:MAPPED]
    for size, each in ends.items():
        codes = embed(each.run.load_model(), x).flatten(1)
        how = "the codes themselves" if size == 2 else "t-SNE of the codes"
        points = codes if size == 2 else project(codes, "tsne")
        panels.append((f"d = {size}: {how}", points, y))
    columns = {"class": [data.classes[int(k)] for k in y]}
    for title, points, _ in panels:
        columns |= {f"{title}, {axis}": points[:, i].tolist() for i, axis in enumerate("xy")}
    return ChartFigure(
        "Where the classes lie",
        code_planes(panels, data.classes),
        f"The codes of {len(x):,} test examples, one colour a class. In a t-SNE map distances "
        "between groups, and their sizes, mean nothing; that there are groups does.",
        "Whether classes are islands or run into each other.",
        "Scatter plots of codes coloured by class.",
        Table(columns),
    )
