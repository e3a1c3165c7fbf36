"""`autoencode generate`, `reconstruct` and `interpolate`: pictures from a trained model."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from autoencode.cli.options import OtherSource, RunFolder, Seed
from autoencode.cli.output import say
from autoencode.errors import AutoencodeError, DataError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

    from autoencode.data import Data, Split
    from autoencode.models.run import Run

Picture = Annotated[Path, typer.Option(help="The picture to write, .png or .webp.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace that picture.")]
Many = Annotated[int, typer.Option("--n", min=1, max=10_000, help="How many images.")]


def generate(
    run: RunFolder,
    out: Picture = Path("samples.png"),
    n: Many = 64,
    label: Annotated[
        str | None, typer.Option(help="Images of this class, from codes like those of its images.")
    ] = None,
    seed: Seed = 0,
    data: OtherSource = None,
    overwrite: Overwrite = False,
) -> None:
    """Draw new images: decode random codes.

    Codes come from the sampler that was fitted to the training codes, else from the prior; from a
    model without either, at random from the box that the training codes fill, where most of them
    fail. With --label a conditional model is told the class; for any other, codes are drawn like
    those of the class.

    Example: autoencode generate runs/vae-mnist --label 3 --out threes.png
    """
    _check_picture(out, overwrite)
    from autoencode.models.run import open_run
    from autoencode.report.pictures import grid_picture, save_picture

    opened = open_run(run)
    model = opened.load_model()
    codes, told, how = _codes(opened, model, n, label, seed, data)
    from autoencode.evaluation import decode

    path = save_picture(grid_picture(decode(model, codes, told).clamp(0, 1)), out)
    say(f"{path}: {n} images decoded from {how}")


def _codes(
    run: Run, model: Any, n: int, label: str | None, seed: int, data: str | None
) -> tuple[Tensor, Tensor | None, str]:
    """Codes [n, d] to decode, what a conditional model is told, and where they come from."""
    import torch

    from autoencode.evaluation import embed
    from autoencode.explore import normal_like, uniform_like
    from autoencode.models.conditions import conditioning
    from autoencode.models.inference import seeded

    conditional = run.recipe.context is not None
    generator = torch.Generator().manual_seed(seed)
    if label is not None and not conditional:
        loaded = _data(run, data)
        codes = embed(model, _members(loaded, label)).flatten(1)
        return normal_like(codes, n, generator), None, f'codes like those of the class "{label}"'
    told, of = None, ""
    if conditional:
        told, of = _told(run, n, label, lambda: _data(run, data).test)
    with torch.no_grad(), seeded(seed, torch.device("cpu")):
        drawn = model.sampler()
        if drawn is not None:
            kind = (run.recipe.sampler or run.recipe.prior).kind
            which = "fitted sampler" if run.recipe.sampler else "prior"
            return drawn.sample((n,)).flatten(1), told, f"the {which}, {kind}{of}"
    train = _data(run, data).train
    codes = embed(model, train.x, conditioning(run.recipe, train)).flatten(1)
    where = f"random codes of the box that the training codes fill{of}"
    return uniform_like(codes, n, generator), told, where


def _told(run: Run, n: int, label: str | None, examples: Callable[[], Split]) -> tuple[Tensor, str]:
    """What a conditional model is told of `n` new images, and how to say so."""
    import torch

    classes = run.data["classes"]
    if run.recipe.context.kind != "labels":
        if label is not None:
            raise DataError("This model is conditioned on vectors, not on labels", "Leave it out.")
        vectors = examples().context
        return vectors[torch.arange(n) % len(vectors)], ", with the vectors of test examples"
    if label is None:
        return torch.arange(n) % len(classes), ", each class in turn"
    if label not in classes:
        raise DataError(f'There is no class "{label}"', did_you_mean(label, classes))
    return torch.full((n,), classes.index(label)), f', told to be of the class "{label}"'


def _members(data: Data, label: str) -> Tensor:
    """The training examples of a class."""
    x, y = data.train.x, data.train.y
    if y is None:
        raise DataError("These data have no labels", "Leave --label out.")
    if label not in data.classes:
        raise DataError(f'There is no class "{label}"', did_you_mean(label, data.classes))
    members = x[y == data.classes.index(label)]
    if not len(members):
        raise DataError(f'No training example is of the class "{label}"', "Take another.")
    return members


def reconstruct(
    run: RunFolder,
    out: Picture = Path("reconstructions.png"),
    n: Many = 20,
    data: OtherSource = None,
    overwrite: Overwrite = False,
) -> None:
    """Draw originals above their reconstructions, of test images or of your own (--data).

    Example: autoencode reconstruct runs/vae-mnist --out pairs.png
    """
    _check_picture(out, overwrite)
    from autoencode.data import scaled
    from autoencode.evaluation import reconstruct as restore
    from autoencode.evaluation import squared_error
    from autoencode.models.conditions import conditioning
    from autoencode.models.run import open_run
    from autoencode.report.pictures import pairs_picture, save_picture

    opened = open_run(run)
    model = opened.load_model()
    test = _data(opened, data).test
    told = conditioning(opened.recipe, test)
    x = scaled(test.x[:n])
    y = restore(model, x, None if told is None else told[:n])
    path = save_picture(pairs_picture(x, y.clamp(0, 1)), out)
    error = squared_error(x, y).mean().item()
    say(f"{path}: {len(x)} test images above their reconstructions, squared error {error:.2f}")


def interpolate(
    run: RunFolder,
    out: Picture = Path("interpolation.png"),
    start: Annotated[int, typer.Option("--from", min=0, help="Number of a test image.")] = 0,
    end: Annotated[int, typer.Option("--to", min=0, help="Number of another.")] = 1,
    n: Annotated[int, typer.Option("--n", min=2, max=1_000, help="Images on the way.")] = 12,
    data: OtherSource = None,
    overwrite: Overwrite = False,
) -> None:
    """Draw the way from one test image to another: codes between theirs, decoded.

    Example: autoencode interpolate runs/vae-mnist --from 0 --to 1 --out between.png
    """
    _check_picture(out, overwrite)
    from autoencode.evaluation import decode, embed
    from autoencode.explore import interpolate as between
    from autoencode.models.conditions import conditioning
    from autoencode.models.run import open_run
    from autoencode.report.pictures import save_picture, strip_picture

    opened = open_run(run)
    model = opened.load_model()
    test = _data(opened, data).test
    for name, number in (("--from", start), ("--to", end)):
        if number >= len(test):
            raise DataError(
                f"{name} {number} is no test image: there are {len(test):,}, counted from 0"
            )
    told = conditioning(opened.recipe, test)
    codes = embed(model, test.x[[start, end]], None if told is None else told[[start, end]])
    way = between(codes[0], codes[1], n, model.space)
    # A conditional model is told of the first image all the way.
    images = decode(model, way, None if told is None else told[[start] * n])
    path = save_picture(strip_picture(images.clamp(0, 1)), out)
    say(f"{path}: {n} images from test image {start} to test image {end}")


def _data(run: Run, source: str | None) -> Data:
    from autoencode.data import load_data

    return run.load_data() if source is None else load_data(source)


def _check_picture(out: Path, overwrite: bool) -> None:
    if out.exists() and not overwrite:
        raise AutoencodeError(
            f"{out} exists", "Choose another --out, or replace it with --overwrite."
        )
