"""Examples through a model, batch after batch, as every measurement takes them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Annotated, Any, TypeVar

import torch
from torch import Tensor, nn

from autoencode import maths
from autoencode.contract import Autoencoder, Within
from autoencode.data import scaled
from autoencode.io.progress import Bar
from autoencode.models.arguments import check_value

BATCH_SIZE = 2048
# Numbers in one batch: large images come in smaller batches, so that memory stays small.
MAX_VALUES_PER_BATCH = 2**24

Found = TypeVar("Found")


def embed(
    model: Autoencoder, x: Tensor, context: Tensor | None = None, batch_size: int = BATCH_SIZE
) -> Tensor:
    """The codes of examples [N, *X] (uint8, or float in [0, 1]): [N, *Z], float32.

    Deterministic, a posterior's mean; without gradients, on the device of `x`.

    c: what is known of each example, for a conditional model: labels [N] or features [N, C].

    Raises:
        DataError: examples of another shape than the model's, or integers other than uint8.
    """
    codes = in_batches(
        model, x, lambda b, k: model.encode(b, k).z, "embedding", batch_size, context
    )
    return torch.cat(codes).to(x.device)


def reconstruct(
    model: Autoencoder, x: Tensor, context: Tensor | None = None, batch_size: int = BATCH_SIZE
) -> Tensor:
    """What a model makes of examples [N, *X] (uint8, or float in [0, 1]): [N, *X], float32.

    Decoded from the same codes that `embed` gives; without gradients, on the device of `x`.

    Raises:
        DataError: as `embed`.
    """
    images = in_batches(
        model, x, lambda b, k: model.forward(b, k).images, "reconstructing", batch_size, context
    )
    return torch.cat(images).to(x.device)


def decode(
    model: Autoencoder, codes: Tensor, context: Tensor | None = None, batch_size: int = BATCH_SIZE
) -> Tensor:
    """The mean images of codes [N, *Z] or [N, d]: [N, *X], float32, on the device of `codes`."""
    shaped = codes.reshape(-1, *model.sizes.z)
    images = []
    with measuring(model) as device:
        for start in range(0, len(shaped), batch_size):
            z = shaped[start : start + batch_size].to(device)
            known = None if context is None else context[start : start + batch_size].to(device)
            images.append(model.decode(z, known).mean.float())
    return torch.cat(images).to(codes.device)


def in_batches(
    model: Autoencoder,
    x: Tensor,
    measure: Callable[[Tensor, Tensor | None], Found],
    what: str,
    batch_size: int = BATCH_SIZE,
    context: Tensor | None = None,
) -> list[Found]:
    """What `measure` finds in each batch, in order.

    measure: takes a batch [B, *X] of floats in [0, 1] and what is known of it, both on the
        model's device, see `measuring`.
    what: the word beside the progress bar, shown on a terminal after a second.
    batch_size: as `split` takes it.
    """
    found, start = [], 0
    with measuring(model) as device, Bar(what, len(x)) as bar:
        for batch in split(x, batch_size):
            exact = batch.float() if batch.is_floating_point() else batch
            known = None if context is None else context[start : start + len(batch)].to(device)
            found.append(measure(scaled(exact.to(device)), known))
            start += len(batch)
            bar.update(len(batch))
    return found


def split(x: Tensor, batch_size: int) -> tuple[Tensor, ...]:
    """Examples [N, *X] in batches of at most `batch_size`; fewer where examples are large.

    Raises:
        RecipeError: `batch_size` is no positive whole number.
    """
    check_value(batch_size, Annotated[int, Within(1, 10**9)], "batch_size")
    numbers = max(1, math.prod(x.shape[1:]))
    batches: tuple[Tensor, ...] = x.split(max(1, min(batch_size, MAX_VALUES_PER_BATCH // numbers)))  # type: ignore[no-untyped-call]
    return batches


@contextmanager
def measuring(model: Autoencoder) -> Iterator[torch.device]:
    """A model in evaluation mode, without gradients, in full float32; gives the model's device.

    Autocast is off, and so are the products in tf32 and bf16 that a backend may take for float32
    ones. Afterwards every module is in the mode it was in, and the backends are set as before.
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
        with torch.no_grad(), torch.autocast(device.type, enabled=False), maths.exact_products():
            yield device
    finally:
        for backend, precision in precisions:
            backend.fp32_precision = precision
        for module, training in modes:
            module.training = training


@contextmanager
def seeded(seed: int, device: torch.device) -> Iterator[None]:
    """Noise from this seed, on the CPU and on `device`; both random states are then as before."""
    with torch.random.fork_rng(devices=[]):
        # `torch.manual_seed` would reach every device of the machine.
        torch.default_generator.manual_seed(seed)
        if device.type == "cpu":
            yield
            return
        with torch.accelerator.device_index(device.index):
            accelerator = torch.get_device_module(device)
            state = accelerator.get_rng_state()
            accelerator.manual_seed(seed)
            try:
                yield
            finally:
                accelerator.set_rng_state(state)
