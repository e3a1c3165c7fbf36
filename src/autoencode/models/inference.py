"""Batched encoding, decoding and reconstruction, and evaluation mode."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from autoencode import maths
from autoencode.arguments import Count, check_value
from autoencode.contract import Autoencoder
from autoencode.data import scaled
from autoencode.io.progress import Bar
from autoencode.models.conditions import conditioning
from autoencode.models.foreign import with_examples
from autoencode.models.inputs import (
    check_codes,
    check_values,
    condition_tensor,
    example_tensor,
    to_tensor,
    unchecked,
)
from autoencode.models.new_data import is_raw, part_of
from autoencode.models.seeding import seeded as seeded

BATCH_SIZE = 2048
# Maximum number of values in a batch, so that batches of large images fit in memory.
MAX_VALUES_PER_BATCH = 2**24

Result = TypeVar("Result")


def embed(model: Autoencoder, x: Any, context: Any = None, batch_size: int = BATCH_SIZE) -> Tensor:
    """Encodes examples [N, *X] (uint8, or float in [0, 1]) to codes [N, *Z], float32.

    Codes are deterministic (the posterior mean), without gradients, on the device of `x`, or on the
    CPU if `x` is no tensor.

    model: a trained model, or any `nn.Module` with an encoder and a decoder, see `models.foreign`.
    x: examples as the model receives them: a tensor on any device, a NumPy array, PIL images or
        nested lists. Or raw data in their own units, which are preprocessed as in training: a path,
        a table, a mapping or a data set, as `load_data` takes them; or a part, such as `data.test`.
    context: labels [N] or features [N, C] for a conditional model.
    batch_size: examples that are encoded at once.

    Raises:
        DataError: examples of another shape than the model's, integers other than uint8, NaN, or
            values out of range.

    >>> import autoencode as ae
    >>> data = ae.load_data("digits")
    >>> model = ae.fit("vae", data, latent=2, steps=10).model
    >>> ae.embed(model, data.test).shape
    torch.Size([359, 2])
    """
    model, x = with_examples(model, x)
    examples, conditions = checked_examples(model, x, context)
    codes = in_batches(
        model, examples, lambda b, k: model.encode(b, k).z, "embedding", batch_size, conditions
    )
    return torch.cat(codes).to(examples.device)


def reconstruct(
    model: Autoencoder, x: Any, context: Any = None, batch_size: int = BATCH_SIZE
) -> Tensor:
    """Reconstructs examples [N, *X] (uint8, or float in [0, 1]): [N, *X], float32.

    They are decoded from the codes of `embed`, without gradients, on the device of `x`.

    model, x, context, batch_size: as of `embed`.

    Raises:
        DataError: as `embed`.

    >>> import autoencode as ae
    >>> data = ae.load_data("digits")
    >>> model = ae.fit("ae", data, latent=2, steps=10).model
    >>> ae.reconstruct(model, data.test.x[:5]).shape
    torch.Size([5, 8, 8])
    """
    model, x = with_examples(model, x)
    examples, conditions = checked_examples(model, x, context)
    images = in_batches(
        model,
        examples,
        lambda b, k: model.forward(b, k).images,
        "reconstructing",
        batch_size,
        conditions,
    )
    return torch.cat(images).to(examples.device)


def decode(
    model: Autoencoder, codes: Any, context: Any = None, batch_size: int = BATCH_SIZE
) -> Tensor:
    """Decodes codes [N, *Z] or [N, d] to the mean of p(x|z), [N, *X], float32.

    Raises:
        DataError: codes of another shape, no numbers, or NaN.
    """
    z = to_tensor(codes, "z").float()
    if z.dim() == 2 and z.shape[1] == model.sizes.latent:
        z = z.reshape(-1, *model.sizes.z)
    check_codes(z, model.sizes.z, codes)
    check_values(z, "z", codes)
    conditions = condition_tensor(context, model.sizes, len(z))
    images = []
    with measuring(model) as device:
        for start in range(0, len(z), batch_size):
            part = slice(start, start + batch_size)
            values = None if conditions is None else conditions[part].to(device)
            images.append(model.decode(z[part].to(device), values).mean.float())
    return torch.cat(images).to(z.device)


def checked_examples(
    model: Autoencoder, x: Any, context: Any = None
) -> tuple[Tensor, Tensor | None]:
    """Examples [N, *X], uint8 or float, and their conditions, as tensors that were checked.

    Raises:
        DataError: as `embed`.
    """
    if is_raw(x):
        part = part_of(model, x)
        x, context = part.x, conditioning(model.recipe, part) if context is None else context  # type: ignore[attr-defined]
    examples = example_tensor(x, model.sizes)
    check_values(
        examples, "x", x, getattr(model, "preprocessing", None), getattr(model, "missing", False)
    )
    return examples, condition_tensor(context, model.sizes, len(examples))


def in_batches(
    model: Autoencoder,
    x: Tensor,
    measure: Callable[[Tensor, Tensor | None], Result],
    what: str,
    batch_size: int = BATCH_SIZE,
    context: Tensor | None = None,
) -> list[Result]:
    """Calls a function on each batch of examples; returns the results in order.

    measure: takes a batch [B, *X] of floats in [0, 1] and its labels or features, on the model's
        device; see `measuring`.
    what: label of the progress bar, which is shown on a terminal after a second.
    batch_size: see `split`.
    """
    results, start = [], 0
    with measuring(model) as device, Bar(what, len(x)) as bar:
        for batch in split(x, batch_size):
            exact = batch.float() if batch.is_floating_point() else batch
            values = None if context is None else context[start : start + len(batch)].to(device)
            results.append(measure(scaled(exact.to(device)), values))
            start += len(batch)
            bar.update(len(batch))
    return results


def split(x: Tensor, batch_size: int) -> tuple[Tensor, ...]:
    """Splits examples [N, *X] into batches of at most `batch_size`, or less for large examples.

    Raises:
        RecipeError: `batch_size` is not a positive integer.
    """
    check_value(batch_size, Count, "batch_size")
    values = max(1, math.prod(x.shape[1:]))
    batches: tuple[Tensor, ...] = x.split(max(1, min(batch_size, MAX_VALUES_PER_BATCH // values)))  # type: ignore[no-untyped-call]
    return batches


@contextmanager
def measuring(model: Autoencoder) -> Iterator[torch.device]:
    """Context manager for evaluation: evaluation mode, no gradients, full float32 precision.

    It yields the device of the model. Autocast is disabled, and backends do not replace float32
    products by tf32 or bf16. Models do not check the values of their inputs inside. Afterwards the
    modes of all modules and the settings of the backends are restored.
    """
    assert isinstance(model, nn.Module)  # part of the contract
    device = next(model.parameters()).device
    modes = [(module, module.training) for module in model.modules()]
    each: Any = torch.backends
    backends = (each.cuda.matmul, each.cudnn.conv, each.mkldnn.matmul, each.mkldnn.conv)
    precisions = [(backend, backend.fp32_precision) for backend in backends]
    try:
        model.eval()
        for backend in backends:
            backend.fp32_precision = "ieee"
        with (
            torch.no_grad(),
            torch.autocast(device.type, enabled=False),
            maths.exact_products(),
            unchecked(),
        ):
            yield device
    finally:
        for backend, precision in precisions:
            backend.fp32_precision = precision
        for module, training in modes:
            module.training = training
