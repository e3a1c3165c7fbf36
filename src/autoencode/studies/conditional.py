"""What labels are worth: to a conditional VAE, and a few of them to a classifier."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import torch
from torch import Tensor

from autoencode.contract import Sizes
from autoencode.data import Data, scaled
from autoencode.errors import DataError
from autoencode.evaluation import QUICK, decode
from autoencode.evaluation.context import EvaluationContext
from autoencode.models.inference import BATCH_SIZE, seeded, split
from autoencode.models.recipes.table import recipe_named
from autoencode.parts.networks import network_class
from autoencode.report.charts import Series, curves, image_rows
from autoencode.report.figures.base import ChartFigure
from autoencode.report.formatting import count
from autoencode.report.tables import Table
from autoencode.studies.pictures import CPU
from autoencode.studies.results import Result, Results, StudyPlan, StudyRun
from autoencode.studies.rules import (
    Finding,
    Hypothesis,
    compare_examples,
    compare_with_threshold,
)
from autoencode.studies.study import Conclusion, Study

CVAE, VAE = "CVAE", "VAE"
SEMI, CLASSIFIER = "M1+M2", "classifier alone"
LABELS = (100, 1_000, 10_000)
# The CVAE follows labels if more than this share of its samples is recognised as their class.
MIN_FIDELITY = 0.9
LATENT = 6
STYLES, MAX_CLASSES = 6, 10
# Training of the classifier that has the labelled examples only: steps and batch size.
MIN_CLASSIFIER_STEPS, CLASSIFIER_BATCH = 300, 200
LIKELIHOOD = Hypothesis(
    "The CVAE has a lower −ln p(x|y) than −ln p(x) of the VAE.", "nll", [(CVAE, VAE)]
)
FIDELITY = Hypothesis(
    f"More than {MIN_FIDELITY:.0%} of the samples of the CVAE are recognised as the class they are "
    "conditioned on."
)
FEW_LABELS = Hypothesis(
    "With the fewest labels the semi-supervised model has a lower classification error than the "
    "classifier alone."
)
MANY_LABELS = Hypothesis(
    "The advantage of the semi-supervised model is smaller with the most labels than with the "
    "fewest."
)
# Whether each test example is classified wrongly, [seeds, N], by number of labels.
Wrong = Mapping[int, Tensor]


class ConditionalStudy(Study):
    """CVAE against VAE; classification error against the number of labels."""

    name = "conditional"
    title = "What are labels worth?"
    question = (
        "How much likelihood does a VAE gain if it is conditioned on the class, are its samples of "
        "the class they are conditioned on, and how does the classification error of a "
        "semi-supervised model fall with the number of labels, against a classifier trained on "
        "the labelled examples only?"
    )
    hypotheses = (LIKELIHOOD, FIDELITY, FEW_LABELS, MANY_LABELS)

    def check(self, data: Data) -> None:
        """The study needs labels."""
        if len(data.classes) < 2 or data.train.y is None:
            raise DataError(
                "This study needs labels, and these data have none", "Give them: --labels FILE."
            )

    def trainings(self, plan: StudyPlan) -> list[StudyRun]:
        """Both VAEs, and M1+M2 for each number of labels."""
        cvae = recipe_named("cvae").but(latent=LATENT)
        vaes = {CVAE: cvae, VAE: cvae.but(context=None)}
        measures = (*QUICK, "likelihood", "generation")
        found = plan.runs(vaes, plan.settings(4_000, 20_000), 1, measures)
        settings = plan.settings(3_000, 12_000)
        for n in _labels(plan.data):
            found += [
                replace(run, options={"labelled": n, "seed": run.seed})
                for run in plan.runs({_few(n): recipe_named("m1-m2")}, settings, 1)
            ]
        return found

    def conclude(self, plan: StudyPlan, results: Results) -> Conclusion:
        """Likelihood, samples by class, and classification errors."""
        numbers = _labels(plan.data)
        semi = {n: torch.stack([_wrong(each) for each in results.of(_few(n))]) for n in numbers}
        alone = {
            n: torch.stack([labels_alone(each) for each in results.of(_few(n))]) for n in numbers
        }
        both = (CVAE, VAE)
        vaes = Table(
            {
                "model": list(both),
                "−ln p(x), nats": [results.mean(name, "nll") for name in both],
                "KL, nats": [results.mean(name, "terms.kl") for name in both],
                "squared error": [results.mean(name, "squared_error") for name in both],
                "samples of the class": [results.mean(CVAE, "label_fidelity"), None],
            }
        )
        table = Table(
            {
                "labels": list(numbers),
                f"error of {SEMI}": [semi[n].mean().item() for n in numbers],
                f"error of the {CLASSIFIER}": [alone[n].mean().item() for n in numbers],
            }
        )
        figures = {"classes": _class_samples(plan.data, results.first(CVAE))}
        if len(numbers) > 1:
            figures["labels"] = _curve(table)
        return Conclusion(
            self._findings(results, semi, alone),
            {"With and without the class": vaes, "Error against labels": table},
            figures,
        )

    def _findings(self, results: Results, semi: Wrong, alone: Wrong) -> list[Finding]:
        """One for each hypothesis that the number of examples allows."""
        fidelity = compare_with_threshold(results, CVAE, "label_fidelity", MIN_FIDELITY)
        found = [
            LIKELIHOOD.test(results),
            FIDELITY.finding("Samples recognised as their class", [fidelity]),
        ]
        if not semi:
            return found
        first, last = min(semi), max(semi)
        few = compare_examples((SEMI, semi[first]), (CLASSIFIER, alone[first]), share=True)
        quantity = f"Classification error with {count(first)} labels"
        found.append(FEW_LABELS.finding(quantity, [few]))
        if first != last:
            more, less = ((f"{count(n)} labels", alone[n] - semi[n]) for n in (last, first))
            quantity = f"Error of the {CLASSIFIER} minus that of {SEMI}"
            found.append(MANY_LABELS.finding(quantity, [compare_examples(more, less, share=True)]))
        return found


def labels_alone(result: Result) -> Tensor:
    """Whether each test example is classified wrongly, [N], by a classifier of few examples.

    It is the recipe's own network, trained on the labelled examples only.
    """
    run = result.run
    data = run.load_data()
    labels, wanted = data.train.y, data.test.y
    assert labels is not None
    assert wanted is not None
    labelled = labels >= 0
    x, y = scaled(data.train.x[labelled]), labels[labelled]
    recipe = result.training.recipe
    batches = torch.Generator().manual_seed(result.training.seed)
    with seeded(result.training.seed, CPU):
        network = network_class(recipe.network.kind)(**recipe.network.args)
        net = network.encoder(Sizes(data.shape, (recipe.latent,)), len(data.classes))
        optimizer = torch.optim.AdamW(net.parameters(), lr=1e-3, weight_decay=0.01)
        for _ in range(max(MIN_CLASSIFIER_STEPS, 5 * len(x) // CLASSIFIER_BATCH)):
            rows = torch.randperm(len(x), generator=batches)[:CLASSIFIER_BATCH]
            loss = torch.nn.functional.cross_entropy(net(x[rows], None), y[rows])
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]  # untyped in torch
            optimizer.step()
    net.eval()
    with torch.no_grad():
        found = [net(scaled(part), None).argmax(-1) for part in split(data.test.x, BATCH_SIZE)]
    return (torch.cat(found) != wanted).double()


def _wrong(result: Result) -> Tensor:
    """Whether the semi-supervised model classifies each test example wrongly, [N]."""
    data = result.run.load_data()
    predicted = EvaluationContext(result.run.load_model(), data).predicted
    assert predicted is not None
    assert data.test.y is not None
    return (predicted != data.test.y).double()


def _labels(data: Data) -> tuple[int, ...]:
    """Numbers of labels: at least one for each class, at most half of the training examples."""
    return tuple(n for n in LABELS if len(data.classes) <= n <= len(data.train) // 2)


def _class_samples(data: Data, result: Result) -> ChartFigure:
    """Random codes, each decoded with every class."""
    model, shown = result.run.load_model(), min(len(data.classes), MAX_CLASSES)
    with torch.no_grad(), seeded(0, CPU):
        prior = model.prior(torch.zeros(1, dtype=torch.int64))
        assert prior is not None
        codes = prior.sample(torch.Size((STYLES,))).reshape(STYLES, -1)
    rows = [
        (f"code {i + 1}", decode(model, code.expand(shown, -1), torch.arange(shown)).clamp(0, 1))
        for i, code in enumerate(codes)
    ]
    return ChartFigure(
        title="One code in every class",
        picture=image_rows(rows, column_titles=data.classes[:shown]),
        text="Each row is one random code, decoded with each class in turn.",
        note="Images of a row share their code; images of a column share their class.",
        alt_text="A grid of decoded codes, one row for each code and one column for each class.",
    )


def _curve(table: Table) -> ChartFigure:
    numbers, semi, alone = map(list[float], table.columns.values())
    return ChartFigure(
        title="Error against the number of labels",
        picture=curves(
            [
                Series(SEMI, numbers, [100 * error for error in semi]),
                Series(CLASSIFIER, numbers, [100 * error for error in alone], dashed=True),
            ],
            x="labels",
            y="classification error on test examples, %",
            log_x=True,
            log_y=True,
        ),
        text="Classification error on test examples of the semi-supervised model, which has all "
        "training examples and the given number of labels, and of the same classifier trained on "
        "the labelled examples only.",
        note="The gap is the benefit of the examples without labels.",
        alt_text="Two curves of classification error over the number of labels.",
        data=table,
    )


def _few(n: int) -> str:
    return f"{SEMI}, {count(n)} labels"
