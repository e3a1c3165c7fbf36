"""The examples of each part brought together in memory: once, and where they lie if it can be."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from autoencode.data.arrays import BLOCK, Change
from autoencode.data.read.resize import all_resized
from autoencode.data.split.binarisation import beside, put
from autoencode.io.memory import claim
from autoencode.io.progress import Bar


@dataclass(frozen=True)
class Form:
    """What examples [N, ...] become: values as `change` says, and images of one size.

    shape: of one example, afterwards.
    """

    change: Change
    shape: tuple[int, ...]

    def __call__(self, x: np.ndarray) -> np.ndarray:
        """Some examples in their new form."""
        changed = self.change(x)
        same = changed.shape[1:] == self.shape
        return changed if same else all_resized(changed, (self.shape[-2], self.shape[-1]))

    @property
    def dtype(self) -> np.dtype:
        """Of the numbers, afterwards."""
        return self.change.dtype

    @property
    def size(self) -> int:
        """Bytes of one example, afterwards."""
        return math.prod(self.shape) * self.dtype.itemsize


@dataclass(frozen=True)
class Share:
    """Which examples of an array are those of a part: positions, ascending, or None for all."""

    x: np.ndarray
    rows: np.ndarray | None

    def __len__(self) -> int:
        return len(self.x if self.rows is None else self.rows)

    def __getitem__(self, block: slice) -> np.ndarray:
        """Some of the examples as they came."""
        return self.x[block if self.rows is None else self.rows[block]]

    def between(self, start: int, end: int) -> slice:
        """Which of the examples lie between two positions of the array."""
        if self.rows is None:
            return slice(start, end)
        first, last = np.searchsorted(self.rows, (start, end))
        return slice(int(first), int(last))


class Rows(Protocol):
    """Where examples are put one after the other."""

    def add(self, examples: np.ndarray) -> None:
        """Puts examples [n, ...] behind those that are there."""

    def done(self) -> np.ndarray:
        """All that were put there, [N, ...]."""

    def close(self) -> None:
        """Ends the writing, done or not."""


class Keep(Protocol):
    """Where the parts of a data set stay: in memory, or in files."""

    def rows(self, n: int, shape: tuple[int, ...], dtype: np.dtype, what: str, fix: str) -> Rows:
        """Room for n examples; `what` and `fix` are told when there is none."""

    def gather(self, shares: Mapping[str, Share], form: Form) -> dict[str, Tensor]:
        """The examples of each part, changed: [N, *X]."""

    def replace(self, part: str, x: Tensor, pieces: Iterable[Tensor]) -> Tensor:
        """The pieces, uint8, one after the other, in the place of the x of a part."""


class Filled:
    """Examples in an array that was made large enough."""

    def __init__(self, x: np.ndarray) -> None:
        self.x, self.n = x, 0

    def add(self, examples: np.ndarray) -> None:
        """Puts examples [n, ...] behind those that are there."""
        self.x[self.n : self.n + len(examples)] = examples
        self.n += len(examples)

    def done(self) -> np.ndarray:
        """All that were put there, [N, ...]."""
        return self.x[: self.n]

    def close(self) -> None:
        """Nothing is open."""


class Memory:
    """Keeps the parts in memory.

    owned: the arrays may be written over, as nobody else has them.
    """

    def __init__(self, owned: bool) -> None:
        self.owned = owned

    def rows(self, n: int, shape: tuple[int, ...], dtype: np.dtype, what: str, fix: str) -> Filled:
        """Room for so many examples.

        Raises:
            TooLarge: there is too little memory.
        """
        claim(n * math.prod(shape) * dtype.itemsize, what, fix)
        return Filled(np.empty((n, *shape), dtype))

    def gather(self, shares: Mapping[str, Share], form: Form) -> dict[str, Tensor]:
        """The examples of each part, changed: [N, *X].

        Where they take no more room than before, they stay in the memory that they are in: only
        the smaller parts, a fifth or so, are ever there twice.

        Raises:
            TooLarge: they need memory of their own, and there is too little.
        """
        with Bar("preparing", sum(map(len, shares.values()))) as bar:
            found: dict[str, Tensor] = {}
            for x in {id(share.x): share.x for share in shares.values()}.values():
                ours = {part: share for part, share in shares.items() if share.x is x}
                room = _room(x, form) if self.owned else None
                if room is not None:
                    found |= _moved_up(ours, form, room, bar)
                    continue
                needed = sum(map(len, ours.values())) * form.size
                claim(needed, f"The data as {form.dtype}", "Give fewer examples, or uint8.")
                found |= {part: _copied(share, form, bar) for part, share in ours.items()}
        return {part: found[part] for part in shares}

    def replace(self, part: str, x: Tensor, pieces: Iterable[Tensor]) -> Tensor:
        """The pieces, uint8, one after the other, in the place of x."""
        return put(x, pieces) if x.dtype == torch.uint8 else beside(x, pieces)


def _copied(share: Share, form: Form, bar: Bar) -> Tensor:
    return torch.from_numpy(
        _into(np.empty((len(share), *form.shape), form.dtype), share, form, bar)
    )


def _moved_up(
    shares: Mapping[str, Share], form: Form, room: np.ndarray, bar: Bar
) -> dict[str, Tensor]:
    """The parts of one array one behind the other in its own memory, the largest first.

    Positions ascend, so an example is written to where it lay, or to where one lay that is read
    already.
    """
    first, *others = sorted(shares, key=lambda part: -len(shares[part]))
    aside = {part: _copied(shares[part], form, bar) for part in others}
    end = len(shares[first])
    found = {first: torch.from_numpy(_into(room[:end], shares[first], form, bar))}
    for part, x in aside.items():
        found[part] = torch.from_numpy(room[end : end + len(x)])
        found[part].copy_(x)
        end += len(x)
    return found


def _into(out: np.ndarray, share: Share, form: Form, bar: Bar) -> np.ndarray:
    step = at_once(share.x, form)
    for start in range(0, len(out), step):
        block = out[start : start + step]
        block[...] = form(share[start : start + step])
        bar.update(len(block))
    return out


def _room(x: np.ndarray, form: Form) -> np.ndarray | None:
    """The memory of x as examples in their new form, where it is as large and lies in order."""
    lies = np.moveaxis(x, 1, -1) if x.ndim == 4 and not x.flags.c_contiguous else x
    fits = math.prod(x.shape[1:]) * x.itemsize == form.size
    if not (fits and lies.flags.c_contiguous and lies.flags.writeable):
        return None
    content = lies.reshape(-1).view(np.uint8)
    if content.ctypes.data % form.dtype.alignment:
        return None
    return content.view(form.dtype).reshape(len(x), *form.shape)


def at_once(x: np.ndarray, form: Form) -> int:
    """How many examples to change in one go."""
    return max(1, BLOCK // max(1, math.prod(x.shape[1:]), math.prod(form.shape)))
