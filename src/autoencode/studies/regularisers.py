"""What each regulariser changes."""

from __future__ import annotations

from autoencode.evaluation import QUICK
from autoencode.models.recipe import Recipe, Spec, Weighted
from autoencode.models.recipes.table import recipe_named
from autoencode.report.charts import bars, image_rows
from autoencode.report.figures.base import ChartFigure
from autoencode.report.formatting import short
from autoencode.report.tables import Table
from autoencode.studies.pictures import originals, reconstructions
from autoencode.studies.rules import lower, percent
from autoencode.studies.study import Conclusion, Finding, Results, Study, StudyPlan, StudyRun

PLAIN = "plain"
LATENT = 32
NET = {"hidden": (512,), "norm": "layer", "activation": "silu"}
SHOWN = 12
FIGURES = {
    "squared_error": ("squared error", False),
    "knn_accuracy": ("k-NN accuracy", True),
    "linear_probe_accuracy": ("linear probe accuracy", True),
    "kmeans_ari": ("k-means ARI", True),
    "intrinsic_dimension": ("intrinsic dimension", None),
    "code_shift_noise": ("code shift under noise, spreads", False),
    "knn_accuracy_noise": ("k-NN accuracy under noise", True),
    "gaps": ("gaps in what is drawn", False),
}


class Regularisers(Study):
    """Contractive, sparse, denoising and variational against plain."""

    name = "regularisers"
    title = "What does each regulariser change?"
    question = (
        "The same network is trained plain, to be contractive, sparse, to denoise, with small "
        "codes, and as a VAE. What does each cost in error, and what does it give to the codes?"
    )
    expects = (
        "All cost squared error. Contraction and denoising make codes steadier under noise; "
        "variational codes leave fewer gaps; the plain code is best at reconstruction alone."
    )

    def trainings(self, plan: StudyPlan) -> list[StudyRun]:
        """The same network with each regulariser."""
        steps = plan.updates(2_500, 15_000)
        settings = {"steps": steps, "warmup": min(300, steps // 4), "lr": 2e-3}
        measures = (*QUICK, "space", "shift", "gaps")
        return [
            StudyRun(name, name.replace(" ", "-"), recipe, settings, seed, measures)
            for name, recipe in _recipes().items()
            for seed in plan.trials(1, 3)
        ]

    def conclude(self, plan: StudyPlan, results: Results) -> Conclusion:
        """A table of what changes, and the words for it."""
        names = results.models()
        known = {f: w for f, w in FIGURES.items() if all(f in each for each in results)}
        table = Table(
            {
                "model": names,
                **{w: [results.mean(n, f) for n in names] for f, (w, _) in known.items()},
            }
        )
        plates = {
            figure: ChartFigure(
                words[0].upper() + words[1:],
                bars(
                    names,
                    values,
                    words,
                    best="high" if rises else "low",
                ),
                f"{results.first(names[0]).metrics['notes'][figure]}",
                "Longer is better." if rises else "Shorter is better.",
                f"Bars of {words} for each model.",
                table,
            )
            for figure, (words, rises) in known.items()
            if rises is not None
            and figure in ("squared_error", "knn_accuracy", "code_shift_noise", "gaps")
            for values in [[results.mean(name, figure) for name in names]]
        }
        plates["reconstructions"] = ChartFigure(
            "What comes back",
            image_rows(
                [
                    ("original", originals(plan.data, SHOWN)),
                    *((n, reconstructions(results.first(n), plan.data, SHOWN)) for n in names),
                ]
            ),
            "The first test examples and what each model makes of them.",
            "Compare each row with the first.",
            "Rows of test examples and their reconstructions.",
            None,
        )
        return Conclusion(self._findings(results, known), {"What changes": table}, plates)

    def _findings(self, results: Results, known) -> list[Finding]:
        names = [name for name in results.models() if name != PLAIN]
        found = []
        for figure, (words, rises) in known.items():
            if rises is None:
                continue
            order = sorted(
                results.models(), key=lambda n: results.mean(n, figure), reverse=bool(rises)
            )
            changed = {name: lower(results, name, PLAIN, figure) for name in names}
            better = [n for n in names if changed[n] is (not rises)]
            worse = [n for n in names if changed[n] is bool(rises)]
            value = {n: results.mean(n, figure) for n in order}
            holds = {
                "squared_error": not better,
                "code_shift_noise": {"contractive", "denoising"} <= set(better),
                "gaps": "variational" in better,
            }.get(figure)
            said = percent(value[order[0]]) if "accuracy" in figure else short(value[order[0]])
            plain = percent(value[PLAIN]) if "accuracy" in figure else short(value[PLAIN])
            found.append(
                Finding(
                    f"{words[0].upper()}{words[1:]}: best {order[0]} ({said}), plain {plain}. "
                    f"Better than plain beyond the noise: {', '.join(better) or 'none'}; worse: "
                    f"{', '.join(worse) or 'none'}.",
                    holds,
                )
            )
        return found


def _recipes() -> dict[str, Recipe]:
    plain = recipe_named("ae").but(latent=LATENT)
    vae = recipe_named("vae").but(latent=LATENT, likelihood=plain.likelihood)
    for key, value in NET.items():
        plain, vae = (recipe.set(f"network.{key}", value) for recipe in (plain, vae))
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
