"""What the prior does to the code space, to samples and to the likelihood."""

from __future__ import annotations

from autoencode.evaluation import QUICK, embed
from autoencode.models.recipe import Recipe
from autoencode.models.recipes.table import recipe_named
from autoencode.report.charts import bars, code_planes, image_rows
from autoencode.report.figures.base import ChartFigure
from autoencode.report.formatting import short
from autoencode.report.tables import Table
from autoencode.studies.pictures import originals, samples
from autoencode.studies.rules import lower, percent
from autoencode.studies.study import Conclusion, Finding, Results, Study, StudyPlan, StudyRun

PRIORS = ("normal", "uniform", "mixture", "vamp", "flow")
NET = {"hidden": (512, 256), "norm": "layer", "activation": "silu"}
LATENT = 2
SHOWN, DRAWN, PLACED = 12, 3_000, 3_000
FIGURES = {
    "nll": "−ln p(x), nats",
    "terms.reconstruction": "distortion, nats",
    "terms.kl": "rate, nats",
    "aggregate_kl": "KL(q(z) ‖ p(z)), nats",
    "gaps": "gaps, share of draws from the prior",
    "frechet_distance": "Fréchet distance",
    "knn_accuracy": "k-NN accuracy",
}


class Priors(Study):
    """Five priors under one network with codes that can be looked at."""

    name = "priors"
    title = "Which prior?"
    question = (
        "A VAE may be told that codes are normal, uniform in a box, or may learn the prior: as a "
        "mixture of normals, as posteriors of learned examples (VampPrior), or as a flow. What "
        "does that do to the plane of codes, to what is drawn from it, and to the likelihood?"
    )
    expects = (
        "Learned priors have the better likelihood and lie nearer to the codes of the data, so "
        "that fewer of their draws decode to what is no data."
    )

    def trainings(self, plan: StudyPlan) -> list[StudyRun]:
        """The same network under each prior."""
        steps = plan.updates(4_000, 20_000)
        settings = {"steps": steps, "lr": 3e-3, "warmup": min(300, steps // 4)}
        measures = (*QUICK, "likelihood", "space", "generation", "gaps")
        return [
            StudyRun(prior, prior, _recipe(prior), settings, seed, measures)
            for prior in PRIORS
            for seed in plan.trials(1, 3)
        ]

    def conclude(self, plan: StudyPlan, results: Results) -> Conclusion:
        """Likelihood, gaps, planes and samples."""
        names = results.models()
        figures = {f: w for f, w in FIGURES.items() if all(f in each for each in results)}
        table = Table(
            {
                "prior": names,
                **{w: [results.mean(n, f) for n in names] for f, w in figures.items()},
            }
        )
        plates = {
            "nll": ChartFigure(
                "Likelihood",
                bars(names, [results.mean(name, "nll") for name in names], "nats, less is better"),
                "−ln p(x) of test examples by importance sampling, with codes of two numbers.",
                "A nat less makes the data e times as likely.",
                "Bars of the negative log-likelihood for each prior.",
                table,
            ),
            "codes": self._codes(plan, results),
            "samples": ChartFigure(
                "What draws from the prior decode to",
                image_rows(
                    [
                        ("test examples", originals(plan.data, SHOWN)),
                        *((n, samples(results.first(n), plan.data, SHOWN)) for n in names),
                    ]
                ),
                "Decoded draws from each prior, not chosen.",
                "Which of them could be data?",
                "Rows of decoded draws, one for each prior.",
                None,
            ),
        }
        return Conclusion(self._findings(results), {"Priors": table}, plates)

    def _findings(self, results: Results) -> list[Finding]:
        nll = {name: results.mean(name, "nll") for name in PRIORS}
        order = sorted(PRIORS, key=nll.__getitem__)
        learned = ("mixture", "vamp", "flow")
        better = [n for n in learned if lower(results, n, "normal", "nll") is True]
        found = [
            Finding(
                "By likelihood the priors are, best first: "
                + ", ".join(f"{name} {short(nll[name])}" for name in order)
                + f" nats. Better than the normal beyond the noise: {', '.join(better) or 'none'}.",
                len(better) == len(learned),
            )
        ]
        gaps = {name: results.mean(name, "gaps") for name in PRIORS}
        fewer = [n for n in learned if lower(results, n, "normal", "gaps") is True]
        found.append(
            Finding(
                "Draws that decode to what is no data: "
                + ", ".join(f"{name} {percent(gaps[name])}" for name in sorted(gaps, key=gaps.get))
                + f". Fewer than under the normal: {', '.join(fewer) or 'none'}.",
                len(fewer) == len(learned),
            )
        )
        if all("aggregate_kl" in each for each in results):
            apart = {name: results.mean(name, "aggregate_kl") for name in PRIORS}
            nearest = min(apart, key=apart.__getitem__)
            found.append(
                Finding(
                    f"The codes of the test examples lie nearest to the {nearest} prior: KL(q(z) ‖ "
                    "p(z)) is "
                    + ", ".join(f"{short(apart[n])} ({n})" for n in sorted(apart, key=apart.get))
                    + " nats.",
                    nearest in learned,
                )
            )
        return found

    def _codes(self, plan: StudyPlan, results: Results) -> ChartFigure:
        x, y = plan.data.test.x[:PLACED], plan.data.test.y
        panels, columns = [], {}
        for name in PRIORS:
            points = embed(results.first(name).run.load_model(), x).flatten(1)
            panels.append((name, points, None if y is None else y[:PLACED]))
            columns |= {f"{name}, {i + 1}": points[:, i].tolist() for i in range(LATENT)}
        return ChartFigure(
            "The plane of codes",
            code_planes(panels, plan.data.classes),
            f"Codes of {len(x):,} test examples under each prior, each panel on its own scale.",
            "How the prior shapes the plane: one cloud, a filled box, islands.",
            "Scatter plots of codes, one for each prior.",
            Table(columns),
        )


def _recipe(prior: str) -> Recipe:
    recipe = recipe_named("vae").but(latent=LATENT)
    for key, value in NET.items():
        recipe = recipe.set(f"network.{key}", value)
    if prior == "uniform":
        return recipe.set("bottleneck", "bounded").set("prior", prior)
    if prior == "mixture":
        rate = recipe_named("mog-vae").terms["kl"]
        return recipe.set("prior", prior).but(terms={**recipe.terms, "kl": rate})
    return recipe.set("prior", prior)
