"""Functions of each number, or of pairs of numbers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from autoencode.explorer.values import (
    Lower,
    Operand,
    Unsupported,
    Value,
    binary,
    is_integer,
    typed_as,
    unary,
    where,
)


def _plain(name: str) -> Lower:
    return lambda out, x: unary(name, x)


def _pair(name: str) -> Lower:
    return lambda out, a, b: binary(name, a, b)


def _test(name: str) -> Lower:
    """A comparison: 1 where it holds and 0 elsewhere."""
    return lambda out, a, b: binary(name, a, b).as_integer()


def _sum(name: str) -> Lower:
    """a + alpha b, or a − alpha b."""

    def lower(out: Tensor, a: Operand, b: Operand | float, alpha: float = 1) -> Value:
        return typed_as(out, binary(name, a, b if alpha == 1 else binary("mul", b, alpha)))

    return lower


def div(out: Tensor, a: Operand, b: Operand | float, rounding_mode: str | None = None) -> Value:
    """a / b, optionally rounded down or towards zero."""
    ratio = binary("div", a, b)
    if rounding_mode is None:
        return ratio
    return typed_as(out, unary("floor" if rounding_mode == "floor" else "trunc", ratio))


def power(out: Tensor, a: Operand | float, b: Operand | float) -> Value:
    """aᵇ."""
    if b == 2 and isinstance(a, Value):
        return typed_as(out, unary("square", a))
    if b == 0.5 and isinstance(a, Value):
        return unary("sqrt", a)
    return typed_as(out, binary("pow", a, b))


def clamp(out: Tensor, x: Operand, min: Any = None, max: Any = None) -> Value:
    """x limited to [min, max]; either limit may be missing."""
    made = x
    if isinstance(min, Value | Tensor) or isinstance(max, Value | Tensor):
        made = made if min is None else binary("max", made, min)
        made = made if max is None else binary("min", made, max)
        return typed_as(out, made)
    given = {name: float(each) for name, each in (("min", min), ("max", max)) if each is not None}
    return typed_as(out, unary("clamp", x, **given))


def leaky_relu(out: Tensor, x: Operand, negative_slope: float = 0.01) -> Value:
    """x, and slope · x where x is negative."""
    return unary("leaky_relu", x, slope=negative_slope)


def elu(
    out: Tensor, x: Operand, alpha: float = 1, scale: float = 1, input_scale: float = 1
) -> Value:
    """scale · x, and scale · alpha (e^(input_scale x) − 1) where x is negative."""
    return unary("elu", x, alpha=alpha, scale=scale, rate=input_scale)


def gelu(out: Tensor, x: Operand, approximate: str = "none") -> Value:
    """x Φ(x), exact or by the tanh approximation."""
    return unary("gelu_tanh" if approximate == "tanh" else "gelu", x)


def softplus(out: Tensor, x: Operand, beta: float = 1, threshold: float = 20) -> Value:
    """ln(1 + e^(beta x)) / beta; x itself where beta x is above the threshold."""
    return unary("softplus", x, beta=beta, threshold=threshold)


def to(out: Tensor, x: Value, *args: Any, **kwargs: Any) -> Value:
    """Convert to another type: integers are truncated, booleans are 0 and 1."""
    if out.dtype is torch.bool:
        return binary("ne", x, 0).as_integer()
    if is_integer(x) or out.is_floating_point():
        return typed_as(out, x)
    return unary("trunc", x).as_integer()


def rounded(out: Tensor, x: Operand, decimals: int = 0) -> Value:
    """Round to the nearest number, halves to even."""
    if decimals == 0:
        return unary("round", x)
    return binary("div", unary("round", binary("mul", x, 10.0**decimals)), 10.0**decimals)


def logical_and(out: Tensor, a: Operand, b: Operand) -> Value:
    """Logical and."""
    return binary("mul", _truth(out, a), _truth(out, b)).as_integer()


def logical_or(out: Tensor, a: Operand, b: Operand) -> Value:
    """Logical or."""
    return binary("max", _truth(out, a), _truth(out, b)).as_integer()


def logical_not(out: Tensor, x: Operand) -> Value:
    """Logical not."""
    return binary("eq", _truth(out, x), 0).as_integer()


def _truth(out: Tensor, x: Operand) -> Value:
    if out.dtype is not torch.bool:
        raise Unsupported("A network uses bitwise operators on integers", "Use arithmetic.")
    return binary("ne", x, 0)


_PLAIN = (
    "relu silu tanh sigmoid log_sigmoid exp expm1 log log2 log1p sqrt rsqrt reciprocal abs sign "
    "neg floor ceil trunc erf sin cos atan"
)
POINTWISE: Mapping[str, Lower] = {
    **{name: _plain(name) for name in _PLAIN.split()},
    **{name: _pair(name) for name in ("logaddexp", "atan2")},
    **{name: _test(name) for name in ("gt", "ge", "lt", "le", "eq", "ne")},
    "maximum": _pair("max"),
    "minimum": _pair("min"),
    **dict.fromkeys(("logical_and", "bitwise_and"), logical_and),
    **dict.fromkeys(("logical_or", "bitwise_or"), logical_or),
    **dict.fromkeys(("logical_not", "bitwise_not"), logical_not),
    "add": _sum("add"),
    "sub": _sum("sub"),
    "mul": lambda out, a, b: typed_as(out, binary("mul", a, b)),
    "div": div,
    "remainder": lambda out, a, b: typed_as(out, binary("remainder", a, b)),
    "pow": power,
    "clamp": clamp,
    "hardtanh": lambda out, x, low=-1, high=1: clamp(out, x, low, high),
    "leaky_relu": leaky_relu,
    "elu": elu,
    "gelu": gelu,
    "softplus": softplus,
    "round": rounded,
    "where": lambda out, condition, a, b: typed_as(out, where(condition, a, b)),
    "_to_copy": to,
}
