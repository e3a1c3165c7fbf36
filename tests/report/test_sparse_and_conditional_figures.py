"""Figures of sparse codes and of conditional models: what they show follows from the model."""

import pytest
import torch

import autoencode as ae
from autoencode.models.conditions import conditioning
from autoencode.models.inference import decode
from autoencode.report.figures.class_styles import ClassStyles
from autoencode.report.figures.sparse_units import SparseUnits
from autoencode.report.view import View

pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def view_of():
    data = ae.load_data("digits")

    def view(name, **changes):
        recipe = ae.RECIPES[name].but(latent=changes.pop("latent", 12))
        for address, value in changes.items():
            recipe = recipe.set(address.replace("__", "."), value)
        model = ae.fit(recipe, data, steps=60, progress=False).model
        context = conditioning(recipe, data.test)
        return View.of(model, data.test.x, data.test.y, data.classes, context)

    return view


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("sparse-top-k", {"bottleneck__k": 3}),
        ("sparse-batch-top-k", {"bottleneck__k": 3}),
        ("sparse-l1", {}),
        ("sparse-kl", {}),
        ("sparse-top-k", {"bottleneck__k": 1, "latent": 2}),
    ],
)
def test_units_are_those_that_are_active_most_often(view_of, name, changes):
    view = view_of(name, **changes)
    assert SparseUnits.applies(view)
    figure = SparseUnits(view)
    active = view.codes.sigmoid() > 0.5 if name == "sparse-kl" else view.codes != 0
    counts = active.sum(0)
    shown = [int(counts[unit]) for unit in figure.units]
    assert shown == sorted(counts.tolist(), reverse=True)[: len(shown)]
    mean = active.sum(1).float().mean().item()
    assert f"On average {mean:#.3g}".rstrip(".") in figure.findings()
    assert f"{int((counts == 0).sum())} are active in none of" in figure.findings()
    assert figure.draw().pixels(30).std() > 0
    assert len(figure.table().columns["unit"]) == view.latent
    if "k" in str(changes):
        assert mean <= changes["bottleneck__k"] + 1e-6 or name == "sparse-batch-top-k"


def test_other_codes_are_not_sparse(view_of):
    for name in ("ae", "vae", "contractive-ae"):
        assert not SparseUnits.applies(view_of(name, latent=2))


@pytest.mark.parametrize("latent", [1, 3, 9])
def test_one_code_is_decoded_under_every_class(view_of, latent):
    view = view_of("cvae", latent=latent)
    assert ClassStyles.applies(view)
    figure = ClassStyles(view)
    x = view.x[:1000].float()
    n = len(x)
    wanted = []
    for shift in (0, 1):
        images = decode(view.model, view.codes[:n], (view.context[:n] + shift) % 10)
        wanted.append((images - x).square().flatten(1).sum(1).mean().item())
    assert figure.errors() == pytest.approx(wanted, rel=1e-4)
    row = figure._rows()[4]
    images = figure._decoded(row)
    assert images.shape == (10, 8, 8)
    one = decode(view.model, view.codes[row][None], torch.tensor([7]))
    torch.testing.assert_close(images[7], one[0])
    assert figure.draw().pixels(30).std() > 0


def test_models_without_a_class_have_no_styles(view_of):
    assert not ClassStyles.applies(view_of("vae", latent=2))
