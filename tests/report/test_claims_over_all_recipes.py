"""No text of a report claims what a term of the objective would have brought about.

Every recipe is trained for a few steps with the weight of its prior's or penalty's terms set to 0.
What its captions say then can only be right if it was measured.
"""

import re
from dataclasses import replace

import pytest
import torch

import autoencode as ae
from autoencode.data import load_data
from autoencode.evaluation import evaluate
from autoencode.evaluation.headlines import headlines
from autoencode.models.conditions import conditioning
from autoencode.models.recipes.table import RECIPES
from autoencode.report.figures.base import ReportContext
from autoencode.report.figures.registry import report_figures
from autoencode.report.view import View

pytestmark = pytest.mark.long

# Terms that a recipe cannot be trained without.
FIT = {"reconstruction", "iwae", "miwae", "piwae", "ciwae"}
# Claims that no caption may make, by the kind of term or part that is meant to bring them about.
# A verdict that is measured is confirmed by another measurement below.
FORBIDDEN = {
    "prior": (
        r"\bdrawn?\b.*\b(together|towards)\b",
        r"\bgaps\b",
        r"around the origin",
        r"the prior (has|leaves|keeps|spreads)",
        r"as likely",
        r"could be examples",
    ),
    "clusters": (r"\bclusters?\b", r"\bislands?\b"),
    "independence": (r"\b(independent|disentangled|uncorrelated|factors?)\b",),
    "capacity": (r"\bcapacity\b", r"\bfree bits\b", r"\bmore informative\b"),
    "contraction": (r"\b(robust|insensitive|invariant|contracted)\b", r"\bmoves? little\b"),
    "smoothness": (r"\bsmooth decoder\b", r"\bsmoothly\b", r"turns? into"),
    "sparsity": (r"\bfew (active|nonzero)\b", r"\bsparse\b"),
    "critic": (r"\b(sharp|sharper|realistic|convincing|looks? real)\b",),
    "noise": (r"removes? noise", r"\brestores?\b"),
    "discrete": (r"\bmeaningful\b", r"\binterpretable\b"),
    "anything": (
        r"\blearned to\b",
        r"\bforced?\b",
        r"\bpulled?\b",
        r"\bwas asked\b",
        r"\bwants?\b",
    ),
}
CLOSE, EVEN = "prior closely", "are spread evenly"
# Verdicts of the middle and the far range may be given to what these bounds allow, too.
MAX_ENERGY = 0.02


def without_weights(name):
    """A small version of a recipe whose terms have no weight but that of the reconstruction."""
    recipe = RECIPES[name].but(schedules={})
    for term, weighted in recipe.terms.items():
        if weighted.kind not in FIT:
            recipe = recipe.set(f"terms.{term}.weight", 0.0)
    if recipe.network.kind == "mlp" and recipe.network.args.get("hidden") != ():
        recipe = recipe.set("network.hidden", (16,))
    if recipe.sampler is not None and recipe.sampler.kind != "mixture":
        recipe = recipe.set("sampler.steps", 5)
    if recipe.prior is not None and recipe.prior.kind == "flow":
        recipe = recipe.set("prior.transforms", 1)
    longest = 64 if "top-k" in recipe.bottleneck.kind or recipe.model.kind == "ladder" else 16
    return recipe.but(latent=min(recipe.latent, longest))


def energy_distance(a, b):
    """Székely's energy distance of two samples [n, d] and [m, d], over its maximum: in [0, 1]."""
    across, within = torch.cdist(a, b).mean(), torch.cdist(a, a).mean() + torch.cdist(b, b).mean()
    return ((2 * across - within) / (2 * across)).item()


@pytest.fixture(scope="module")
def parts():
    data = load_data("digits")
    few = replace(data.test, x=data.test.x[:200], y=data.test.y[:200])
    return replace(data, test=few), replace(load_data("digits", labelled=100), test=few)


@pytest.mark.parametrize("name", RECIPES)
def test_no_text_claims_what_a_weight_of_zero_cannot_do(name, parts, tmp_path):
    recipe = without_weights(name)
    data = parts[recipe.model.kind in ("semi-supervised", "m1-m2")]
    seldom = {"checkpoint_every": 50, "validate_every": 10}
    short = {"steps": 50, "batch_size": 50, "progress": False, **seldom}
    run = ae.fit(recipe, data, out=tmp_path / "run", **short).run
    model = run.load_model()
    known = conditioning(recipe, data.test)
    view = View.of(model, data.test.x, data.test.y, data.classes, known)
    metrics = evaluate(model, data).to_dict()
    context = ReportContext(run, data, view, metrics)
    texts = {each.title: f"{each.value} {each.note}" for each in headlines(recipe, metrics)}
    for figure in report_figures(context):
        texts[figure.title] = f"{figure.caption()} {figure.findings()} {figure.alt()}"
    assert len(texts) > 6
    for family, patterns in FORBIDDEN.items():
        for pattern in patterns:
            for title, text in texts.items():
                assert not re.search(pattern, text, re.IGNORECASE), (family, title, text)
    codes = texts["Latent space"]
    if view.prior_samples is not None and (CLOSE in codes or EVEN in codes):
        distance = energy_distance(view.posterior_samples, view.prior_samples[:1000])
        assert distance < MAX_ENERGY, codes
    if "Denoising" in texts:
        clean, corrupted, denoised = view.denoised
        better = (denoised - clean).square().sum() < (corrupted - clean).square().sum()
        assert ("denoising reduces" in texts["Denoising"]) == bool(better)


def test_the_forbidden_claims_are_found():
    """The sentences that reports had before captions were measured."""
    before = {
        "prior": "The prior has drawn the codes together around the origin, with few gaps.",
        "clusters": "The prior was learned with the codes: see which clusters the two agreed on.",
        "independence": "The dimensions are independent factors.",
        "contraction": "Codes move little when pixels do: codes moves little.",
        "smoothness": "One image turns into the next.",
        "sparsity": "A rectified code: few active numbers for each image.",
        "critic": "For samples that are sharp.",
        "noise": "The model removes noise.",
        "anything": "Noise that the decoder has learned to ignore.",
    }
    for family, sentence in before.items():
        assert any(re.search(each, sentence, re.IGNORECASE) for each in FORBIDDEN[family]), family
