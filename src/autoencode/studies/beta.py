"""Rate and distortion along β, the weight of the KL term."""

from __future__ import annotations

import itertools

from autoencode.evaluation import QUICK
from autoencode.evaluation.metric_info import Better
from autoencode.models.recipes.table import recipe_named
from autoencode.report.charts import frontier, image_rows
from autoencode.report.figures.base import ChartFigure
from autoencode.report.tables import Table
from autoencode.studies.pictures import originals, reconstructions, samples
from autoencode.studies.results import Results, StudyPlan, StudyRun, metric_name
from autoencode.studies.rules import (
    Finding,
    Hypothesis,
    Verdict,
    compare_models,
    every,
)
from autoencode.studies.study import Conclusion, Study

WEIGHTS = (0.1, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0)
# Weights whose negative ELBO need not be worse than that of β = 1.
NEAR_ONE = (0.5, 2.0)
LATENT = 16
KL, DISTORTION = "terms.kl", "terms.reconstruction"
CURVE = Hypothesis("Each increase of β lowers the KL and raises the distortion.")
ACTIVE = Hypothesis(
    "The largest β leaves fewer active dimensions than the smallest, and no increase of β raises "
    "their number."
)
BOUND = Hypothesis(
    f"The negative ELBO is lower at β = 1 than at any β below {NEAR_ONE[0]:g} or above "
    f"{NEAR_ONE[1]:g}.",
    "negative_elbo",
)


class BetaStudy(Study):
    """VAEs that differ in the weight of the KL term."""

    name = "beta"
    title = "What does β change?"
    question = (
        "The weight β of the KL term trades the information in a code about its example against "
        "the distance of codes from the prior. What KL and distortion does each weight lead to, "
        "and how many latent dimensions stay active?"
    )
    hypotheses = (CURVE, ACTIVE, BOUND)

    def trainings(self, plan: StudyPlan) -> list[StudyRun]:
        """A VAE for each weight and seed."""
        vae = recipe_named("vae").but(latent=LATENT)
        recipes = {_name(weight): vae.set("terms.kl.weight", weight) for weight in WEIGHTS}
        settings = {"steps": plan.training_steps(2_500, 15_000)}
        return plan.runs(recipes, settings, 1, (*QUICK, "likelihood"))

    def conclude(self, plan: StudyPlan, results: Results) -> Conclusion:
        """The rate–distortion curve, active dimensions and likelihood."""
        kl, distortion = results.means(KL), results.means(DISTORTION)
        points = list(zip(results.models(), kl, distortion, strict=True))
        table = Table(
            {
                "β": [f"{weight:g}" for weight in WEIGHTS],
                "KL, nats": kl,
                "distortion −ln p(x|z), nats": distortion,
                "KL + distortion, nats": [a + b for a, b in zip(kl, distortion, strict=True)],
                "−ln p(x), nats": results.means("nll"),
                "active dimensions": results.means("active_dimensions"),
                "squared error": results.means("squared_error"),
            }
        )
        return Conclusion(
            self.findings(results),
            {"Along β": table},
            {
                "curve": ChartFigure(
                    title="Rate–distortion curve",
                    picture=frontier(
                        points,
                        x="rate KL(q(z|x) ‖ p(z)), nats",
                        y="distortion −ln p(x|z), nats",
                    ),
                    text="Each point is a VAE with its weight β of the KL term; means over test "
                    "examples and seeds. Lower and further left is better.",
                    note="Along a straight line of slope −1 the bound on −ln p(x) is constant.",
                    alt_text="A falling curve of distortion over rate, one point for each weight.",
                    data=table,
                ),
                "pictures": self._pictures(plan, results),
            },
        )

    def findings(self, results: Results) -> list[Finding]:
        """One for each hypothesis."""
        names = results.models()
        increases, ends = list(itertools.pairwise(names)), (names[0], names[-1])
        verdicts, sentences = [], []
        expectations: tuple[tuple[str, Better, int], ...] = (
            (KL, "lower", -1),
            (DISTORTION, "higher", 1),
        )
        for metric, expected, sign in expectations:
            steps = [compare_models(results, b, a, metric, expected) for a, b in increases]
            verdicts += [each.verdict for each in steps]
            moved = sum(
                sign * (results.mean(b, metric) - results.mean(a, metric)) > 0 for a, b in increases
            )
            text = compare_models(results, ends[1], ends[0], metric, expected).text
            sentences.append(
                f"{metric_name(metric)}: {text}; {expected} after {moved} of {len(steps)} "
                "increases of β."
            )
        lost, *steps = (
            compare_models(results, b, a, "active_dimensions", "lower")
            for a, b in (ends, *increases)
        )
        far_from_one = [w for w in WEIGHTS if not NEAR_ONE[0] <= w <= NEAR_ONE[1]]
        gained = [each for each in steps if each.verdict is Verdict.NOT_SUPPORTED]
        return [
            Finding(CURVE.text, every(verdicts), " ".join(sentences)),
            ACTIVE.finding(f"Active dimensions of {LATENT}", [lost, *gained]),
            BOUND.test(results, [(_name(1.0), _name(weight)) for weight in far_from_one]),
        ]

    def _pictures(self, plan: StudyPlan, results: Results) -> ChartFigure:
        rows = [("original", originals(plan.data))]
        for weight in (WEIGHTS[0], 1.0, WEIGHTS[-1]):
            each = results.first(_name(weight))
            rows.append((f"β = {weight:g}, reconstructed", reconstructions(each, plan.data)))
            rows.append((f"β = {weight:g}, random codes", samples(each, plan.data)))
        return ChartFigure(
            title="Reconstructions and samples",
            picture=image_rows(rows),
            text="The first test examples, their reconstructions, and decoded samples of the "
            "prior, for the smallest weight, β = 1 and the largest weight.",
            note="Compare reconstructions with the originals, and samples with test examples.",
            alt_text="Rows of originals, reconstructions and samples.",
        )


def _name(weight: float) -> str:
    return f"β = {weight:g}"
