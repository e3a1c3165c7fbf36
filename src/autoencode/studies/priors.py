"""How the prior changes the latent space, the samples and the likelihood."""

from __future__ import annotations

from autoencode.evaluation import QUICK
from autoencode.models.recipe import Recipe
from autoencode.models.recipes.table import recipe_named
from autoencode.report.charts import bars
from autoencode.report.figures.base import ChartFigure
from autoencode.studies.pictures import code_figure, sample_figure
from autoencode.studies.results import Results, StudyPlan, StudyRun
from autoencode.studies.rules import Hypothesis
from autoencode.studies.study import Conclusion, Study, with_network

PRIORS = ("normal", "uniform", "mixture", "vamp", "flow")
LEARNED = tuple((prior, "normal") for prior in ("mixture", "vamp", "flow"))
LATENT = 2
METRICS = (
    "nll",
    "terms.reconstruction",
    "terms.kl",
    "aggregate_kl",
    "gaps",
    "frechet_distance",
    "knn_accuracy",
)


class PriorsStudy(Study):
    """Five priors with the same network and two latent dimensions."""

    name = "priors"
    title = "Which prior?"
    question = (
        "The prior of a VAE may be fixed, normal or uniform in a box, or learned: a mixture of "
        "normals, posteriors of learned pseudo-inputs (VampPrior), or a flow. How does it change "
        "the latent space, the samples and the likelihood?"
    )
    hypotheses = (
        Hypothesis(
            "Each learned prior (mixture, VampPrior, flow) has a lower −ln p(x) than the normal "
            "prior.",
            "nll",
            LEARNED,
        ),
        Hypothesis(
            "Samples of each learned prior give fewer implausible images than samples of the "
            "normal prior.",
            "gaps",
            LEARNED,
        ),
        Hypothesis(
            "Each learned prior is nearer to the aggregate posterior, with a lower "
            "KL(q(z) ‖ p(z)), than the normal prior.",
            "aggregate_kl",
            LEARNED,
        ),
    )

    def trainings(self, plan: StudyPlan) -> list[StudyRun]:
        """The same network with each prior."""
        return plan.runs(
            {prior: _recipe(prior) for prior in PRIORS},
            plan.settings(4_000, 20_000, lr=3e-3),
            1,
            (*QUICK, "likelihood", "space", "generation", "gaps"),
        )

    def conclude(self, plan: StudyPlan, results: Results) -> Conclusion:
        """Likelihood, codes and samples of each prior."""
        names, nll = results.models(), results.means("nll")
        table = results.table("prior", METRICS)
        figures = {
            "nll": ChartFigure(
                title="Likelihood",
                picture=bars(names, nll, "nats, less is better"),
                text=f"−ln p(x) of test examples by importance sampling, with {LATENT} latent "
                "dimensions.",
                note="A difference of one nat is a factor e in likelihood.",
                alt_text="Bars of the negative log-likelihood for each prior.",
                data=table,
            ),
            "codes": code_figure(
                plan.data,
                results.firsts(),
                "Codes of {} test examples under each prior, each panel on its own scale.",
                "Compare the shape of the codes with the prior of the panel.",
            ),
            "samples": sample_figure(
                plan.data, results.firsts(), "Decoded samples of each prior, not selected."
            ),
        }
        return Conclusion(self.findings(results), {"Priors": table}, figures)


def _recipe(prior: str) -> Recipe:
    recipe = with_network(recipe_named("vae").but(latent=LATENT), 512, 256)
    if prior == "uniform":
        return recipe.set("bottleneck", "bounded").set("prior", prior)
    if prior == "mixture":
        kl = recipe_named("mog-vae").terms["kl"]
        return recipe.set("prior", prior).but(terms={**recipe.terms, "kl": kl})
    return recipe.set("prior", prior)
