"""What labels are worth: told to a VAE, and a few of them to a classifier."""

from __future__ import annotations

import torch

from autoencode.contract import Sizes
from autoencode.data import Data, load_data, scaled
from autoencode.errors import DataError
from autoencode.evaluation import QUICK, decode
from autoencode.models.inference import in_batches, seeded
from autoencode.models.recipes.table import recipe_named
from autoencode.parts.networks import network_class
from autoencode.report.charts import Series, curves, image_rows
from autoencode.report.figures.base import ChartFigure
from autoencode.report.formatting import count, short
from autoencode.report.tables import Table
from autoencode.studies.pictures import CPU
from autoencode.studies.rules import lower, percent
from autoencode.studies.study import (
    Conclusion,
    Finding,
    Result,
    Results,
    Study,
    StudyPlan,
    StudyRun,
)

TOLD, UNTOLD = "CVAE", "VAE"
# A classifier that is wrong so many times as often is far worse.
FAR = 1.25
LABELS = (100, 1_000, 10_000)
LATENT = 6
STYLES = 6
# Updates of a classifier that sees the labelled examples only.
ALONE = 300


class Conditional(Study):
    """CVAE against VAE; error against the number of labels."""

    name = "conditional"
    title = "What are labels worth?"
    question = (
        "How much likelihood does a VAE gain by being told the class, does it draw the class that "
        "it is asked for, and how does the error of a semi-supervised model fall with the number "
        "of labels, against a classifier that sees the labelled examples only?"
    )
    expects = (
        "The label saves nats, the asked class is drawn, and with few labels the semi-supervised "
        "model is far better than the classifier alone; with many the gap closes."
    )

    def check(self, data: Data) -> None:
        """It is about labels."""
        if len(data.classes) < 2 or data.train.y is None:
            raise DataError(
                "This study is about labels, and these data have none", "Give them: --labels FILE."
            )

    def trainings(self, plan: StudyPlan) -> list[StudyRun]:
        """Both VAEs, and M1+M2 for each number of labels."""
        steps = plan.updates(4_000, 20_000)
        told = recipe_named("cvae").but(latent=LATENT)
        settings = {"steps": steps, "warmup": min(300, steps // 4)}
        measures = (*QUICK, "likelihood", "generation")
        found = [
            StudyRun(name, name.lower(), recipe, settings, seed, measures)
            for name, recipe in ((TOLD, told), (UNTOLD, told.but(context=None)))
            for seed in plan.trials(1, 3)
        ]
        row = recipe_named("m1-m2")
        steps = plan.updates(3_000, 12_000)
        settings = {"steps": steps, "warmup": min(300, steps // 4)}
        found += [
            StudyRun(
                _few(n), f"labels{n}", row, settings, seed, QUICK, {"labelled": n, "seed": seed}
            )
            for n in self._labels(plan.data)
            for seed in plan.trials(1, 3)
        ]
        return found

    def conclude(self, plan: StudyPlan, results: Results) -> Conclusion:
        """Nats, fidelity, and the curve of errors."""
        numbers = self._labels(plan.data)
        errors = {n: results.mean(_few(n), "classification_error") for n in numbers}
        alone = {
            n: sum(map(labels_alone, each)) / len(each)
            for n in numbers
            for each in [results.of(_few(n))]
        }
        vaes = Table(
            {
                "model": [TOLD, UNTOLD],
                "−ln p(x), nats": [results.mean(name, "nll") for name in (TOLD, UNTOLD)],
                "rate, nats": [results.mean(name, "terms.kl") for name in (TOLD, UNTOLD)],
                "squared error": [results.mean(n, "squared_error") for n in (TOLD, UNTOLD)],
                "drawn as asked": [results.mean(TOLD, "label_fidelity"), None],
            }
        )
        few = Table(
            {
                "labels": list(numbers),
                "error of M1+M2": list(errors.values()),
                "error of the classifier alone": list(alone.values()),
            }
        )
        plates = {"asked": self._asked(plan, results)}
        if len(numbers) > 1:
            plates["labels"] = self._curve(few, numbers, errors, alone)
        return Conclusion(
            self._findings(results, numbers, errors, alone),
            {"Told the class or not": vaes, "Error against labels": few},
            plates,
        )

    def _labels(self, data: Data) -> tuple[int, ...]:
        most = len(data.train) // 2
        return tuple(n for n in LABELS if len(data.classes) <= n <= most)

    def _findings(self, results: Results, numbers, errors, alone) -> list[Finding]:
        nats = {name: results.mean(name, "nll") for name in (TOLD, UNTOLD)}
        better = lower(results, TOLD, UNTOLD, "nll")
        asked = results.mean(TOLD, "label_fidelity")
        found = [
            Finding(
                f"Told the class, the VAE needs {short(nats[TOLD])} nats for a test example, "
                f"untold {short(nats[UNTOLD])}: the label is worth {nats[UNTOLD] - nats[TOLD]:.1f} "
                f"nats{'' if better is not None else ', which is within the noise'}.",
                better is True,
            ),
            Finding(
                f"{percent(asked)} of its decoded random codes are recognised as the class that "
                "was asked for.",
                asked >= 0.9,
            ),
        ]
        if numbers:
            first, last = numbers[0], numbers[-1]
            gain = [alone[n] / max(errors[n], 1e-9) for n in (first, last)]
            found.append(
                Finding(
                    f"With {count(first)} labels M1+M2 is wrong for {percent(errors[first])} of "
                    "the test examples, the same classifier on the labelled examples alone for "
                    f"{percent(alone[first])}"
                    + (
                        f"; with {count(last)} labels {percent(errors[last])} and "
                        f"{percent(alone[last])}. The gain goes from {gain[0]:.1f}-fold to "
                        f"{gain[1]:.1f}-fold."
                        if last != first
                        else "."
                    ),
                    gain[0] >= FAR and (last == first or gain[1] < gain[0]),
                )
            )
        return found

    def _asked(self, plan: StudyPlan, results: Results) -> ChartFigure:
        model, classes = results.first(TOLD).run.load_model(), plan.data.classes
        shown = min(len(classes), 10)
        with torch.no_grad(), seeded(0, CPU):
            codes = model.prior(torch.zeros(1, dtype=torch.int64)).sample((STYLES,))
        codes = codes.reshape(STYLES, -1)
        rows = []
        for i, code in enumerate(codes):
            images = decode(model, code.expand(shown, -1), torch.arange(shown)).clamp(0, 1)
            rows.append((f"style {i + 1}", images))
        return ChartFigure(
            "The same style in every class",
            image_rows(rows, column_titles=classes[:shown]),
            "Each row is one random code, decoded with each class in turn.",
            "What stays the same along a row is what the code holds: the manner, not the class.",
            "A grid of decoded codes, a row a style and a column a class.",
            None,
        )

    def _curve(self, table: Table, numbers, errors, alone) -> ChartFigure:
        return ChartFigure(
            "Error against the number of labels",
            curves(
                [
                    Series("M1+M2", numbers, [100 * errors[n] for n in numbers]),
                    Series("labels alone", numbers, [100 * alone[n] for n in numbers], dashed=True),
                ],
                x="labels",
                y="test examples told wrongly, %",
                log_x=True,
                log_y=True,
            ),
            "Error on test examples of the semi-supervised model, which sees all training examples "
            "and so many labels, and of the same classifier trained on the labelled examples "
            "alone.",
            "The gap is what examples without labels are worth.",
            "Two falling curves of error over the number of labels.",
            table,
        )


def labels_alone(result: Result) -> float:
    """The test error of the recipe's own network as a classifier of the labelled examples only."""
    run = result.run
    data = load_data(run.data["source"], **run.data["options"])
    told = data.train.y >= 0
    x, y = scaled(data.train.x[told]), data.train.y[told]
    recipe = result.training.recipe
    batches = torch.Generator().manual_seed(result.training.seed)
    with seeded(result.training.seed, CPU):
        network = network_class(recipe.network.kind)(**recipe.network.args)
        net = network.encoder(Sizes(data.shape, (recipe.latent,)), len(data.classes))
        optimizer = torch.optim.AdamW(net.parameters(), lr=1e-3, weight_decay=0.01)
        for _ in range(max(ALONE, 5 * len(x) // 200)):
            rows = torch.randperm(len(x), generator=batches)[:200]
            loss = torch.nn.functional.cross_entropy(net(x[rows], None), y[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    found = in_batches(net, data.test.x, lambda b, _: net(b, None).argmax(-1), "labels alone")
    return (torch.cat(found) != data.test.y).double().mean().item()


def _few(n: int) -> str:
    return f"M1+M2, {count(n)} labels"
