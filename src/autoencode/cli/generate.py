"""`autoencode generate`."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from autoencode.arguments import Seed as SeedRange
from autoencode.arguments import check_value
from autoencode.cli.options import OtherSource, Overwrite, RunFolder, Seed, takes
from autoencode.cli.output import print_line
from autoencode.cli.picture import ImageCount, Picture, check_picture, data_of, save_images
from autoencode.data.options import ReadOptions
from autoencode.errors import DataError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

    from autoencode.data import Data
    from autoencode.models.build import Model
    from autoencode.models.run import Run


@takes(options=ReadOptions)
def generate(
    run: RunFolder,
    options: dict[str, Any],
    out: Picture = Path("samples.png"),
    n: ImageCount = 64,
    label: Annotated[
        str | None, typer.Option(help="Class of the images.", show_default="all classes")
    ] = None,
    seed: Seed = 0,
    data: OtherSource = None,
    overwrite: Overwrite = False,
) -> None:
    """Generate new images: draw random codes and decode them.

    The codes are drawn from the sampler that was fitted to the training codes, else from the prior.
    A model without either gets uniform codes from the bounding box of the training codes, and many
    of them decode to implausible images. With --label, a conditional model is conditioned on the
    class; another model gets codes that are distributed like those of the class.

    Example: autoencode generate runs/vae-mnist --label 3 --out threes.png
    """
    check_picture(out, overwrite)
    check_value(seed, SeedRange, "seed")
    from autoencode.evaluation import decode
    from autoencode.models.run import open_run
    from autoencode.report.pictures import grid_picture

    opened = open_run(run)
    model = opened.load_model()
    source = partial(data_of, opened, data, options)
    codes, context, origin = _codes(opened, model, n, label, seed, source)
    path, what = save_images(opened, decode(model, codes, context), out, grid_picture)
    print_line(f"{path}: {n} {what} decoded from {origin}")


def _codes(
    run: Run, model: Model, n: int, label: str | None, seed: int, source: Callable[[], Data]
) -> tuple[Tensor, Tensor | None, str]:
    """Codes [n, d] to decode, the context of a conditional model, and the origin in words."""
    import torch

    from autoencode.evaluation import embed
    from autoencode.explore import normal_like, uniform_like
    from autoencode.models.conditions import conditioning
    from autoencode.models.inference import seeded

    recipe = run.recipe
    generator = torch.Generator().manual_seed(seed)
    context, condition = None, ""
    if recipe.context is not None:
        context, condition = _context(run, recipe.context.kind, n, label, source)
    elif label is not None:
        codes = embed(model, _images_of_class(source(), label)).flatten(1)
        return normal_like(codes, n, generator), None, f'codes like those of the class "{label}"'
    with torch.no_grad(), seeded(seed, torch.device("cpu")):
        sampler = model.sampler()
        if sampler is not None:
            part = recipe.sampler or recipe.prior
            name = "fitted sampler" if recipe.sampler else "prior"
            kind = f", {part.kind}" if part else ""
            return sampler.sample((n,)).flatten(1), context, f"the {name}{kind}{condition}"
    train = source().train
    codes = embed(model, train.x, conditioning(recipe, train)).flatten(1)
    origin = f"uniform codes in the bounding box of the training codes{condition}"
    return uniform_like(codes, n, generator), context, origin


def _context(
    run: Run, kind: str, n: int, label: str | None, source: Callable[[], Data]
) -> tuple[Tensor, str]:
    """The context of `n` new images, and a description of it."""
    import torch

    from autoencode.models.conditions import conditioning

    classes = run.data["classes"]
    if kind != "labels":
        if label is not None:
            raise DataError(
                "This model is conditioned on vectors, not on labels", "Leave out --label."
            )
        vectors = conditioning(run.recipe, source().test)
        assert vectors is not None  # a model with a context: data without vectors are refused
        return vectors[torch.arange(n) % len(vectors)], ", with the vectors of test examples"
    if label is None:
        return torch.arange(n) % len(classes), ", with each class in turn"
    if label not in classes:
        raise DataError(f'There is no class "{label}"', did_you_mean(label, classes))
    return torch.full((n,), classes.index(label)), f', with the class "{label}"'


def _images_of_class(data: Data, label: str) -> Tensor:
    """The training images of a class; the test images of new data without a training part."""
    part = data.train if len(data.train) else data.test
    x, y = part.x, part.y
    if y is None:
        raise DataError("These data have no labels", "Leave out --label.")
    if label not in data.classes:
        raise DataError(f'There is no class "{label}"', did_you_mean(label, data.classes))
    members = x[y == data.classes.index(label)]
    if not len(members):
        raise DataError(f'No training example has the class "{label}"', "Choose another class.")
    return members
