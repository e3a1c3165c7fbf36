"""Functions of each number computed by the page, against PyTorch."""

import pytest
import torch
from torch import nn

pytestmark = pytest.mark.long

ACTIVATIONS = {
    "relu": nn.ReLU(),
    "leaky relu": nn.LeakyReLU(0.2),
    "silu": nn.SiLU(),
    "tanh": nn.Tanh(),
    "sigmoid": nn.Sigmoid(),
    "log sigmoid": nn.LogSigmoid(),
    "softplus": nn.Softplus(),
    "softplus, sharp": nn.Softplus(3.0, 1.0),
    "softsign": nn.Softsign(),
    "gelu": nn.GELU(),
    "gelu by tanh": nn.GELU("tanh"),
    "elu": nn.ELU(1.5),
    "selu": nn.SELU(),
    "celu": nn.CELU(0.7),
    "hardtanh": nn.Hardtanh(-0.4, 0.8),
    "relu6": nn.ReLU6(),
    "hardsigmoid": nn.Hardsigmoid(),
    "hardswish": nn.Hardswish(),
    "mish": nn.Mish(),
    "threshold": nn.Threshold(0.3, -1.0),
    "prelu": nn.PReLU(),
    "glu": nn.GLU(),
    "dropout": nn.Dropout(0.5),
    "softmax": nn.Softmax(-1),
    "softmax along channels": nn.Softmax(1),
    "log softmax": nn.LogSoftmax(1),
}
FUNCTIONS = {
    "exp, log": lambda x: (x.exp() + 1).log(),
    "log1p, expm1": lambda x: x.abs().log1p() + x.expm1(),
    "log2": lambda x: x.abs().add(0.1).log2(),
    "square, sqrt, rsqrt": lambda x: (x.square() + 1).sqrt() + (x.square() + 1).rsqrt(),
    "reciprocal": lambda x: (x.abs() + 0.5).reciprocal(),
    "abs, sign, neg": lambda x: x.abs() - x.sign() + -x,
    "floor, ceil, trunc": lambda x: (3 * x).floor() + (5 * x).ceil() * (7 * x).trunc(),
    "round to even": lambda x: (x * 8).round() / 2 + torch.round((x * 4).round() / 2),
    "round to decimals": lambda x: x.round(decimals=1),
    "sin, cos, atan": lambda x: x.sin() * x.cos() + x.atan(),
    "erf": lambda x: (x * 3).erf(),
    "powers": lambda x: x**2 + x**3 + (x.abs() + 0.1) ** -0.7 + 2**x + x.abs() ** 0.5,
    "clamp": lambda x: x.clamp(-0.5, 0.7) + x.clamp(min=0.1) * x.clamp(max=0.2),
    "clamp by tensors": lambda x: x.clamp(min=torch.full((4,), -0.2), max=x.square()),
    "arithmetic": lambda x: 2 - x * 3 + (x + 1.5) / 4 - 1 / (x.square() + 1),
    "add with a factor": lambda x: torch.add(x, x.sin(), alpha=2) - torch.sub(x, 1, alpha=0.5),
    "rsub with a factor": lambda x: torch.rsub(x, x.cos(), alpha=0.5),
    "addcmul, addcdiv": lambda x: (
        torch.addcmul(x, x, x, value=0.5) + torch.addcdiv(x, x, x.square() + 1)
    ),
    "lerp": lambda x: torch.lerp(x, x.square(), 0.3),
    "floor division": lambda x: (x * 9) // 2 + torch.div(x * 9, 2, rounding_mode="trunc"),
    "remainder": lambda x: (x * 9) % 2 + (x * 9) % -2.5,
    "maximum, minimum": lambda x: torch.maximum(x, x.square()) - torch.minimum(x, -x),
    "logaddexp, atan2": lambda x: torch.logaddexp(x, x.square()) + torch.atan2(x, x.cos()),
    "comparisons": lambda x: (
        (x > 0).float() + 2 * (x >= 0.1) + 4 * (x < 0.2) + 8 * (x <= 0) + 16 * (x == x) + (x != 0)
    ),
    "where": lambda x: torch.where(x > 0.1, x, 2.0) + torch.where(x[:, :1] > 0, 1.0, x),
    "masked fill": lambda x: x.masked_fill(x > 0.3, -1.0),
    "logical": lambda x: (((x > 0) & (x < 1)) | ~(x > -0.5)).float(),
    "to whole numbers": lambda x: (x * 5).long().float() + (x > 0).to(torch.int64) * 2,
    "whole numbers": lambda x: ((x * 50).int() // 7 + (x * 50).int() % 7).float(),
    "broadcasting": lambda x: x * x[:, :1] + x[:, :, :1] - x.mean((1, 2, 3)) + torch.arange(4.0),
    "broadcast tensors": lambda x: torch.broadcast_tensors(x[:, :, :1], x[..., :1])[0],
    "constant folding": lambda x: x * torch.linspace(0, 1, 4).exp().outer(torch.ones(4)).sum(0),
}
ALL = {**ACTIVATIONS, **FUNCTIONS}


@pytest.fixture(scope="module")
def found(compare_together):
    torch.manual_seed(0)
    return compare_together(ALL, torch.randn(1, 3, 4, 4))


@pytest.mark.parametrize("name", ALL)
def test_functions(found, name):
    torch.testing.assert_close(*found[name], rtol=1e-5, atol=1e-5)
