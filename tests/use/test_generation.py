"""Generated examples: random codes, codes of a class, given codes."""

import numpy as np
import pytest
import torch

import autoencode as ae
from autoencode.errors import AutoencodeError, DataError, RecipeError
from autoencode.explore import in_class
from autoencode.use.generation import generate, write_examples


@pytest.fixture(scope="module")
def digits_model():
    return ae.fit("vae", "digits", latent=4, steps=600, progress=False)


def test_codes_of_a_class_have_its_majority_among_their_neighbours():
    draw = torch.Generator().manual_seed(0)
    codes = torch.randn(600, 3, generator=draw)
    labels = (codes[:, 0] > 0.3).long() + (codes[:, 1] > 0.5).long()
    for label in range(3):
        z, kept = in_class(codes, labels, label, 50, draw)
        near = torch.cdist(z, codes).topk(15, largest=False).indices
        assert ((labels[near] == label).float().mean(1) > 0.5).all()
        assert 0 < kept <= 1
    # A class that is a majority nowhere.
    rare = torch.zeros(600, dtype=torch.long)
    rare[::100] = 1
    assert not len(in_class(codes, rare, 1, 5, draw)[0])


@pytest.mark.long
def test_images_of_a_class_are_of_the_class(digits_model):
    """By a classifier that knows nothing of the model: the nearest test images."""
    data, model = digits_model.data, digits_model.model
    images = generate(model, 40, label=3, data=data).flatten(1)
    test = data.test.x.float().flatten(1)
    test = test / 255 if data.test.x.dtype == torch.uint8 else test
    near = torch.cdist(images, test).argmin(1)
    assert (data.test.y[near] == 3).float().mean() > 0.8


@pytest.mark.long
def test_the_same_seed_gives_the_same_images(digits_model):
    model = digits_model.model
    state = torch.random.get_rng_state()
    a, b, c = (generate(model, 5, seed=seed) for seed in (1, 1, 2))
    assert torch.equal(a, b)
    assert not torch.equal(a, c)
    assert torch.equal(state, torch.random.get_rng_state())


@pytest.mark.long
def test_a_given_code_is_decoded(digits_model):
    model = digits_model.model
    z = torch.tensor([[0.5, -1, 0, 2], [0, 0, 0, 0]])
    wanted = model.decode(z).mean
    torch.testing.assert_close(generate(model, code=z), wanted)
    torch.testing.assert_close(generate(model, code=[0.5, -1, 0, 2]), wanted[:1])
    with pytest.raises(DataError, match="A code has 3 numbers, and the model has 4"):
        generate(model, code=[1, 2, 3])


@pytest.mark.long
def test_temperature_scales_the_codes(digits_model):
    model = digits_model.model
    cold = generate(model, 200, temperature=0.0)
    assert cold.std(0).max() < 1e-6
    spread = [generate(model, 200, temperature=t).std(0).mean() for t in (0.5, 1, 2)]
    assert spread[0] < spread[1]
    assert spread[0] < spread[2]


@pytest.mark.long
def test_what_has_no_meaning_is_refused(digits_model, make):
    model = digits_model.model
    with pytest.raises(DataError, match='no class "ten"'):
        generate(model, label="ten", data=digits_model.data)
    with pytest.raises(DataError, match="data=load_data"):
        generate(model, label=3)
    for arguments in ({"n": 0}, {"temperature": -1.0}, {"temperature": float("nan")}, {"seed": -1}):
        with pytest.raises(RecipeError):
            generate(model, **arguments)
    sphere = ae.fit("sphere-vae", "digits", latent=3, steps=1, progress=False).model
    with pytest.raises(RecipeError, match="temperature"):
        generate(sphere, temperature=0.5)


@pytest.mark.long
def test_examples_are_written_in_the_units_of_the_data(digits_model, tmp_path):
    from PIL import Image

    model = digits_model.model
    x = generate(model, 12)
    write_examples(model, x, tmp_path / "g.npy")
    found = np.load(tmp_path / "g.npy")
    np.testing.assert_array_equal(found, model.preprocessing.inverse(x.clamp(0, 1)))
    write_examples(model, x, tmp_path / "g.png")
    with Image.open(tmp_path / "g.png") as image:
        assert image.size[0] > 100
    with pytest.raises(AutoencodeError, match="table"):
        write_examples(model, x, tmp_path / "g.csv")


def test_a_folder_of_images(model, tmp_path):
    write_examples(model, generate(model, 12), tmp_path / "out")
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == [
        f"{i:02d}.png" for i in range(12)
    ]
