"""The diagram and the table of layers, for the models of all recipes and for other modules."""

import re
from html.parser import HTMLParser
from math import prod

import pytest
import torch
from torch import nn

import autoencode as ae
from autoencode.models.build import build, parameter_count, sizes_for
from autoencode.models.recipes.table import RECIPES
from autoencode.report.architecture import MAX_STAGES, architecture, shape_text
from autoencode.report.diagram import CHARACTER, SMALL_CHARACTER, WIDTH, diagram
from autoencode.report.view import View

CLASSES = tuple("0123456789")


def view_of(name, x=None, **changes):
    recipe = RECIPES[name]
    for address, value in changes.items():
        recipe = recipe.set(address.replace("__", "."), value)
    x = x or ((7,) if name == "missing-iwae" else (28, 28))
    labels = recipe.context is not None
    sizes = sizes_for(recipe, x, context=10 if labels else 0, n=100)
    model = build(recipe, sizes, seed=0)
    y = torch.arange(4)
    context = y if labels and "semi" not in recipe.model.kind and name != "m1-m2" else None
    return View.of(model, torch.rand(4, *x), y, CLASSES, context)


class Drawing(HTMLParser):
    """Checks that everything in an SVG lies within its view box; gathers its text."""

    def __init__(self, svg):
        super().__init__()
        self.text, self.bars, self.classes = [], [], []
        self.feed(svg)
        self.close()

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        if tag == "svg":
            self.width, self.height = map(float, given["viewbox"].split()[2:])
            assert (float(given["width"]), float(given["height"])) == (self.width, self.height)
        if tag == "rect":
            x, y, width, height = (float(given[k]) for k in ("x", "y", "width", "height"))
            assert 0 <= x < x + width <= self.width
            assert 0 <= y < y + height <= self.height
            self.bars.append((y, width, given["class"].split()))
        if tag == "text":
            self.at = given
        if tag == "path":
            x, start, end = map(
                float, re.match(r"M([\d.]+) ([\d.]+)V([\d.]+)", given["d"]).groups()
            )
            assert 5 <= x <= self.width - 5
            assert 0 <= start < end <= self.height

    def handle_data(self, text):
        x, y, kinds = float(self.at["x"]), float(self.at["y"]), self.at["class"].split()
        # Wider than the text of any system font: see the measurement in test_text_is_narrow.
        wide = len(text) * (SMALL_CHARACTER if "layers" in kinds else CHARACTER)
        left, right = (x - wide / 2, x + wide / 2) if "in" in kinds else (x, x + wide)
        assert 0 <= left < right <= self.width, text
        assert 10 <= y <= self.height
        self.text.append(text)


def check(view):
    found = architecture(view)
    assert found.parameters == parameter_count(view.model)
    stages, sizes = found.stages, view.model.sizes
    assert [s.role for s in stages if s.role] == ["input", "code", "output"]
    by_role = {s.role: s for s in stages}
    assert by_role["input"].shape == by_role["output"].shape == tuple(sizes.x)
    assert by_role["code"].shape == tuple(sizes.z)
    assert stages[0].role == "input"
    assert stages[-1].role == "output"
    drawing = Drawing(diagram(found, "Layers"))
    assert len(drawing.bars) == len(stages)
    tops = [top for top, *_ in drawing.bars]
    assert tops == sorted(set(tops))
    # Wider bars hold more values.
    for (_, a, _), s in zip(drawing.bars, stages, strict=True):
        for (_, b, _), t in zip(drawing.bars, stages, strict=True):
            assert (a > b) == (prod(s.shape) > prod(t.shape)) or a == b
    rows = found.table.rows()
    assert len(rows) == len(found.layers)
    return found, drawing


@pytest.mark.parametrize("name", RECIPES)
def test_recipes(name):
    check(view_of(name))


@pytest.mark.parametrize(
    ("name", "x", "changes"),
    [
        ("conv-ae", (3, 64, 48), {}),
        ("conv-vae", (3, 32, 32), {"network__code": "map"}),
        ("resnet-vae", (3, 96, 96), {"network__blocks": 4}),
        ("ae", (9,), {"network__linear": "random"}),
        ("ae", (3, 300, 200), {"network__hidden": (2,) * 12}),
        ("ae", (28, 28), {"latent": 784}),
        ("ae-deep", (28, 28), {"network__hidden": (64,) * 40}),
        ("m2", (8, 8), {}),
        ("ladder-vae", (3, 8, 8), {}),
        ("ae", (1,), {"latent": 1}),
        ("ae", (1000, 1000), {"network__hidden": (3,)}),
    ],
)
def test_sizes(name, x, changes):
    check(view_of(name, x, **changes))


