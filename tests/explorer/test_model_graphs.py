"""Every recipe, decoded and encoded by the page, against the model in PyTorch."""

import pytest
import torch
from torch.distributions import Independent, Normal

from autoencode.explorer.model_graphs import decoder_graph, encoder_graph
from autoencode.models.build import build, sizes_for
from autoencode.models.recipes.table import RECIPES

pytestmark = pytest.mark.long

GREY, COLOUR, VECTOR = (1, 28, 28), (3, 32, 32), (30,)
CLASSES = 10
# One of each kind of network, bottleneck and context; the slow test takes all.
KINDS = "ae-deep conv-vae sparse-top-k cvae m2 sphere-vae resnet-vae conv-vq-vae"
PATHS = {
    f"{name} with a linear path": RECIPES[name]
    .set("likelihood", "gaussian")
    .set("likelihood.mean", "identity")
    .set("network.linear", "pca")
    for name in ("ae", "conv-ae", "resnet-vae")
}
PATHS["vae with a transformer"] = (
    RECIPES["vae"].set("network", "transformer").set("network.patch", 16)
)
PATHS["vae of series"] = RECIPES["vae"].set("network", "conv1d").set("network.width", 4)
QUICK = [*((name, GREY) for name in KINDS.split()), ("conv-ae", COLOUR), ("iaf-vae", VECTOR)]
QUICK += [("masked-ae", GREY), ("vae with a transformer", COLOUR)]
QUICK += [(name, COLOUR) for name in PATHS if name.endswith("path")]
QUICK += [("vae of series", x) for x in ((31,), (3, 24))]


def made(name, x):
    recipe = {**RECIPES, **PATHS}[name]
    sizes = sizes_for(recipe, x, context=CLASSES if recipe.context else 0, n=100)
    model = build(recipe, sizes, seed=0).eval()
    torch.manual_seed(0)
    for key, tensor in model.state_dict().items():
        if key.endswith(("running_mean", "running_var")):  # as if it had been trained
            tensor.uniform_(0.3, 1.3)
    return model


def context_of(model, label=3):
    """A label, and the same as a one-hot vector; nothing for an unconditional model."""
    if not model.sizes.context:
        return [], []
    return [torch.tensor([label])], [torch.eye(CLASSES)[label : label + 1]]


@torch.no_grad()
def both_ways(run, rows):
    """{(name, x): (page's code and scale, model's codes, page's image, model's image)}"""
    cases, expected = {}, {}
    for name, x in rows:
        model, key = made(name, x), f"{name} {len(x)} {x[0]}"
        labels, vectors = context_of(model)
        images = torch.rand(8, *x)
        code = model.encode(images, *(label.expand(8) for label in labels))
        image = model.decoder(code.z[:1], *labels)
        cases[f"{key} encoder"] = (encoder_graph(model), [images[:1], *vectors])
        cases[f"{key} decoder"] = (decoder_graph(model), [code.z[:1], *vectors])
        expected[name, x] = (key, code, image)
    found = run(cases)
    return {
        row: (found[f"{key} encoder"], code, found[f"{key} decoder"], image)
        for row, (key, code, image) in expected.items()
    }


def check(codes, code, images, image):
    assert not isinstance(codes, str), codes
    assert not isinstance(images, str), images
    assert codes[0].shape == code.z[:1].shape
    assert (codes[0] - code.z[:1]).abs().max() <= 0.01 * code.z.std()
    normal = isinstance(code.q, Independent) and isinstance(code.q.base_dist, Normal)
    assert len(codes) == 1 + normal
    if normal:
        torch.testing.assert_close(codes[1], code.q.stddev[:1], rtol=0.01, atol=0)
    assert images[0].shape == image.shape
    # Pixels are within 0 and 1, but for likelihoods whose mean is any number.
    span = (image.max() - image.min()).clamp(min=1)
    assert (images[0] - image).abs().max() <= 0.001 * span


@pytest.fixture(scope="module")
def quick(run):
    return both_ways(run, QUICK)


@pytest.mark.parametrize("row", QUICK, ids=lambda row: f"{row[0]}-{'x'.join(map(str, row[1]))}")
def test_pages_compute_what_models_compute(quick, row):
    check(*quick[row])


@pytest.mark.slow
@pytest.mark.parametrize("x", [GREY, COLOUR, VECTOR], ids=str)
def test_pages_compute_every_recipe(run, x):
    images = {"conv", "resnet", "ms-ssim", "image-critic", "patch-critic"}
    rows = []
    for name, row in RECIPES.items():
        parts = {row.network.kind, row.likelihood.kind, *(t.kind for t in row.terms.values())}
        if len(x) > 1 or not parts & images:
            rows.append((name, x))
    for found in both_ways(run, rows).values():
        check(*found)


@pytest.mark.parametrize("name", ["m2", "m1-m2"])
def test_an_unknown_label_is_predicted(run, name):
    model = made(name, GREY)
    x = torch.rand(1, *GREY)
    predicted = model.predict(x)
    other = (predicted + 1) % CLASSES
    graph = encoder_graph(model)
    unknown, given = torch.zeros(1, CLASSES), torch.eye(CLASSES)[other]
    found = run({"unknown": (graph, [x, unknown]), "other": (graph, [x, given])})
    with torch.no_grad():
        torch.testing.assert_close(found["unknown"][0], model.encoder(x), rtol=0.01, atol=5e-4)
        expected = model.encoder(x, other)
    torch.testing.assert_close(found["other"][0], expected, rtol=0.01, atol=5e-4)
    assert (found["other"][0] - found["unknown"][0]).abs().max() > 0.003


@pytest.mark.parametrize("name", ["m2", "conv-ae"])
def test_the_model_is_not_changed(name):
    model = made(name, GREY).train()
    before = {key: tensor.clone() for key, tensor in model.state_dict().items()}
    parts = [type(part) for part in model.modules()]
    random = torch.random.get_rng_state()
    decoder_graph(model)
    encoder_graph(model)
    assert model.training
    assert all(part.training for part in model.modules())
    assert [type(part) for part in model.modules()] == parts
    assert all(torch.equal(before[key], tensor) for key, tensor in model.state_dict().items())
    assert torch.equal(torch.random.get_rng_state(), random)
    assert torch.is_grad_enabled()
    assert all(parameter.grad is None for parameter in model.parameters())


def test_inputs_are_named():
    model = made("cvae", GREY)
    decoder, encoder = decoder_graph(model), encoder_graph(model)
    assert [each["name"] for each in decoder.inputs] == ["z", "context"]
    assert [each["name"] for each in encoder.inputs] == ["x", "context"]
    assert decoder.inputs[1]["shape"] == [1, CLASSES]
