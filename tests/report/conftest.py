import json
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn
from torch.distributions import Independent, Normal

from autoencode.contract import Code, ModelOutput, Sizes, Space
from autoencode.data import Data, load_data, scaled
from autoencode.evaluation import evaluate
from autoencode.io.store import write_json
from autoencode.models.build import build
from autoencode.models.recipes.table import RECIPES
from autoencode.models.run import Run, data_record

VOID = {"meta", "link", "img", "br", "wbr"}


class Page(HTMLParser):
    """Checks that tags close in order, and gathers figures, sections and what would be loaded."""

    def __init__(self, text):
        super().__init__()
        self.open, self.sections, self.figures, self.of_page = [], [], [], {}
        self.loads, self.tags, self.words = [], [], []
        self.text = text
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        self.tags.append(tag)
        self.loads += [v for k, v in attrs if k in ("src", "href", "srcset", "action", "data")]
        if tag == "section":
            self.sections.append(given["id"])
        if tag == "figure":
            self.figures.append({"section": self.sections[-1], "words": ""})
        if tag == "img":
            self.figures[-1].update(given)
        if tag == "a":
            inside = self.figures[-1] if "figure" in self.open else self.of_page
            inside["link" if inside is not self.of_page else given["download"]] = given
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if "figcaption" in self.open:
            self.figures[-1]["words"] += data
        if "style" not in self.open:
            self.words.append(data)

    def said(self):
        return " ".join(" ".join(self.words).split())


class Glass(nn.Module):
    """An autoencoder that one can see through: images of 2 × 2 pixels whose rows are the code."""

    space = Space.REAL
    sizes = Sizes((2, 2), (2,))

    def __init__(self, prior=None):
        super().__init__()
        self.unused = nn.Parameter(torch.zeros(()))
        self.law = prior

    def encode(self, x: Tensor, context=None, samples=None) -> Code:
        z = x[:, :, 0]
        return Code(z if samples is None else z.expand(samples, *z.shape))

    def decode(self, z: Tensor, context=None):
        return Independent(Normal(self.images(z), 1.0, validate_args=False), 2)

    @staticmethod
    def images(z: Tensor) -> Tensor:
        """The images of codes [*S, B, 2]."""
        return z.unsqueeze(-1).expand(*z.shape, 2)

    def prior(self, context=None):
        return self.law

    def sampler(self):
        return self.law

    def forward(self, x: Tensor, context=None) -> ModelOutput:
        z = self.encode(x).z
        return ModelOutput(z, self.decode(z).mean)


@pytest.fixture
def glass():
    return Glass


@pytest.fixture(scope="session")
def few() -> Data:
    """The digits, but for their larger part."""
    data = load_data("digits")
    parts = {
        name: replace(getattr(data, name), x=getattr(data, name).x[:n], y=getattr(data, name).y[:n])
        for name, n in (("train", 200), ("test", 120))
    }
    # Not the whole of the digits: what is kept of those is not of these.
    return replace(data, fingerprint="few", **parts)


def make_run(folder, recipe: str, data: Data, latent: int = 2) -> Run:
    """A run folder with all that a training leaves there, of a small model without training."""
    chosen = RECIPES[recipe].but(latent=latent).set("network.hidden", (16,))
    sizes = Sizes(data.shape, (latent,), n=len(data.train))
    model = build(chosen, sizes, seed=1).eval()
    strips = folder / "figures" / "training"
    strips.mkdir(parents=True)
    summary = {"steps": 40, "seconds": 75.0, "images_per_second": 12345.0, "device": "cpu"}
    run = Run(folder, chosen, sizes, "done", data_record(data), {"lr": 0.001}, summary)
    run.write()
    run.write_weights(model)
    write_json(folder / "metrics.json", evaluate(model, data).to_dict())
    write_json(
        folder / "environment.json", {"torch": "2.0", "command": "autoencode train ae '&' co"}
    )
    terms = dict.fromkeys(chosen.terms, 3.0)
    lines = []
    for step in (10, 20, 30, 40):
        figures = {"loss": 60.0 / step, "terms": terms, "squared_error": 600.0 / step}
        lines.append(
            {"step": step, "epoch": 0.1, "seconds": 0.1, "lr": 1e-3, "images_per_second": 1.0}
            | figures
        )
        lines.append({"step": step, "validation": figures})
        _write_strip(strips / f"{step:09d}.png", model(scaled(data.validation.x[:12])).images)
    _write_strip(strips / "originals.png", scaled(data.validation.x[:12]))
    (folder / "log.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return run


def _write_strip(path, images: Tensor) -> None:
    row = torch.cat(list(images.mul(255).byte()), dim=-1).numpy()
    Image.fromarray(np.asarray(row)).save(path)


@pytest.fixture(scope="session")
def runs(tmp_path_factory, few):
    """An "ae" and a "vae" that nobody may change."""
    folder = tmp_path_factory.mktemp("runs")
    return {name: make_run(folder / name, name, few) for name in ("ae", "vae")}


@pytest.fixture
def fresh_run(tmp_path, few):
    """An "ae" of one's own."""
    return make_run(tmp_path / "run", "ae", few)


@pytest.fixture
def write_strip():
    """write_strip(path, images [N, H, W])."""
    return _write_strip


@pytest.fixture(scope="session")
def read_page():
    """read_page(path) -> Page."""
    return lambda path: Page(path.read_text(encoding="utf-8"))
