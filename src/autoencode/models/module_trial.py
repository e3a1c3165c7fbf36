"""Finds out how a user's module encodes and decodes, by calling it on a few examples."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributions import Distribution

from autoencode.errors import AutoencodeError, is_out_of_memory
from autoencode.models.module_calls import (
    SPREADS,
    ConstantNoise,
    Reading,
    named_outputs,
    parameter_of,
    undisturbed,
)
from autoencode.models.module_refusals import (
    cannot_decode,
    cannot_encode,
    forward_fails,
    no_codes,
    no_halves,
    not_finite,
    other_size,
    uninitialised,
    without_weights,
)
from autoencode.models.seeding import seeded
from autoencode.models.understanding import ACTIVATIONS, Understanding

# Examples that are tried: more than the channels of an image, so that no layer takes the batch for
# the channels of one image.
TRIED = 5
# Relative difference up to which two results are the same.
TOLERANCE = 1e-3


def understand(module: nn.Module, x: Tensor, bounded: bool = True) -> Understanding:
    """Finds out how a module encodes and decodes examples [N, *X], floats.

    bounded: the examples are in [0, 1].   The module is not changed.

    Raises:
        AutoencodeError: it has no encoder or decoder, they fail or do not fit the examples, or
            their values are not finite.
    """
    like = _parameter(module)
    rows = torch.arange(max(TRIED, min(len(x), TRIED))) % len(x)
    tried = x[rows].detach().to(like.device, like.dtype)
    with undisturbed(module), torch.no_grad(), seeded(0, like.device):
        return _Trial(module, tried, bounded).understanding()


def understand_decoder(module: nn.Module) -> Understanding:
    """Finds out how a module decodes, without examples.

    It tries codes of two dimensions, then of the widths of the layers.

    Raises:
        AutoencodeError: it has no decoder, or none of these codes can be decoded.
    """
    like = _parameter(module)
    names = _names(module, "decode", "decoder", "dec")
    if not names:
        raise no_halves(module, "decoder")
    widths = [p.shape[axis] for p in module.parameters() if p.dim() > 1 for axis in (1, 0)]
    error: Exception | None = None
    with undisturbed(module), torch.no_grad(), seeded(0, like.device):
        for width in dict.fromkeys([2, *widths]):
            z = like.new_zeros(TRIED, width)
            for name in names:
                y = _attempt(module, name, z)
                if isinstance(y, Exception):
                    error = error or y
                elif isinstance(y, Tensor) and y.dim() > 1 and len(y) == TRIED:
                    shape = _drawn(tuple(y.shape[1:]))
                    return Understanding(
                        type(module).__name__, shape, (width,), shape, "", name, Reading()
                    )
    raise cannot_decode(module, names[0], (2,), error)


def same(a: Tensor, b: Tensor) -> bool:
    """Whether two results are equal up to rounding."""
    a, b = a.double().flatten(), b.double().flatten()
    return a.shape == b.shape and bool((a - b).norm() <= TOLERANCE * b.norm() + 1e-9)


class _Trial:
    """The search for the way in which a module encodes and decodes the examples x [N, *X]."""

    def __init__(self, module: nn.Module, x: Tensor, bounded: bool) -> None:
        self.module, self.x, self.bounded = module, x, bounded
        self.name = type(module).__name__
        self.encoders = _names(module, "encode", "encoder", "enc")
        self.decoders = _names(module, "decode", "decoder", "dec")
        # The errors of each half with the shape of its input, and images of another size.
        self.errors: dict[str, list[tuple[str, tuple[int, ...], Exception]]] = {}
        self.other: tuple[str, tuple[int, ...]] | None = None

    def understanding(self) -> Understanding:
        for half, names in (("encoder", self.encoders), ("decoder", self.decoders)):
            if not names and not (half == "encoder" and _has_forward(self.module)):
                raise no_halves(self.module, half)
        layouts = _layouts(tuple(self.x.shape[1:]))
        best: Understanding | None = None
        for found in self._candidates(layouts, [*self.encoders, "forward"]):
            forward, images = self._forward(found, layouts)
            if images is None:
                return self._checked(self._with_spread(replace(found, forward=forward)))
            for activation in ACTIVATIONS:
                each = replace(found, activation=activation, forward=forward)
                if same(self._images(each), images):
                    return self._checked(self._with_spread(each))
            if best is None:
                notice = (
                    f"The images of forward differ from those of {found.decode} of the codes of "
                    f"{found.encode}, which are used here."
                )
                best = replace(found, forward=forward, notices=(notice,))
        if best is None:
            raise self._refusal(layouts)
        return self._checked(self._with_spread(best))

    def _candidates(
        self, layouts: Sequence[tuple[int, ...]], encoders: Sequence[str]
    ) -> Iterator[Understanding]:
        """Ways to encode and decode that give examples of the right size."""
        for encode in encoders:
            for layout in layouts:
                output = _attempt(self.module, encode, self.x.reshape(-1, *layout))
                if isinstance(output, Exception):
                    self.errors.setdefault("encoder", []).append((encode, layout, output))
                    continue
                for reading in self._readings(output, layout, encode):
                    z, spread = reading(output)
                    for decode in self.decoders:
                        found = self._decoding(decode, z)
                        if found is not None:
                            yield Understanding(
                                self.name,
                                _drawn(found[1]) if len(self.x.shape) == 2 else self._shape(),
                                tuple(z.shape[1:]),
                                layout,
                                encode,
                                decode,
                                reading,
                                found[0],
                                **self._randomness(encode, layout, reading, spread),
                            )

    def _shape(self) -> tuple[int, ...]:
        return _drawn(tuple(self.x.shape[1:]))

    def _readings(self, output: Any, layout: tuple[int, ...], encode: str) -> Iterator[Reading]:
        """Where the code may be in the output of an encoder."""
        n = len(self.x)
        if isinstance(output, Distribution):
            yield Reading()
        elif isinstance(output, Tensor):
            if output.dim() > 1 and len(output) == n:
                yield Reading()
                if output.shape[1] % 2 == 0:
                    yield Reading(halves=True)
        else:
            items = {
                key: value
                for key, value in named_outputs(output).items()
                if isinstance(value, Tensor) and value.dim() > 1 and len(value) == n
            }
            # A sampled code changes with the noise; mean and spread do not.
            again = _attempt(self.module, encode, self.x.reshape(-1, *layout), 1.0)
            moved = [key for key, v in items.items() if not same(named_outputs(again)[key], v)]
            still = [key for key in items if key not in moved]
            for sampled in moved:
                yield Reading(sampled)
            for mean in still:
                after = still[still.index(mean) + 1 :]
                alike = [k for k in after if items[k].shape == items[mean].shape]
                yield Reading(mean, alike[0] if alike else None)

    def _decoding(self, decode: str, z: Tensor) -> tuple[int | str | None, tuple[int, ...]] | None:
        """Where the images are in the output of a decoder, and their shape; None if it fails."""
        output = _attempt(self.module, decode, z)
        if isinstance(output, Exception):
            self.errors.setdefault("decoder", []).append((decode, tuple(z.shape[1:]), output))
            return None
        for key, y in named_outputs(output).items():
            if isinstance(y, Tensor) and y.dim() > 1 and len(y) == len(self.x):
                if y[0].numel() == self.x[0].numel():
                    return (None if y is output else key), tuple(y.shape[1:])
                self.other = self.other or (decode, tuple(y.shape[1:]))
        return None

    def _randomness(
        self, encode: str, layout: tuple[int, ...], reading: Reading, spread: Tensor | None
    ) -> dict[str, Any]:
        """Whether codes are random, and how their mean and spread are found."""
        x = self.x.reshape(-1, *layout)

        def mean(k: float, seed: int = 0) -> Tensor:
            return reading(_attempt(self.module, encode, x, k, seed))[0]

        first, again, one, two = mean(0), mean(0, seed=1), mean(1), mean(2)
        if not same(first, again):
            return {"noise": "seeded"}
        if not same(first, one):
            step = one - first
            normal = same(two - one, step) and bool((step.abs() > 0).all())
            return {"noise": "replaced", "spread": "noise" if normal else ""}
        if isinstance(spread, Tensor):
            exact = reading == Reading()
            return {"spread": "standard deviation" if exact else "log-variance"}
        return {}

    def _images(self, found: Understanding, k: float | None = None) -> Tensor:
        """The images of decoded means; with `k`, of codes μ + k σ."""
        _seed(self.x.device, 0)
        z, spread = found.encoded(self.module, self.x)
        if k is not None:
            z = z + k * (0.5 * found.log_variance(self.module, self.x, z, spread)).exp()
        return found.decoded(self.module, z).reshape(self.x.shape)

    def _with_spread(self, found: Understanding) -> Understanding:
        """Decides between variance, deviation and their logarithms by what the module samples."""
        if found.spread in ("", "noise") or found.reading == Reading():
            return found
        # Many sample in training mode only; layers of torch, such as dropout, stay as they are.
        own = [m for m in self.module.modules() if not type(m).__module__.startswith("torch.nn")]
        for modules in ([], own):
            for each in modules:
                each.training = True
            clean, noisy = (self._forward(found, [found.layout], k)[1] for k in (0, 1))
            for each in modules:
                each.training = False
            if clean is None or noisy is None or same(noisy, clean):
                continue
            for name in SPREADS:
                tried = replace(found, spread=name)
                if same(self._images(tried, 1.0), noisy):
                    return replace(tried, forward=found.forward.replace(found.spread, name))
        if _has_forward(self.module):
            notice = "forward draws no codes with the second output as σ: there is no posterior."
            return replace(found, spread="", notices=(*found.notices, notice))
        notice = f"What gives σ cannot be tried: it is taken as the {found.spread}."
        return replace(found, notices=(*found.notices, notice))

    def _forward(
        self, found: Understanding, layouts: Sequence[tuple[int, ...]], k: float = 0.0
    ) -> tuple[str, Tensor | None]:
        """What `forward` returns, in words, and its images; None without a `forward`.

        Raises:
            AutoencodeError: it fails.
        """
        if not _has_forward(self.module):
            return "", None
        error: Any = None
        for layout in dict.fromkeys([tuple(self.x.shape[1:]), found.layout, *layouts]):
            output = _attempt(self.module, "forward", self.x.reshape(-1, *layout), k)
            if not isinstance(output, Exception):
                return self._named(output, found)
            error = error if layout != found.layout else output
            error = error or output
        raise forward_fails(self.module, error)

    def _named(self, output: Any, found: Understanding) -> tuple[str, Tensor | None]:
        """The outputs of `forward` in words, and its images."""
        z, spread = found.encoded(self.module, self.x)
        items = named_outputs(output)
        size = self.x.numel()
        pixels = {key: v for key, v in items.items() if isinstance(v, Tensor) and v.numel() == size}
        # Some return their input too.
        made = {key: v for key, v in pixels.items() if not same(v, self.x)} or pixels
        image = next(iter(made), None)
        words = []
        for key, v in items.items():
            if key == image:
                words.append("images")
            elif key in pixels and same(pixels[key], self.x):
                words.append("its input")
            elif isinstance(v, Tensor) and same(v, z):
                words.append("mean" if found.spread and "mean" not in words else "codes")
            elif isinstance(v, Tensor) and spread is not None and same(v, spread):
                words.append("spread" if found.spread == "noise" else "log-variance")
            elif isinstance(v, Tensor) and v.dim():
                words.append(f"[{', '.join(['N', *map(str, v.shape[1:])])}]")
            else:
                words.append("a number" if isinstance(v, Tensor) else type(v).__name__)
        text = words[0] if output is items.get(0) else f"({', '.join(words)})"
        return text, None if image is None else made[image].reshape(self.x.shape)

    def _checked(self, found: Understanding) -> Understanding:
        """With the values of the images and what may be wrong.

        Raises:
            AutoencodeError: values are not finite.
        """
        z, _ = found.encoded(self.module, self.x)
        y = found.decoded(self.module, z)
        for name, values in ((found.encode, z), (found.decode, y)):
            if not bool(values.isfinite().all()):
                raise not_finite(self.module, name)
        notices = [*found.notices]
        low, high = y.min().item(), y.max().item()
        if self.bounded and (low < -TOLERANCE or high > 1 + TOLERANCE):
            notices.append("Values outside [0, 1] are cut off in pictures.")
        alone, _ = found.encoded(self.module, self.x[:2])
        if found.noise != "seeded" and not same(alone, z[:2]):
            notices.append("The code of an example depends on the other examples of its batch.")
        if not _has_forward(self.module):
            notices.append(f"It has no forward: images are {found.decode} of {found.encode}.")
        return replace(found, low=low, high=high, notices=tuple(notices))

    def _refusal(self, layouts: Sequence[tuple[int, ...]]) -> AutoencodeError:
        shape = tuple(self.x.shape[1:])
        if self.other is not None:
            return other_size(self.module, *self.other, _drawn(shape))
        if "decoder" in self.errors:
            return cannot_decode(self.module, *self.errors["decoder"][0])
        if "encoder" not in self.errors:
            return no_codes(self.module, self.encoders[0])
        return cannot_encode(self.module, self.errors["encoder"], shape)


def _parameter(module: nn.Module) -> Tensor:
    """A parameter; inputs get its device and precision.

    Raises:
        AutoencodeError: there is none, or one is not initialised.
    """
    if any(isinstance(p, nn.parameter.UninitializedParameter) for p in module.parameters()):
        raise uninitialised(module)
    like = parameter_of(module)
    if like is None:
        raise without_weights(module)
    return like


def _names(module: nn.Module, method: str, attribute: str, start: str) -> list[str]:
    """Attributes that may encode or decode: the method first, then the submodule, then others."""
    found = [name for name in dir(module) if name.lower().lstrip("_").startswith(start)]
    order = [method, attribute, *sorted(found)]
    return [name for name in dict.fromkeys(order) if callable(getattr(module, name, None))]


def _has_forward(module: nn.Module) -> bool:
    if isinstance(module, torch.jit.ScriptModule):
        return hasattr(module, "forward")
    return type(module).forward is not nn.Module.forward


def _layouts(shape: tuple[int, ...]) -> list[tuple[int, ...]]:
    """The shapes in which a module may take an example: as it is, with a channel, flat."""
    image = (1, *shape) if len(shape) == 2 else shape
    found = [shape, image, (math.prod(shape),)]
    if len(shape) == 3 and shape[0] == 1:
        found.append(shape[1:])
    if len(shape) == 1 and (side := math.isqrt(shape[0])) ** 2 == shape[0]:
        found += [(1, side, side), (side, side)]
    return list(dict.fromkeys(found))


def _drawn(shape: tuple[int, ...]) -> tuple[int, ...]:
    """The shape in which an example is drawn: grey images have no channel."""
    return shape[1:] if len(shape) == 3 and shape[0] == 1 else shape


def _attempt(module: nn.Module, name: str, x: Tensor, k: float = 0.0, seed: int = 0) -> Any:
    """The result of a call, or the exception that it raised; `k` as of `ConstantNoise`."""
    _seed(x.device, seed)
    try:
        with ConstantNoise(k):
            return getattr(module, name)(x)
    except Exception as error:
        if is_out_of_memory(error):
            raise
        return error


def _seed(device: torch.device, seed: int) -> None:
    """Seeds inside of `seeded`."""
    torch.default_generator.manual_seed(seed)
    if device.type != "cpu":
        torch.get_device_module(device).manual_seed(seed)
