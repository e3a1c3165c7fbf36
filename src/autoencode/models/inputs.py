"""The inputs of models: conversion to tensors, and checks of their shapes and values.

Examples may be tensors, NumPy arrays, nested lists, a PIL image, or a list of PIL images. Codes and
conditions may be tensors, NumPy arrays or nested lists. Floats are converted to the precision of
the model, and what is no tensor is moved to its device.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from autoencode.contract import Sizes
from autoencode.data.preprocessing import Preprocessing
from autoencode.errors import DataError
from autoencode.maths import traced

# The variable of each kind of input in messages, and what it holds.
NOUNS = {"x": "examples", "z": "codes", "c": "labels or vectors"}

_UNCHECKED: ContextVar[bool] = ContextVar("unchecked", default=False)


@contextmanager
def unchecked() -> Iterator[None]:
    """Context manager inside which models do not check values: they were checked before."""
    if torch.compiler.is_compiling():  # values are not checked, and context variables not compiled
        yield
        return
    before = _UNCHECKED.set(True)
    try:
        yield
    finally:
        _UNCHECKED.reset(before)


def gradients(module: nn.Module, *inputs: Tensor | None) -> torch.set_grad_enabled:
    """Context manager that records gradients in training mode, or if an input requires them."""
    wanted = module.training or any(t is not None and t.requires_grad for t in inputs)
    return torch.set_grad_enabled(wanted and torch.is_grad_enabled())


def example_inputs(
    module: nn.Module,
    sizes: Sizes,
    x: Any,
    context: Any,
    *,
    preprocessing: Preprocessing | None,
    missing: bool,
) -> tuple[Tensor, Tensor | None]:
    """Examples [B, *X] and their conditions, converted and checked.

    module: has the parameters whose device and precision are used. In training mode only shapes
        are checked.
    preprocessing: checks the values; None checks that they are finite.
    missing: whether NaN, a missing value, is allowed without `preprocessing`.

    Raises:
        DataError: no numbers, another shape or device, integers other than uint8, or wrong values.
    """
    like = next(module.parameters(), None)
    examples = example_tensor(x, sizes, like)
    if examples.dtype == torch.uint8:
        examples = (examples.float() if like is None else examples.to(like.dtype)) / 255
    if not module.training:
        check_values(examples, "x", x, preprocessing, missing)
    return examples, condition_tensor(context, sizes, examples.shape[0], like)


def code_inputs(
    module: nn.Module, sizes: Sizes, z: Any, context: Any
) -> tuple[Tensor, Tensor | None]:
    """Codes [*S, B, *Z] and their conditions, converted and checked as in `example_inputs`."""
    like = next(module.parameters(), None)
    codes = to_tensor(z, "z", like)
    if not codes.is_floating_point():
        codes = codes.float() if like is None else codes.to(like.dtype)
    lead = check_codes(codes, sizes.z, z)
    if not module.training:
        check_values(codes, "z", z)
    return codes, condition_tensor(context, sizes, lead[-1], like, shared=True)


def example_tensor(x: Any, sizes: Sizes, like: Tensor | None = None) -> Tensor:
    """Examples [B, *X] as a tensor, uint8 or float; see `to_tensor` for `like`.

    Raises:
        DataError: no numbers, another shape or device, or integers other than uint8.
    """
    images = [x] if is_image(x) else x
    if isinstance(images, list | tuple) and images and all(map(is_image, images)):
        tensor = to_tensor(_pixels(images, sizes), "x", like)
    else:
        tensor = to_tensor(x, "x", like)
    check_examples(tensor, sizes, x)
    return tensor


def condition_tensor(
    context: Any, sizes: Sizes, count: int, like: Tensor | None = None, shared: bool = False
) -> Tensor | None:
    """Labels [B] or vectors [B, C] as a tensor; None stays None.

    count: the size of the batch, B.   shared: whether there may be one for the whole batch.

    Raises:
        DataError: no finite numbers, another number of them, or a model without conditions.
    """
    if context is None:
        return None
    if not sizes.context:
        raise DataError(
            "This model is not conditioned, and labels or vectors were given",
            "Leave out the second argument.",
        )
    conditions = to_tensor(context, "c", like)
    found = conditions.shape[0] if conditions.dim() else 0
    if found != count and not (shared and found == 1):
        given = f"{found:,} labels or vectors" if conditions.dim() else "a single number"
        raise DataError(
            f"The batch has {count:,} entries, and it came with {given}", "Give one for each."
        )
    if not conditions.is_floating_point():
        return conditions.long()
    check_values(conditions, "c", context)
    return conditions


def to_tensor(value: Any, variable: str, like: Tensor | None = None) -> Tensor:
    """Converts a tensor, an array or nested lists to a tensor; True becomes 1.0.

    variable: a key of `NOUNS`, for messages.
    like: a parameter of the model, whose precision the floats get. Arrays and lists get its device,
        and a tensor must be there. None keeps precision and device.

    Raises:
        DataError: no real numbers, lists of different lengths, or a tensor on another device.
    """
    if isinstance(value, Tensor):
        tensor = value if value.layout is torch.strided else value.to_dense()
        if like is not None and tensor.device != like.device:
            raise DataError(
                f"These {NOUNS[variable]} are on {tensor.device}, and the model is on "
                f"{like.device}",
                f'Move them: {variable}.to("{like.device}").',
            )
    else:
        tensor = _numbers(value, variable)
        tensor = tensor if like is None else tensor.to(like.device)
    if tensor.is_complex():
        raise _no_numbers(f"are {tensor.dtype}", variable)
    if tensor.dtype == torch.bool:
        tensor = tensor.float()
    return tensor.to(like.dtype) if like is not None and tensor.is_floating_point() else tensor


def check_examples(x: Tensor, sizes: Sizes, given: Any = None) -> None:
    """Checks shape and type of examples; `given` is what they were converted from.

    Raises:
        DataError: examples of another shape, or integers other than uint8.
    """
    wanted, shape = sizes.x, tuple(x.shape)
    accepted = {wanted, sizes.image, wanted[1:] if wanted[:1] == (1,) else wanted}
    array = _as_array("x", given)
    if shape[1:] not in accepted or not shape:
        if shape in accepted:
            raise DataError(
                f"This is one example of shape {shape_words(shape)}, and the model takes a batch",
                f"Add a dimension: {array}[None], or take x[:1] instead of x[0].",
            )
        what = (
            f"This model takes examples of shape {shape_words(wanted)}, "
            f"and these are {shape_words(shape[1:])}"
        )
        if shape[-1:] + shape[1:-1] == sizes.image:
            fix = f"Put the channels first: {array}.swapaxes(1, 3).swapaxes(2, 3)."
        elif len(shape) > 1 and math.prod(shape[1:]) == sizes.pixels:
            fix = f"Reshape them: {array}.reshape({_batch(wanted, '-1')})."
        else:
            fix = f"Give a batch, ({_batch(wanted, 'N')})"
        raise DataError(what, fix)
    if x.dtype != torch.uint8 and not x.is_floating_point():
        is_tensor = given is None or isinstance(given, Tensor)
        to_bytes = "x.to(torch.uint8)" if is_tensor else f"{array}.astype('uint8')"
        raise DataError(
            f"Images must be uint8 (0 to 255) or floats in [0, 1], and these are {x.dtype}",
            f"Convert them: {to_bytes} for values from 0 to 255, or {array} / {array}.max().",
        )


def check_codes(z: Tensor, wanted: tuple[int, ...], given: Any = None) -> tuple[int, ...]:
    """Checks the shape of codes [*S, B, *Z] and returns (*S, B).

    Raises:
        DataError: codes of another shape, or a single code.
    """
    shape = tuple(z.shape)
    lead = shape[: max(0, len(shape) - len(wanted))]
    if lead and shape[len(lead) :] == wanted:
        return lead
    array = _as_array("z", given)
    if shape == wanted:
        raise DataError(
            f"This is one code of shape {shape_words(shape)}, and the decoder takes a batch",
            f"Add a dimension: {array}[None], or take z[:1] instead of z[0].",
        )
    latent = math.prod(wanted)
    fits = (latent == 1 and len(shape) == 1) or (len(shape) > 1 and shape[1:] == (latent,))
    raise DataError(
        f"This model's codes have shape {shape_words(wanted)}, and these are {shape_words(shape)}",
        f"Reshape them: {array}.reshape({_batch(wanted, '-1')})."
        if fits
        else f"Give a batch, ({_batch(wanted, 'N')})",
    )


def check_values(
    values: Tensor,
    variable: str,
    given: Any = None,
    preprocessing: Preprocessing | None = None,
    missing: bool = False,
) -> None:
    """Checks that values are finite (with `missing`: or NaN), or what `preprocessing` checks.

    Nothing is checked inside `unchecked`, nor in traces and in transforms of `torch.func`, where
    values cannot be read.

    Raises:
        DataError: NaN, infinity, or values outside of the range of the preprocessing.
    """
    if torch.compiler.is_compiling() or traced() or _UNCHECKED.get():
        return
    if torch._C._functorch.maybe_current_level() is not None or not values.numel():
        return
    values = values.detach()
    if preprocessing is not None:
        preprocessing.check(values)
        return
    # The sum is fast, and finite unless a value is not, or it overflows.
    if not values.is_floating_point() or values.sum().isfinite():
        return
    wrong = values.isinf() if missing else ~values.isfinite()
    if not wrong.any():
        return
    bad = int(wrong.reshape(len(wrong), -1).any(1).sum())
    what = "infinity" if missing else "NaN or infinity"
    package = "torch" if given is None or isinstance(given, Tensor) else "np"
    if missing:
        fix = f"{package}.where({package}.isinf({variable}), {package}.nan, {variable})"
    else:
        fix = f"{package}.where({package}.isfinite({variable}), {variable}, 0)"
    raise DataError(
        f"{bad:,} of these {len(values):,} {NOUNS[variable]} contain {what}",
        f"Replace these values, for instance by {'NaN' if missing else '0'}: {fix}.",
    )


def shape_words(shape: Sequence[int]) -> str:
    """Formats a shape: "(28, 28)", "(30,)"."""
    return f"({', '.join(map(str, shape))}{',' if len(shape) == 1 else ''})"


def _numbers(value: Any, variable: str) -> Tensor:
    """A tensor of an array or of nested lists, in memory of its own."""
    if np.ma.is_masked(value):
        raise DataError(
            f"Some values of these {NOUNS[variable]} are masked",
            f"Replace them, for instance by 0: {variable}.filled(0).",
        )
    try:
        if isinstance(value, list | tuple) and value and isinstance(value[0], Tensor):
            return torch.stack(list(value))
        array = np.asarray(value)
    except (TypeError, ValueError, RuntimeError) as error:
        reason = str(error).splitlines()[0]
        raise DataError(
            f"These {NOUNS[variable]} cannot be made one array: {reason}",
            "Give tensors or arrays of one shape.",
        ) from error
    if array.dtype.name == "bfloat16":  # of the package ml_dtypes
        array = array.astype(np.float32)
    if array.dtype.kind not in "buif":
        kind = f"are of type {array.dtype}"
        raise _no_numbers(kind if array.ndim else f"are a {type(value).__name__}", variable)
    if array.dtype.kind == "f" and array.dtype.itemsize > 8:
        array = array.astype(np.float64)
    # A copy: PyTorch refuses negative strides and other byte orders, warns of read-only memory, and
    # rounds differently at other addresses than its own.
    native = np.empty(0, array.dtype.newbyteorder("="))
    tensor = torch.from_numpy(native).new_empty(array.shape)
    np.copyto(tensor.numpy(), array)
    return tensor


def _no_numbers(are: str, variable: str) -> DataError:
    images = ", PIL images" if variable == "x" else ""
    return DataError(
        f"These {NOUNS[variable]} {are}, and must be real numbers",
        f"Give a tensor, a NumPy array{images} or nested lists of numbers.",
    )


def is_image(value: Any) -> bool:
    """Whether a value is a PIL image."""
    return type(value).__module__.startswith("PIL.")


def _pixels(images: Sequence[Any], sizes: Sizes) -> np.ndarray:
    """PIL images as floats [N, C, H, W] with the channels of the model.

    Raises:
        DataError: the model takes no grey or colour images, or images of another size.
    """
    from PIL import Image

    from autoencode.data.read.image import pixels

    if sizes.image is None or sizes.image[0] not in (1, 3):
        raise DataError(
            f"This model takes examples of shape {shape_words(sizes.x)}, and PIL images were given",
            f"Give arrays, ({_batch(sizes.x, 'N')})",
        )
    channels, height, width = sizes.image
    found, from_colour = [], 0
    for image in images:
        array = pixels(image)
        if array.shape[-2:] != (height, width):
            upright = array.shape[-2:] == (image.height, image.width)
            source = "image" if upright else "ImageOps.exif_transpose(image)"
            raise DataError(
                f"The model takes images of {width} × {height} pixels, and an image has "
                f"{array.shape[-1]} × {array.shape[-2]}",
                f"Resize it: {source}.resize(({width}, {height})).",
            )
        if array.ndim == 3 and channels == 1:
            array = np.asarray(Image.fromarray(np.moveaxis(array, 0, -1)).convert("L"))
            from_colour += 1
        most = np.iinfo(array.dtype).max if array.dtype.kind == "u" else 1
        scaled = array.astype(np.float32) / np.float32(most)
        found.append(np.broadcast_to(scaled, (channels, height, width)))
    if from_colour:
        warnings.warn(
            f"{from_colour:,} of {len(images):,} images are in colour, and the model takes grey "
            "images: they were converted to grey",
            stacklevel=6,
        )
    return np.stack(found)


def _as_array(variable: str, given: Any) -> str:
    """The expression of an input on which the methods of arrays can be called."""
    return f"np.array({variable})" if isinstance(given, list | tuple) else variable


def _batch(shape: Sequence[int], first: str) -> str:
    return ", ".join([first, *map(str, shape)])
