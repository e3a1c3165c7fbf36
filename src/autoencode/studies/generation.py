"""Which random codes decode to plausible images: of an AE, a VAE, and a fitted mixture."""

from __future__ import annotations

from autoencode.evaluation import QUICK
from autoencode.models.recipes.table import recipe_named
from autoencode.report.charts import bars
from autoencode.report.figures.base import ChartFigure
from autoencode.studies.pictures import sample_figure
from autoencode.studies.results import Results, StudyPlan, StudyRun
from autoencode.studies.rules import Hypothesis
from autoencode.studies.study import Conclusion, Study, with_network

AE, VAE, MIXTURE, VAE_MIXTURE = "AE", "VAE", "AE + mixture", "VAE + mixture"
MODELS = {
    AE: ("ae", None),
    VAE: ("vae", None),
    MIXTURE: ("ae", "mixture"),
    VAE_MIXTURE: ("vae", "mixture"),
}
# Models with a fitted mixture, and those that they are compared with.
FITTED = ((MIXTURE, AE), (VAE_MIXTURE, VAE))
LATENT = 16
METRICS = (
    "gaps",
    "frechet_distance",
    "precision",
    "recall",
    "density",
    "coverage",
    "diversity",
    "copies",
    "squared_error",
)


class GenerationStudy(Study):
    """An AE, a VAE, and both with a mixture fitted to their codes."""

    name = "generation"
    title = "Which random codes decode to plausible images?"
    question = (
        "What share of random codes decodes to implausible images, for an autoencoder, a VAE, and "
        "either with a Gaussian mixture fitted to its codes after training?"
    )
    hypotheses = (
        Hypothesis(
            "The VAE's prior gives fewer implausible images than the bounding box of the "
            "autoencoder's codes.",
            "gaps",
            [(VAE, AE)],
        ),
        Hypothesis(
            "The VAE's prior has a lower Fréchet distance than the bounding box of the "
            "autoencoder's codes.",
            "frechet_distance",
            [(VAE, AE)],
        ),
        Hypothesis(
            "A mixture fitted to the codes gives fewer implausible images, for the autoencoder "
            "and for the VAE.",
            "gaps",
            FITTED,
        ),
        Hypothesis(
            "A mixture fitted to the codes has a lower Fréchet distance, for the autoencoder and "
            "for the VAE.",
            "frechet_distance",
            FITTED,
        ),
        Hypothesis(
            "The autoencoder has a lower squared error than the VAE.", "squared_error", [(AE, VAE)]
        ),
    )

    def trainings(self, plan: StudyPlan) -> list[StudyRun]:
        """The same network in four models."""
        recipes = {}
        for name, (row, sampler) in MODELS.items():
            recipe = with_network(recipe_named(row).but(latent=LATENT, sampler=None), 512, 256)
            recipes[name] = recipe.set("sampler", sampler) if sampler else recipe
        settings = plan.settings(4_000, 20_000, lr=3e-3)
        return plan.runs(recipes, settings, 2, (*QUICK, "generation", "gaps"))

    def conclude(self, plan: StudyPlan, results: Results) -> Conclusion:
        """Implausible images, their quality, and samples."""
        table = results.table("model", METRICS)
        shares = [100 * share for share in results.means("gaps")]
        return Conclusion(
            self.findings(results),
            {"Random codes": table},
            {
                "gaps": ChartFigure(
                    title="Implausible images",
                    picture=bars(results.models(), shares, "% of random codes"),
                    text="The share of images of random codes that are farther from every "
                    "training example, in features, than all but 1 % of test examples are. Codes "
                    "of the AE are drawn from the bounding box of its training codes, of the VAE "
                    "from its prior, of the others from the mixture.",
                    note="A model that draws from the distribution of the data would have 1 %.",
                    alt_text="Bars of the share of implausible images for each model.",
                    data=table,
                ),
                "samples": sample_figure(
                    plan.data,
                    results.firsts(),
                    "Decoded random codes of the first seed of each model, not selected.",
                ),
            },
        )
