"""Random images of three kinds of VAE after equal training times.

    python benchmarks/samples.py cifar.zip --minutes 10 --page

Trains a flat VAE, a VQ-VAE with its prior over codebook entries, and a hierarchical VAE, each for
the same time, and prints how near their images are to test images: the Fréchet distance in the
features of a classifier that is trained on the same data, precision, recall and coverage. With
--page, writes docs/samples.md and its picture.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any, NamedTuple

from autoencode.cli.process import prepare

prepare()  # as in the command, before torch is imported

import torch  # noqa: E402
from torch import Tensor  # noqa: E402

import autoencode as ae  # noqa: E402
from autoencode.evaluation import trained_classifier  # noqa: E402
from autoencode.report.pictures import grid_picture, save_picture  # noqa: E402
from machine import machine  # noqa: E402
from steps import steps_in  # noqa: E402

DOCS = Path(__file__).parents[1] / "docs"
# Steps that show how long a step takes.
PROBE = 20
# Images of a row of the picture.
SHOWN = 16
# In the order of the distances in their papers, the nearest first.
RECIPES = ("hierarchical-vae", "conv-vq-vae", "conv-vae")
HEAD = (
    "| recipe | steps | seconds | Fréchet distance | precision | recall | coverage |\n"
    "|---|---|---|---|---|---|---|"
)


class Row(NamedTuple):
    """A model: its line of the table, its distance, and some of its images."""

    line: str
    distance: float
    images: Tensor


def measured(name: str, data: ae.Data, minutes: float, settings: dict[str, Any]) -> Row:
    """Trains and measures a model."""
    recipe = ae.RECIPES[name]
    steps = steps_in(recipe, data, 60 * minutes, PROBE, **settings)
    fitted = ae.fit(recipe, data, steps=steps, progress=False, **settings)
    found = ae.evaluate(fitted.model, data, ["generation"])
    images = ae.generate(fitted.model, SHOWN, seed=0)
    distance = found["frechet_distance"]
    line = (
        f"| `{name}` | {steps:,} | {fitted.summary['seconds']:.0f} | {distance:.2f} | "
        f"{found['precision']:.3f} | {found['recall']:.3f} | {found['coverage']:.3f} |"
    )
    return Row(line, distance, images)


def order(distances: dict[str, float]) -> str:
    """Whether the distances have the order of the papers, in a sentence."""
    found = sorted(distances, key=lambda name: distances[name])
    listed = ", ".join(f"`{name}`" for name in found)
    if found == list(RECIPES):
        return f"From the nearest to the farthest: {listed}. This is the order of the papers."
    papers = ", ".join(f"`{name}`" for name in RECIPES)
    return f"From the nearest to the farthest: {listed}. In the papers the order is {papers}."


def page(data: ae.Data, rows: dict[str, Row], given: argparse.Namespace, reference: str) -> str:
    """The page of the docs."""
    lines = "\n".join(row.line for row in rows.values())
    time = f"{given.minutes:g} minutes"
    return f"""# Samples of three VAEs

Random images of a flat VAE, of a VQ-VAE with the autoregressive prior that is fitted to its
codebook entries, and of a deep hierarchical VAE. Each was trained on {data.name} for {time} with
the defaults of its recipe. That is short: the figures of the papers are from days on many
processors.

![Rows of images: test images, and images of each model](samples.png)

From above: test images, {", ".join(f"`{name}`" for name in rows)}.

{HEAD}
{lines}

{reference} {order({name: row.distance for name, row in rows.items()})}

Precision and recall are the shares of generated images among test images and of test images among
generated ones, coverage the share of test images with a generated one near; see
[Metrics](measures.md).

`OMP_NUM_THREADS=1 python benchmarks/samples.py DATA --minutes {given.minutes:g} --page`,
seed {given.seed}, on {machine()}.
"""


def start() -> None:
    """Trains the models one after another, and prints the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("data", help="a name or a path, as of `autoencode train --data`")
    parser.add_argument("--minutes", type=float, default=10.0, help="training time of each model")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--page", action="store_true", help="write docs/samples.md")
    given = parser.parse_args()
    data = ae.load_data(given.data)
    accuracy = trained_classifier(data).accuracy
    print(f"{machine()}\n\n{data.name}: the classifier has a test accuracy of {accuracy:.1%}\n")
    print(HEAD, flush=True)
    rows = {}
    for name in RECIPES:
        rows[name] = measured(name, data, given.minutes, {"seed": given.seed})
        print(rows[name].line, flush=True)
    reference = (
        f"The features are those of a classifier of these data with a test accuracy of "
        f"{accuracy:.1%}:\nsuch a distance is no FID, and compares with others of this table only."
    )
    print(f"\n{reference} {order({name: row.distance for name, row in rows.items()})}")
    if given.page:
        test = data.test.x[:: max(1, len(data.test) // SHOWN)][:SHOWN].float() / 255
        pictures = torch.cat(
            [test, *(row.images.reshape(-1, *data.shape) for row in rows.values())]
        )
        save_picture(grid_picture(pictures, SHOWN), DOCS / "samples.png")
        (DOCS / "samples.md").write_text(page(data, rows, given, reference), encoding="utf-8")


if __name__ == "__main__":
    start()
