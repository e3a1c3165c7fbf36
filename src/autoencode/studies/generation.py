"""Why random codes of an autoencoder fail, and what mends it."""

from __future__ import annotations

from autoencode.evaluation import QUICK
from autoencode.models.recipes.table import recipe_named
from autoencode.report.charts import bars, image_rows
from autoencode.report.figures.base import ChartFigure
from autoencode.report.formatting import short
from autoencode.report.tables import Table
from autoencode.studies.pictures import originals, samples
from autoencode.studies.rules import differ, lower, percent
from autoencode.studies.study import Conclusion, Finding, Results, Study, StudyPlan, StudyRun

AE, VAE, MIXTURE, VAE_MIXTURE = "AE", "VAE", "AE + mixture", "VAE + mixture"
ROWS = {
    AE: ("ae", None),
    VAE: ("vae", None),
    MIXTURE: ("ae", "mixture"),
    VAE_MIXTURE: ("vae", "mixture"),
}
NET = {"hidden": (512, 256), "norm": "layer", "activation": "silu"}
LATENT = 16
SHOWN = 12
FIGURES = {
    "gaps": "gaps, share of random codes",
    "frechet_distance": "Fréchet distance",
    "precision": "precision",
    "recall": "recall",
    "density": "density",
    "coverage": "coverage",
    "diversity": "diversity",
    "copies": "copies",
    "squared_error": "squared error",
}


class Generation(Study):
    """An AE, a VAE, and both with a mixture fitted to their codes."""

    name = "generation"
    title = "Which random codes decode to data?"
    question = (
        "How much of what random codes decode to is no data, for an autoencoder, a VAE, and either "
        "with a mixture of normals fitted to its codes afterwards?"
    )
    expects = (
        "The box that an autoencoder's codes fill is full of gaps; a VAE's prior has fewer; a "
        "mixture fitted to codes has the fewest and the best Fréchet distance. Reconstructions of "
        "the autoencoder stay the better ones."
    )

    def trainings(self, plan: StudyPlan) -> list[StudyRun]:
        """The same network four times."""
        steps = plan.updates(4_000, 20_000)
        found = []
        for name, (row, sampler) in ROWS.items():
            recipe = recipe_named(row).but(latent=LATENT, sampler=None)
            for key, value in NET.items():
                recipe = recipe.set(f"network.{key}", value)
            if sampler:
                recipe = recipe.set("sampler", sampler)
            settings = {"steps": steps, "lr": 3e-3, "warmup": min(300, steps // 4)}
            measures = (*QUICK, "generation", "gaps")
            key = f"{row}-{sampler}" if sampler else row
            found += [
                StudyRun(name, key, recipe, settings, seed, measures) for seed in plan.trials(2, 3)
            ]
        return found

    def conclude(self, plan: StudyPlan, results: Results) -> Conclusion:
        """Gaps and quality, in order."""
        names = results.models()
        table = Table(
            {
                "model": names,
                **{
                    words: [results.mean(name, figure) for name in names]
                    for figure, words in FIGURES.items()
                },
            }
        )
        gaps = {name: results.mean(name, "gaps") for name in names}
        distance = {name: results.mean(name, "frechet_distance") for name in names}
        errors = {name: results.mean(name, "squared_error") for name in names}
        return Conclusion(
            self._findings(results, gaps, distance, errors),
            {"Random codes": table},
            {
                "gaps": ChartFigure(
                    "Gaps",
                    bars(names, [100 * gaps[name] for name in names], "% of random codes"),
                    "The share of images of random codes that are farther from every training "
                    "example, in features, than all but 1 % of test examples are. Codes of the AE "
                    "are drawn from the box that its training codes fill, of the VAE from its "
                    "prior, the others from the mixture.",
                    "A model that draws from the distribution of the data would have 1 %.",
                    "Bars of the share of gaps for each model.",
                    table,
                ),
                "samples": ChartFigure(
                    "What random codes decode to",
                    image_rows(
                        [
                            ("test examples", originals(plan.data, SHOWN)),
                            *((n, samples(results.first(n), plan.data, SHOWN)) for n in names),
                        ]
                    ),
                    "Decoded random codes of the first seed of each model, not chosen.",
                    "Which of them could be data?",
                    "Rows of decoded random codes, one for each model.",
                    None,
                ),
            },
        )

    def _findings(self, results: Results, gaps, distance, errors) -> list[Finding]:
        fewer = lower(results, VAE, AE, "gaps")
        nearest = min(distance, key=distance.__getitem__)
        sure = all(
            differ(results.of(nearest), results.of(other), "frechet_distance")
            for other in distance
            if other != nearest
        )
        better = lower(results, AE, VAE, "squared_error")
        return [
            Finding(
                f"{percent(gaps[AE])} of random codes in the box of the autoencoder decode to what "
                f"is no data, {percent(gaps[VAE])} of draws from the VAE's "
                f"prior{'' if fewer is not None else '; that is no difference beyond the noise'}.",
                fewer is True,
            ),
            Finding(
                f"With a mixture fitted to the codes it is {percent(gaps[MIXTURE])} for the "
                f"autoencoder and {percent(gaps[VAE_MIXTURE])} for the VAE.",
                gaps[MIXTURE] < min(gaps[AE], gaps[VAE]),
            ),
            Finding(
                f"The best Fréchet distance is that of {nearest}, {short(distance[nearest])}"
                f"{'' if sure else ' (not beyond the noise)'}; "
                + ", ".join(f"{n} {short(d)}" for n, d in distance.items() if n != nearest)
                + ".",
                nearest in (MIXTURE, VAE_MIXTURE),
            ),
            Finding(
                f"The autoencoder's squared error is {short(errors[AE])}, the VAE's "
                f"{short(errors[VAE])}"
                f"{'' if better is not None else '; that is no difference beyond the noise'}.",
                better is True,
            ),
        ]
