"""What is wrong with tensors that are to become the weights of a model."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from torch import Tensor


def misfits(wanted: Mapping[str, Tensor], given: Mapping[str, Tensor]) -> list[str]:
    """A phrase for each tensor that is missing, unknown, or of another shape or type."""
    return [
        *(f"{name} is missing" for name in wanted if name not in given),
        *(f"{name} is unknown" for name in given if name not in wanted),
        *_differences(wanted, given),
    ]


def not_finite(wanted: Mapping[str, Tensor], given: Mapping[str, Tensor]) -> list[str]:
    """A phrase for each tensor with a NaN or an infinity where `wanted` has a finite number.

    Both have the same names and shapes. Masks of a network may hold infinities.
    """
    return [
        f"{name} is not finite"
        for name in wanted
        if bool((wanted[name].isfinite().cpu() & ~given[name].isfinite().cpu()).any())
    ]


def _differences(wanted: Mapping[str, Tensor], given: Mapping[str, Tensor]) -> Iterator[str]:
    for name, ours in wanted.items():
        if (theirs := given.get(name)) is None:
            continue
        if ours.shape != theirs.shape:
            yield f"{name} is {list(theirs.shape)} and not {list(ours.shape)}"
        elif ours.dtype != theirs.dtype:
            types = (str(each.dtype).removeprefix("torch.") for each in (theirs, ours))
            yield f"{name} is {' and not '.join(types)}"
