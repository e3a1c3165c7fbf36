"""The masked autoencoder: what the encoder sees, what is hidden, and what training teaches."""

import pytest
import torch

import autoencode as ae
from autoencode import RECIPES, Spec
from autoencode.cli.main import main
from autoencode.errors import RecipeError
from autoencode.models.build import build, sizes_for
from autoencode.models.objective import Objective

SHAPES = [(28, 28), (3, 16, 16), (1, 9, 13), (2, 8, 24)]
SMALL = {"network.width": 16, "network.blocks": 1, "network.heads": 2}


def recipe(**changes):
    made = RECIPES["masked-ae"].but(latent=4)
    for address, value in (SMALL | {k.replace("__", "."): v for k, v in changes.items()}).items():
        made = made.set(address, value)
    return made


def model(x=(3, 16, 16), **changes):
    made = recipe(**changes)
    return build(made, sizes_for(made, x), seed=0).eval()


@pytest.mark.parametrize("x", SHAPES)
def test_codes_are_maps_with_one_position_for_each_patch(x):
    m = model(x)
    high, wide = x[-2:]
    assert m.sizes.z == (4, -(-high // 4), -(-wide // 4))
    codes, images = m(torch.rand(5, *x))
    assert codes.shape == (5, *m.sizes.z)
    assert images.shape == (5, *x)


@pytest.mark.parametrize("share", [0.0, 0.3, 0.75, 1.0])
@pytest.mark.parametrize("x", SHAPES)
def test_the_same_number_of_patches_is_hidden_in_every_image(share, x):
    m = model(x, corruption__share=share)
    count = m.sizes.z[1] * m.sizes.z[2]
    torch.manual_seed(0)
    hidden = m.corruption.hidden(torch.ones(50, *x))
    expected = min(count - 1, max(1, round(share * count)))
    assert hidden.sum(1).unique().tolist() == [expected]
    # Every patch is hidden in some image and shown in another.
    if 0.2 < share < 0.8:
        assert hidden.any(0).all() and not hidden.all(0).any()  # noqa: PT018
    shown = m.corruption.shown(hidden)
    assert shown.shape == (50, count - expected)
    assert not hidden.gather(1, shown).any()
    assert (shown.diff(dim=1) > 0).all()


@pytest.mark.parametrize("x", SHAPES)
def test_hidden_pixels_are_black_and_the_others_unchanged(x):
    m = model(x)
    torch.manual_seed(1)
    images = 0.1 + 0.9 * torch.rand(6, *x)
    with torch.no_grad():
        p = m.forward_pass(images)
    assert torch.equal(p.x, images)
    black = p.inputs == 0
    assert torch.equal(p.inputs[~black], images[~black])
    channels = black.reshape(6, -1, *x[-2:])
    assert (channels == channels[:, :1]).all()
    # Complete patches: the first rows and columns of a hidden patch tell whether it is hidden.
    corners = channels[:, 0, ::4, ::4]
    spread = corners.repeat_interleave(4, 1).repeat_interleave(4, 2)
    assert torch.equal(channels[:, 0], spread[:, : x[-2], : x[-1]])


def test_hidden_pixels_change_neither_code_nor_image():
    m = model()
    images, others = torch.rand(4, 3, 16, 16), torch.rand(4, 3, 16, 16)
    hidden = m.corruption.hidden(images)
    black = m.corruption.cover(torch.ones_like(images), hidden) == 0

    class Same(type(m.corruption)):
        def hidden(self, x):
            return hidden

    m.corruption.__class__ = Same
    with torch.no_grad():
        first = m.forward_pass(images)
        second = m.forward_pass(torch.where(black, others, images))
        third = m.forward_pass(torch.where(black, images, others))
    torch.testing.assert_close(first.code.z, second.code.z)
    torch.testing.assert_close(first.px.mean, second.px.mean)
    assert (first.code.z - third.code.z).abs().max() > 1e-3


def test_hidden_positions_have_the_learned_code_and_shown_ones_that_of_the_encoder():
    m = model()
    images = torch.rand(4, 3, 16, 16)
    torch.manual_seed(3)
    with torch.no_grad():
        p = m.forward_pass(images)
    at = (p.code.z == m.hidden_code).all(1).flatten(1)
    black = (p.inputs == 0).all(1)[:, ::4, ::4].flatten(1)
    assert torch.equal(at, black)
    # An encoder with one block and one shown patch depends on that patch alone: with everything
    # shown, the codes are those of `encode`.
    shown = torch.arange(16).expand(4, -1)
    with torch.no_grad():
        features = m.encoder.network.shown_features(images, shown)
        torch.testing.assert_close(features.mT.reshape(4, 4, 4, 4), m.encode(images).z)


def test_every_parameter_learns():
    m = model().train()
    torch.manual_seed(0)
    Objective(m, m.recipe, m.sizes)(torch.rand(8, 3, 16, 16)).loss.backward()
    still = [n for n, p in m.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0]
    assert not still


@pytest.mark.parametrize(
    ("changes", "said", "fix"),
    [
        ({"network": "mlp"}, 'needs network "transformer"', {"network": "transformer"}),
        ({"network.code": "vector"}, "a code for each patch", {"network.code": "map"}),
        ({"corruption": "masking"}, '"masking"', {"corruption": "masked-patches"}),
        ({"corruption": None}, "has none", {"corruption": "masked-patches"}),
        ({"bottleneck": "rectified"}, '"rectified"', {"bottleneck": "point"}),
        ({"network.patch": 8}, "patches of 8", {"corruption.patch": 8}),
        ({"network.width": 30}, "multiple of 4", {"network.width": 32}),
        ({"network.linear": "pca"}, "linear path", {"network.linear": "none"}),
    ],
)
def test_what_has_no_meaning_is_refused_with_a_fix(changes, said, fix):
    made = recipe()
    for address, value in changes.items():
        made = made.set(address, value) if value is not None else made.but(corruption=None)
    with pytest.raises(RecipeError, match=said) as error:
        build(made, sizes_for(made, (3, 16, 16)))
    for address, value in fix.items():
        assert f"{address}={value}" in str(error.value)
        made = made.set(address, value)
    if "network" in fix:
        made = made.set("network.code", "map")
    build(made, sizes_for(made, (3, 16, 16)))


@pytest.mark.parametrize("x", [(3, 4), (1, 3, 3), (3, 2, 4)])
def test_images_of_one_patch_are_refused_with_smaller_patches(x):
    with pytest.raises(RecipeError, match="one patch") as error:
        model(x)
    assert "corruption.patch=1" in str(error.value)
    model(x, corruption__patch=1, network__patch=1)


@pytest.mark.long
def test_it_restores_hidden_patches_that_follow_from_the_others():
    """Stripes: whether an image is bright or dark, and the direction, show in every patch."""
    generator = torch.Generator().manual_seed(0)
    n = 600
    level = torch.rand(n, 1, 1, generator=generator)
    wave = 0.5 + 0.5 * torch.sin(torch.arange(16) * 2 * torch.pi / 4)
    upright = torch.rand(n, 1, 1, generator=generator) < 0.5
    images = level * torch.where(upright, wave[None, :], wave[:, None])
    data = ae.load_data(images.numpy())
    fitted = ae.fit(
        recipe().but(corruption=Spec("masked-patches")), data, steps=1500, batch_size=64, seed=0
    )
    found = ae.evaluate(fitted.model, data, ["reconstruction", "objective"])
    assert found["restored_squared_error"] < 0.1 * found["corrupted_squared_error"]
    assert found["restored_squared_error"] < 0.2 * found["squared_error_of_mean"]
    assert found["squared_error"] < 0.2 * found["squared_error_of_mean"]


@pytest.mark.parametrize("x", SHAPES)
def test_restored_images_keep_what_is_known_and_do_not_depend_on_the_rest(x):
    m = model(x)
    torch.manual_seed(0)
    images, others = torch.rand(5, *x), torch.rand(5, *x)
    hidden = torch.zeros(5, *x[-2:], dtype=torch.bool)
    for i in range(5):  # each image has another number of hidden patches, the first has none
        hidden[i, : 2 * i, 1:5] = True
    where = hidden if len(x) == 2 else hidden[:, None].expand(-1, x[0], -1, -1)
    restored = m.restore(images, hidden)
    assert restored.shape == images.shape
    assert torch.equal(restored[~where], images[~where])
    assert torch.equal(restored[0], images[0])
    changed = torch.where(where, others, images)
    torch.testing.assert_close(m.restore(changed, hidden)[where], restored[where])
    # One at a time, and with a mask for all images alike.
    for i in range(5):
        alone = m.restore(images[i : i + 1], hidden[i])
        torch.testing.assert_close(alone[0], restored[i], atol=1e-5, rtol=1e-5)


def test_restored_pixels_are_those_of_the_training_pass():
    m = model()
    torch.manual_seed(2)
    images = torch.rand(4, 3, 16, 16)
    hidden = m.corruption.hidden(images)
    pixels = m.corruption.cover(torch.ones(4, 16, 16), hidden) == 0
    m.corruption.hidden = lambda x: hidden
    with torch.no_grad():
        expected = m.forward_pass(images).px.mean
    where = pixels[:, None].expand(-1, 3, -1, -1)
    torch.testing.assert_close(m.restore(images, pixels)[where], expected[where])


@pytest.mark.parametrize(
    ("hidden", "said"),
    [
        (torch.ones(16, 16, dtype=torch.bool), "nothing of it is known"),
        (torch.zeros(16, 16), "float32"),
        (torch.zeros(3, 16, 16, dtype=torch.bool), r"\(4, 16, 16\)"),
        (torch.zeros(4, 8, 16, dtype=torch.bool), r"\(4, 8, 16\)"),
        ("all", "booleans"),
        (None, "booleans"),
    ],
)
def test_what_is_no_mask_is_refused(hidden, said):
    with pytest.raises(ae.AutoencodeError, match=said):
        model().restore(torch.rand(4, 3, 16, 16), hidden)


def test_a_mask_may_be_an_array_or_lists_and_images_bytes():
    m = model((8, 8))
    mask = [[row < 4] * 8 for row in range(8)]
    images = torch.randint(0, 256, (2, 8, 8), dtype=torch.uint8)
    restored = m.restore(images, mask)
    torch.testing.assert_close(restored[:, 4:], images[:, 4:] / 255)
    torch.testing.assert_close(restored, m.restore(images / 255, torch.tensor(mask).numpy()))


def test_denoise_refuses_what_is_to_be_told_the_mask(tmp_path, capsys):
    data = ae.load_data("digits")
    fitted = ae.fit(recipe(), data, steps=2, out=tmp_path / "run")
    with pytest.raises(RecipeError, match=r"model\.restore"):
        ae.denoise(fitted.model, data)
    with pytest.raises(SystemExit, match="2"):
        main(["denoise", str(tmp_path / "run"), "--out", str(tmp_path / "a.png")])
    assert "model.restore" in capsys.readouterr().err
    assert not (tmp_path / "a.png").exists()
    mask = torch.zeros(8, 8, dtype=torch.bool)
    mask[:4] = True
    assert fitted.model.restore(data.test.x[:3], mask).shape == (3, 8, 8)
