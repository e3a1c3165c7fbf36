"""New examples, decoded from random or given codes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from autoencode.arguments import Count, Seed, Within, check_value
from autoencode.contract import Space
from autoencode.data import Data, Split
from autoencode.errors import DataError, RecipeError, did_you_mean
from autoencode.explore import in_class, uniform_like
from autoencode.models.conditions import conditioning
from autoencode.models.foreign import as_autoencoder
from autoencode.models.inference import decode, embed, seeded
from autoencode.use.examples import add_images, by_column, check_kind, in_units
from autoencode.use.files import TABLES, array_to, folder_to, refuse_existing, rows_to

# Codes among which neighbours are looked for.
MAX_CODES = 20_000
Temperature = Annotated[float, Within(0.0, 100.0)]
# Draws from which the centre of a distribution is estimated.
DRAWS = 4_000


class Drawn(NamedTuple):
    """Codes to decode: z [n, d], the context of a conditional model, and the origin in words."""

    z: Tensor
    context: Tensor | None
    origin: str


def generate(
    model: Any,
    n: int = 64,
    label: Any = None,
    code: Any = None,
    temperature: float = 1.0,
    seed: int = 0,
    data: Any = None,
) -> Tensor:
    """Generate examples: decode random codes, or given ones. Returns [n, *X], float32.

    Images are in [0, 1], rows of tables in scaled units; `model.preprocessing.inverse` gives the
    units of the data.

    model: a trained model.
    n: number of examples.
    label: name or position of a class. A conditional model is conditioned on it; another one gets
        codes in whose neighbourhood the class has the majority, which needs `data`.
    code: one code [d] or several [m, d], decoded instead of random ones; `n` is not used.
    temperature: factor of the deviation of random codes from their centre.
    seed: of the random codes.
    data: the training data, loaded or as `load_data` takes them, for models without a prior and for
        `label`.

    Codes are drawn from the sampler that was fitted to the training codes, else from the prior;
    for a model without either, uniformly from the box around the training codes.

    Raises:
        DataError: there is no such class, or `data` are needed.
        RecipeError: an argument is out of range, or temperature is not 1 where it has no meaning.

    >>> import autoencode as ae
    >>> model = ae.fit("vae", "digits", latent=2, steps=10).model
    >>> ae.generate(model, 4).shape
    torch.Size([4, 8, 8])
    """

    model = as_autoencoder(model, data)

    def source() -> Data:
        if data is None:
            raise DataError(
                "Codes of a class, or of a model without a prior, are drawn near training codes",
                "Give the training data: data=load_data(source).",
            )
        return loaded(model, data)

    drawn = draw(model, n, label, code, temperature, seed, source)
    return decode(model, drawn.z, drawn.context)


def write_examples(
    model: Any, x: Tensor, out: str | Path, overwrite: bool = False
) -> tuple[str, str]:
    """Write generated examples [n, *X] in the units of the model's training data.

    out: a folder for one .png (or .tif) file for each image; .npy for an array; .csv or .parquet
        for the rows of a table; .png, .webp, .jpg or .gif for one picture of all images.

    Returns "images", "rows" or "vectors", and a note, "" for none.

    Raises:
        AutoencodeError: `out` exists, or does not go with the model.
    """
    from autoencode.report.pictures import FORMATS, grid_picture, save_picture

    path = Path(out)
    refuse_existing(path, overwrite)
    check_kind(path, model, tuple(FORMATS))
    ending = path.suffix.lower()
    if ending in FORMATS:
        save_picture(grid_picture(x.clamp(0, 1)), path)
        return "images", ""
    raw = in_units(model.preprocessing, x)
    if ending == ".npy":
        with array_to(path, overwrite) as array:
            array.add(raw.astype(np.float64) if raw.dtype == object else raw)
    elif ending in TABLES:
        with rows_to(path, overwrite) as rows:
            rows.add(by_column(model.preprocessing, raw))
        return "rows", ""
    else:
        names = [f"{i:0{len(str(len(x) - 1))}d}" for i in range(len(x))]
        with folder_to(path, overwrite) as folder:
            return "images", add_images(folder, names, raw, model.preprocessing).note()
    return ("images" if model.sizes.image else "vectors"), ""


def loaded(model: Any, data: Any) -> Data:
    """Data as they are, or a source preprocessed for a model."""
    from autoencode.models.new_data import new_data

    return data if isinstance(data, Data) else new_data(model, data)


def draw(
    model: Any,
    n: int,
    label: Any,
    code: Any,
    temperature: float,
    seed: int,
    source: Callable[[], Data],
) -> Drawn:
    """The codes that `generate` decodes; `source` loads the training data where they are needed."""
    check_value(n, Count, "n")
    check_value(seed, Seed, "seed")
    check_value(temperature, Temperature, "temperature")
    context, condition = _context(model, n, label, source)
    if code is not None:
        z = _given(model, code)
        if context is not None:
            context = context[torch.arange(len(z)) % len(context)]
        given = "the given code" if len(z) == 1 else f"the {len(z):,} given codes"
        return Drawn(z, context, f"{given}{condition}")
    if temperature != 1 and model.space is not Space.REAL:
        raise RecipeError(
            f"temperature is {temperature}, but the codes of this model are not all of ℝᵈ",
            "Leave it out.",
        )
    generator = torch.Generator().manual_seed(seed)
    warmth = "" if temperature == 1 else f", at temperature {temperature:g}"
    if label is not None and context is None:
        z, origin = _of_class(model, source(), label, n, temperature, generator)
        return Drawn(z, None, f"{origin}{warmth}")
    z, origin = _random(model, n, temperature, seed, generator, source)
    return Drawn(z, context, f"{origin}{condition}{warmth}")


def _given(model: Any, code: Any) -> Tensor:
    z = torch.as_tensor(code, dtype=torch.float32)
    z = z[None] if z.dim() == 1 else z
    if z.dim() < 2 or z[0].numel() != model.sizes.latent:
        raise DataError(
            f"A code has {z[0].numel() if len(z) else 0} numbers, and the model has "
            f"{model.sizes.latent} latent dimensions",
            f"Give {model.sizes.latent} numbers, separated by commas.",
        )
    return z.flatten(1)


def _random(
    model: Any,
    n: int,
    temperature: float,
    seed: int,
    generator: torch.Generator,
    source: Callable[[], Data],
) -> tuple[Tensor, str]:
    """Codes from the sampler or the prior; uniform ones for a model without either."""
    recipe = model.recipe
    device = next(model.parameters()).device
    with torch.no_grad(), seeded(seed, device):
        sampler = model.sampler()
        if sampler is not None:
            z = sampler.sample((n,)).flatten(1).cpu()
            if temperature != 1:
                centre = sampler.sample((DRAWS,)).flatten(1).mean(0).cpu()
                z = centre + temperature * (z - centre)
            part = recipe.sampler or recipe.prior
            name = "fitted sampler" if recipe.sampler else "prior"
            return z, f"the {name}{f', {part.kind}' if part else ''}"
    train = source().train
    if not len(train):
        train = source().test
    codes = embed(model, train.x, conditioning(recipe, train)).flatten(1).cpu()
    z = uniform_like(codes, n, generator)
    if temperature != 1:
        centre = (codes.amin(0) + codes.amax(0)) / 2
        z = centre + temperature * (z - centre)
    return z, "uniform codes in the bounding box of the training codes"


def _context(
    model: Any, n: int, label: Any, source: Callable[[], Data]
) -> tuple[Tensor | None, str]:
    """The context of `n` new examples, and a description of it; None without a context."""
    recipe = model.recipe
    if recipe.context is None:
        return None, ""
    if recipe.context.kind != "labels":
        if label is not None:
            raise DataError(
                "This model is conditioned on vectors, not on labels", "Leave out --label."
            )
        vectors = conditioning(recipe, source().test)
        assert vectors is not None  # a model with a context: data without vectors are refused
        return vectors[torch.arange(n) % len(vectors)], ", with the vectors of test examples"
    classes = model.preprocessing.classes if model.preprocessing else ()
    if label is None:
        return torch.arange(n) % max(len(classes), 1), ", with each class in turn"
    number = class_number(classes, label)
    return torch.full((n,), number), f', with the class "{classes[number]}"'


def class_number(classes: Sequence[str], label: Any) -> int:
    """The position of a class, given by its name or its position.

    Raises:
        DataError: there is no such class.
    """
    if str(label) in classes:
        return classes.index(str(label))
    if isinstance(label, int) and not isinstance(label, bool) and 0 <= label < len(classes):
        return label
    raise DataError(f'There is no class "{label}"', did_you_mean(str(label), classes))


def _of_class(
    model: Any, data: Data, label: Any, n: int, temperature: float, generator: torch.Generator
) -> tuple[Tensor, str]:
    """Codes where a class has the majority of the neighbours."""
    part: Split = data.train if len(data.train) else data.test
    if part.y is None:
        raise DataError("These data have no labels", "Leave out --label.")
    number = class_number(data.classes, label)
    name = data.classes[number]
    known = (part.y >= 0).nonzero()[:, 0]
    some = known[torch.randperm(len(known), generator=generator)[:MAX_CODES]]
    y = part.y[some]
    if not bool((y == number).any()):
        raise DataError(f'No training example has the class "{name}"', "Choose another class.")
    codes = embed(model, part.x[some], conditioning(model.recipe, part)).flatten(1).cpu()
    if model.space is Space.CODES:
        members = codes[y == number]
        chosen = torch.randint(len(members), (n,), generator=generator)
        return members[chosen], f'codes of training examples of the class "{name}"'
    z, kept = in_class(codes, y, number, n, generator, temperature=temperature)
    if len(z) < n:
        raise DataError(
            f'The class "{name}" has the majority of the neighbours almost nowhere among the '
            "training codes, so that codes cannot be drawn for it",
            "Use a model with more latent dimensions, or a conditional one, such as cvae.",
        )
    if model.space is Space.SPHERE:
        z = z / z.norm(dim=1, keepdim=True)
    elif model.space is Space.BOX:
        z = z.clamp(-1, 1)
    return z, (
        f'codes whose neighbours are mostly of the class "{name}" ({kept:.0%} of the candidates '
        "near its training codes)"
    )
