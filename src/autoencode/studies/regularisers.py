"""What each regulariser changes."""

from __future__ import annotations

from autoencode.evaluation import QUICK
from autoencode.models.recipe import Recipe, Spec, Weighted
from autoencode.models.recipes.table import recipe_named
from autoencode.report.charts import bars
from autoencode.report.charts.bars import Better
from autoencode.report.figures.base import ChartFigure
from autoencode.studies.pictures import reconstruction_figure
from autoencode.studies.results import Results, StudyPlan, StudyRun, metric_name
from autoencode.studies.rules import Hypothesis, some
from autoencode.studies.study import Conclusion, Study, with_network

PLAIN = "plain"
REGULARISED = ("contractive", "sparse", "denoising", "small codes", "variational")
ALL = tuple((name, PLAIN) for name in REGULARISED)
LATENT = 32


METRICS = (
    "squared_error",
    "knn_accuracy",
    "linear_probe_accuracy",
    "kmeans_ari",
    "intrinsic_dimension",
    "code_shift_noise",
    "knn_accuracy_noise",
    "gaps",
)
# Metrics with a figure, and whether the highest or the lowest value is best.
SHOWN_METRICS: dict[str, Better] = {
    "squared_error": "low",
    "knn_accuracy": "high",
    "code_shift_noise": "low",
    "gaps": "low",
}


class RegularisersStudy(Study):
    """Contractive, sparse, denoising, small and variational codes against a plain autoencoder."""

    name = "regularisers"
    title = "What does each regulariser change?"
    question = (
        "The same network is trained as a plain autoencoder, as a contractive, a sparse and a "
        "denoising one, with an L2 penalty on codes, and as a VAE. What does each regulariser "
        "cost in squared error, and how does it change the codes?"
    )
    hypotheses = (
        Hypothesis(
            "Each regulariser has a higher squared error than the plain autoencoder.",
            "squared_error",
            ALL,
            "higher",
        ),
        *(
            Hypothesis(
                f"At least one regulariser has a higher {words} than the plain autoencoder.",
                metric,
                ALL,
                "higher",
                some,
            )
            for metric, words in (
                ("knn_accuracy", "k-NN accuracy"),
                ("linear_probe_accuracy", "linear probe accuracy"),
                ("kmeans_ari", "adjusted Rand index of k-means"),
                ("knn_accuracy_noise", "k-NN accuracy under noise"),
            )
        ),
        Hypothesis(
            "The contractive and the denoising autoencoder have a lower code shift under noise "
            "than the plain one.",
            "code_shift_noise",
            [("contractive", PLAIN), ("denoising", PLAIN)],
        ),
        Hypothesis(
            "Random codes of the VAE give fewer implausible images than those of the plain "
            "autoencoder.",
            "gaps",
            [("variational", PLAIN)],
        ),
    )

    def trainings(self, plan: StudyPlan) -> list[StudyRun]:
        """The same network with each regulariser."""
        settings = plan.settings(2_500, 15_000, lr=2e-3)
        return plan.runs(_recipes(), settings, 1, (*QUICK, "space", "shift", "gaps"))

    def conclude(self, plan: StudyPlan, results: Results) -> Conclusion:
        """All metrics of all models."""
        names, table = results.models(), results.table("model", METRICS)
        figures = {
            metric: ChartFigure(
                title=metric_name(metric),
                picture=bars(names, results.means(metric), metric_name(metric), best=best),
                text=f"{results.first(PLAIN).metrics['notes'][metric]}",
                note=f"{'Higher' if best == 'high' else 'Lower'} is better.",
                alt_text=f"Bars of a metric for each model: {metric_name(metric)}.",
                data=table,
            )
            for metric, best in SHOWN_METRICS.items()
            if results.measured(metric)
        }
        figures["reconstructions"] = reconstruction_figure(plan.data, results.firsts())
        return Conclusion(self.findings(results), {"Metrics": table}, figures)


def _recipes() -> dict[str, Recipe]:
    plain = with_network(recipe_named("ae").but(latent=LATENT), 512)
    vae = with_network(recipe_named("vae").but(latent=LATENT, likelihood=plain.likelihood), 512)
    contractive = recipe_named("contractive-ae").terms["contractive"]
    l1 = recipe_named("sparse-l1").terms["l1"]
    l2 = Weighted("l2", weight=0.1)
    return {
        PLAIN: plain,
        "contractive": plain.but(terms={**plain.terms, "contractive": contractive}),
        "sparse": plain.but(bottleneck=Spec("rectified"), terms={**plain.terms, "l1": l1}),
        "denoising": plain.but(corruption=Spec("gaussian-noise", {"scale": 0.5})),
        "small codes": plain.but(terms={**plain.terms, "l2": l2}),
        "variational": vae,
    }