def test_shapes_are_those_of_the_layers():
    """Against the shapes computed by hand from the recipe."""
    found, drawing = check(view_of("conv-ae"))
    shapes = {layer.name: layer.shape for layer in found.layers}
    assert shapes["encoder.network.body.0"] == (8, 14, 14)
    assert shapes["encoder.network.body.3"] == (16, 7, 7)
    assert shapes["encoder.network.head"] == (2,)
    assert shapes["decoder.network.dense.3"] == (784,)
    parameters = {layer.name: layer.parameters for layer in found.layers}
    assert parameters["encoder.network.body.0"] == 8 * 9 + 8
    assert parameters["encoder.network.dense.0"] == 784 * 256 + 256
    text = " ".join(drawing.text)
    for word in ("example: 28 × 28", "8 × 14 × 14", "code z: 2", "reconstruction: 28 × 28"):
        assert word in text


def test_hidden_layers_of_one_width_have_a_bar_each():
    found, _ = check(view_of("ae-deep"))
    assert [shape_text(s.shape) for s in found.stages] == [
        *("28 × 28", "1024", "1024", "2", "1024", "1024", "28 × 28")
    ]


def test_long_chains_are_joined():
    found, _ = check(view_of("ae-deep", network__hidden=(64,) * 40))
    assert len(found.stages) <= MAX_STAGES
    assert "Linear ×40" in found.stages[1].summary()
    assert "joined" in found.note


def test_notes():
    assert "10 features" in architecture(view_of("cvae")).note
    assert "classifier" in architecture(view_of("m2")).note
    assert not architecture(view_of("ae")).note


def test_unused_parts_have_no_shape():
    """The learned prior has parameters, and neither encoding nor decoding uses it."""
    layers = {layer.name: layer for layer in architecture(view_of("mog-vae")).layers}
    assert layers["latent_prior"].shape is None
    assert layers["latent_prior"].parameters == 10 + 2 * 10 * 10


def test_hooks_are_removed():
    view = view_of("vae")
    architecture(view)
    assert not any(module._forward_hooks for module in view.model.modules())


class Student(nn.Module):
    """As a student writes it: pooling, flattening, one module used twice, a shared weight."""

    def __init__(self):
        super().__init__()
        shared = nn.Linear(16, 16)
        self.encoder = nn.Sequential(
            *(nn.Unflatten(1, (1, 8)), nn.Conv2d(1, 4, 3, padding=1), nn.ReLU(), nn.MaxPool2d(4)),
            *(nn.Flatten(), shared, nn.ReLU(), shared, nn.Linear(16, 2)),
        )
        self.decoder = nn.Sequential(
            nn.Linear(2, 16), shared, nn.Linear(16, 64), nn.Sigmoid(), nn.Unflatten(1, (8, 8))
        )

    def forward(self, x):
        codes = self.encoder(x)
        return codes, self.decoder(codes)


@pytest.mark.long
def test_other_modules(tmp_path):
    path = ae.write_report(Student(), "digits", out=tmp_path)
    page = path.read_text(encoding="utf-8")
    total = parameter_count(Student())
    table = page[page.index('<table class="layers">') :]
    assert f"<td>{total:,}</td></tr></tfoot>" in table
    drawing = Drawing(re.search(r"<svg class=\"diagram\".*?</svg>", page, re.DOTALL)[0])
    assert "code z: 2" in drawing.text
    assert "4 × 8 × 8" in drawing.text


def test_text_is_narrow():
    """The widths that the diagram reckons with are those of a wide font, DejaVu Sans."""
    from matplotlib.font_manager import findfont
    from PIL import ImageFont

    font = findfont("DejaVu Sans")
    for size, width in ((14, CHARACTER), (12, SMALL_CHARACTER)):
        for text in ("reconstruction: 28 × 28", "ConvTranspose2d, BatchNorm2d", "LadderBottleneck"):
            wide = ImageFont.truetype(font, size).getlength(text)
            assert wide <= len(text) * width * 1.03, text
    assert WIDTH > 0
