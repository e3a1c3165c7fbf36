"""Rate against distortion along beta."""

from __future__ import annotations

import itertools

from autoencode.evaluation import QUICK
from autoencode.models.recipes.table import recipe_named
from autoencode.report.charts import frontier, image_rows
from autoencode.report.figures.base import ChartFigure
from autoencode.report.formatting import short
from autoencode.report.tables import Table
from autoencode.studies.pictures import originals, reconstructions, samples
from autoencode.studies.study import Conclusion, Finding, Results, Study, StudyPlan, StudyRun

WEIGHTS = (0.1, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0)
LATENT = 16
SHOWN = 12


class Beta(Study):
    """The curve that the weight of the rate runs along."""

    name = "beta"
    title = "What does β buy?"
    question = (
        "The weight β of the rate trades what a code tells of its example against how near codes "
        "are to the prior. Where does each weight end, and what does it do to the dimensions?"
    )
    expects = (
        "With β the rate falls and the distortion rises, without exception; fewer dimensions stay "
        "active; the bound on −ln p(x), rate plus distortion, is best near β = 1."
    )

    def trainings(self, plan: StudyPlan) -> list[StudyRun]:
        """A VAE for each weight and seed."""
        steps = plan.updates(2_500, 15_000)
        row = recipe_named("vae").but(latent=LATENT)
        return [
            StudyRun(
                _name(weight),
                f"beta{weight:g}",
                row.set("terms.kl.weight", weight),
                {"steps": steps},
                seed,
                (*QUICK, "likelihood"),
            )
            for weight in WEIGHTS
            for seed in plan.trials(1, 3)
        ]

    def conclude(self, plan: StudyPlan, results: Results) -> Conclusion:
        """The curve, and whether it is one."""
        names = results.models()
        rate = [results.mean(name, "terms.kl") for name in names]
        distortion = [results.mean(name, "terms.reconstruction") for name in names]
        active = [results.mean(name, "active_dimensions") for name in names]
        bound = [a + b for a, b in zip(rate, distortion, strict=True)]
        nll = [results.mean(name, "nll") for name in names]
        table = Table(
            {
                "β": [f"{weight:g}" for weight in WEIGHTS],
                "rate, nats": rate,
                "distortion −ln p(x|z), nats": distortion,
                "rate + distortion, nats": bound,
                "−ln p(x), nats": nll,
                "active dimensions": active,
                "squared error": [results.mean(name, "squared_error") for name in names],
            }
        )
        return Conclusion(
            self._findings(rate, distortion, active, bound, nll),
            {"Along β": table},
            {
                "curve": ChartFigure(
                    "Rate against distortion",
                    frontier(
                        [
                            (f"β = {w:g}", r, d)
                            for w, r, d in zip(WEIGHTS, rate, distortion, strict=True)
                        ],
                        x="rate KL(q(z|x) ‖ p(z)), nats",
                        y="distortion −ln p(x|z), nats",
                    ),
                    "Each point is a VAE with its weight of the rate; means over test examples and "
                    "seeds. Lower and further left is better, and no point can be both.",
                    "Along a straight line of slope −1 the bound on −ln p(x) stays the same.",
                    "A falling curve of distortion over rate, one point for each weight.",
                    table,
                ),
                "pictures": self._pictures(plan, results),
            },
        )

    def _findings(self, rate, distortion, active, bound, nll) -> list[Finding]:
        falls = all(a > b for a, b in itertools.pairwise(rate))
        rises = all(a < b for a, b in itertools.pairwise(distortion))
        fewer = all(a >= b for a, b in itertools.pairwise(active))
        best, likeliest = (WEIGHTS[each.index(min(each))] for each in (bound, nll))
        first, last = WEIGHTS[0], WEIGHTS[-1]
        return [
            Finding(
                f"From β = {first:g} to {last:g} the rate goes from {short(rate[0])} to "
                f"{short(rate[-1])} nats, {'falling' if falls else 'not always falling'} with each "
                f"step, and the distortion from {short(distortion[0])} to {short(distortion[-1])}, "
                f"{'rising' if rises else 'not always rising'}.",
                falls and rises,
            ),
            Finding(
                f"Of {LATENT} dimensions {active[0]:g} carry something at β = {first:g} and "
                f"{active[-1]:g} at β = {last:g}"
                f"{'' if fewer else ', though not fewer with each step'}.",
                fewer and active[0] > active[-1],
            ),
            Finding(
                f"Rate plus distortion is lowest at β = {best:g} ({short(min(bound))} nats), −ln "
                f"p(x) by importance sampling at β = {likeliest:g} ({short(min(nll))} nats).",
                0.5 <= best <= 2,
            ),
        ]

    def _pictures(self, plan: StudyPlan, results: Results) -> ChartFigure:
        rows = [("original", originals(plan.data, SHOWN))]
        for weight in (WEIGHTS[0], 1.0, WEIGHTS[-1]):
            each = results.first(_name(weight))
            rows.append((f"β = {weight:g}, reconstructed", reconstructions(each, plan.data, SHOWN)))
            rows.append((f"β = {weight:g}, random codes", samples(each, plan.data, SHOWN)))
        return ChartFigure(
            "What comes back, and what random codes give",
            image_rows(rows),
            "The first test examples, their reconstructions, and decoded draws from the prior, for "
            "the smallest weight, 1, and the largest.",
            "Compare reconstructions with the originals, and random codes with what is data.",
            "Rows of originals, reconstructions and samples.",
            None,
        )


def _name(weight: float) -> str:
    return f"β = {weight:g}"
