"""Options that several verbs share."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from autoencode.errors import AutoencodeError

RunFolder = Annotated[Path, typer.Argument(metavar="RUN", help="The folder of a run.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")]
Seed = Annotated[int, typer.Option(min=0, max=2**63 - 1, help="Seed of the random draws.")]
Measures = Annotated[
    str,
    typer.Option(
        help="What to measure, commas between: reconstruction, objective, codes (together "
        "quick), likelihood, space, generation, gaps, shift, disentanglement; or all."
    ),
]
Samples = Annotated[
    int, typer.Option(min=1, max=10**9, help="Importance samples of ln p(x), for each image.")
]
Images = Annotated[
    int, typer.Option(min=1, max=10**9, help="Test images that ln p(x) is taken of.")
]
Projection = Annotated[
    str | None,
    typer.Option(
        metavar="METHOD",
        help="Map the test codes for the report: tsne, umap (an extra), pca, or none.",
        show_default="tsne of more than two numbers, with the measure space",
    ),
]
Source = Annotated[
    str,
    typer.Option(
        "--data",
        metavar="SOURCE",
        help="A named set (autoencode data list), a folder of images, .npy, .npz or IDX.",
    ),
]
OtherSource = Annotated[
    str | None,
    typer.Option("--data", metavar="SOURCE", help="Other data than those of the run."),
]
Range = Annotated[
    tuple[float, float] | None,
    typer.Option("--range", metavar="LOW HIGH", help="The values that are black and white."),
]
Size = Annotated[
    tuple[int, int] | None,
    typer.Option("--size", metavar="HEIGHT WIDTH", help="Resize images to this."),
]
OnBad = Annotated[str, typer.Option(help="What to do with a file that is no image: fail or skip.")]
MaxBad = Annotated[float, typer.Option(help="The share of files that may be skipped.")]
Labels = Annotated[
    Path | None, typer.Option(help="Labels of the images: .npy, .npz or IDX of the same length.")
]
Vectors = Annotated[
    Path | None,
    typer.Option(help="Numbers beside each image that condition the model: .npy of shape (N, C)."),
]
Binarise = Annotated[
    str | None,
    typer.Option(
        help="Draw each pixel black or white by its grey: static (once) or dynamic (the training "
        "images anew at each look)."
    ),
]
Mapped = Annotated[
    bool,
    typer.Option(
        "--mapped",
        help="Read the data from a file on disk while training, even where they fit into memory.",
    ),
]
Labelled = Annotated[
    int | None,
    typer.Option(help="Training images that keep their label; all others are hidden."),
]
SplitSeed = Annotated[int, typer.Option(help="Seed of the split into train, validation, test.")]


def data_options(
    labels: Path | None,
    value_range: tuple[float, float] | None,
    size: tuple[int, int] | None,
    on_bad: str,
    max_bad: float,
    split_seed: int,
    vectors: Path | None = None,
    labelled: int | None = None,
    binarise: str | None = None,
    mapped: bool = False,
) -> dict[str, Any]:
    """The keyword arguments of `load_data`."""
    return {
        "labels": None if labels is None else str(labels),
        "vectors": None if vectors is None else str(vectors),
        "labelled": labelled,
        "value_range": value_range,
        "size": size,
        "on_bad": on_bad,
        "max_bad": max_bad,
        "seed": split_seed,
        "binarise": binarise,
        "memory": "map" if mapped else "auto",
    }


def assignment(text: str) -> tuple[str, Any]:
    """`terms.kl.weight=4` to its dotted name and its value, JSON where it is JSON.

    Raises:
        AutoencodeError: there is no equals sign.

    >>> assignment("network.hidden=[512, 256]")
    ('network.hidden', (512, 256))
    >>> assignment("prior=none")
    ('prior', None)
    """
    name, sign, value = text.partition("=")
    if not sign or not name:
        raise AutoencodeError(
            f'--set takes NAME=VALUE, and got "{text}"', "For example: --set terms.kl.weight=4"
        )
    if value.lower() in ("none", "null"):
        return name, None
    try:
        parsed = json.loads(value)
    except (ValueError, RecursionError):
        return name, value
    return name, tuple(parsed) if isinstance(parsed, list) else parsed
