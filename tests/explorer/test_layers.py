"""Layers computed by the page, against PyTorch."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

pytestmark = pytest.mark.long


def seeded(make):
    """A module in evaluation mode with random parameters and buffers."""
    torch.manual_seed(0)
    module = make().eval()
    with torch.no_grad():
        for tensor in module.state_dict().values():
            if tensor.is_floating_point():
                tensor.uniform_(0.2, 1.2).sub_(0.5 * (tensor.dim() > 1))
    return module


LAYERS = {
    "conv": lambda: nn.Conv2d(3, 5, 3),
    "conv with stride and padding": lambda: nn.Conv2d(3, 4, 3, stride=2, padding=1, bias=False),
    "conv of uneven sides": lambda: nn.Conv2d(3, 2, (2, 3), (1, 2), (0, 2)),
    "conv with dilation": lambda: nn.Conv2d(3, 4, 2, dilation=(2, 3), padding=2),
    "conv in groups": lambda: nn.Conv2d(3, 6, 3, groups=3, padding=1),
    "conv of one pixel": lambda: nn.Conv2d(3, 9, 1),
    "conv, same": lambda: nn.Conv2d(3, 4, 3, padding="same"),
    "conv, same, even kernel": lambda: nn.Conv2d(3, 4, (2, 4), padding="same"),
    "conv, valid": lambda: nn.Conv2d(3, 4, 3, padding="valid"),
    "conv, reflecting": lambda: nn.Conv2d(3, 4, 3, padding=1, padding_mode="reflect"),
    "conv, around": lambda: nn.Conv2d(3, 4, 3, padding=1, padding_mode="circular"),
    "conv past the borders": lambda: nn.Conv2d(3, 2, 3, padding=4, stride=3),
    "transposed": lambda: nn.ConvTranspose2d(3, 5, 3),
    "transposed with stride": lambda: nn.ConvTranspose2d(3, 4, 3, 2, 1, 1, bias=False),
    "transposed of four": lambda: nn.ConvTranspose2d(3, 2, 4, 2, 1),
    "transposed of uneven sides": lambda: nn.ConvTranspose2d(3, 2, (2, 3), (3, 1), (1, 0), (2, 0)),
    "transposed with dilation": lambda: nn.ConvTranspose2d(3, 2, 3, 2, dilation=2),
    "transposed in groups": lambda: nn.ConvTranspose2d(3, 6, 3, 2, groups=3),
    "batch norm": lambda: nn.BatchNorm2d(3),
    "batch norm without weights": lambda: nn.BatchNorm2d(3, affine=False),
    "conv, batch norm": lambda: nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)),
    "conv without bias, batch norm": lambda: nn.Sequential(
        nn.Conv2d(3, 4, 3, bias=False), nn.BatchNorm2d(4)
    ),
    "conv in groups, batch norm": lambda: nn.Sequential(
        nn.Conv2d(3, 6, 3, groups=3), nn.BatchNorm2d(6)
    ),
    "transposed, batch norm": lambda: nn.Sequential(nn.ConvTranspose2d(3, 4, 3), nn.BatchNorm2d(4)),
    "transposed in groups, batch norm": lambda: nn.Sequential(
        nn.ConvTranspose2d(3, 6, 3, groups=3), nn.BatchNorm2d(6)
    ),
    "linear, batch norm": lambda: nn.Sequential(
        nn.Flatten(), nn.Linear(48, 7), nn.BatchNorm1d(7), nn.Linear(7, 2)
    ),
    "linear of rows": lambda: nn.Linear(4, 6),
    "linear without bias": lambda: nn.Linear(4, 3, bias=False),
    "layer norm": lambda: nn.LayerNorm((4, 4)),
    "layer norm without weights": lambda: nn.LayerNorm(4, elementwise_affine=False),
    "group norm": lambda: nn.Sequential(nn.Conv2d(3, 4, 1), nn.GroupNorm(2, 4)),
    "instance norm": lambda: nn.InstanceNorm2d(3, affine=True),
    "instance norm of running statistics": lambda: nn.InstanceNorm2d(3, track_running_stats=True),
    "rms norm": lambda: nn.RMSNorm(4),
    "max pool": lambda: nn.MaxPool2d(2),
    "max pool with padding": lambda: nn.MaxPool2d(3, 2, 1),
    "max pool with dilation": lambda: nn.MaxPool2d(2, 1, dilation=2),
    "max pool, upwards": lambda: nn.MaxPool2d(3, 2, ceil_mode=True),
    "mean pool": lambda: nn.AvgPool2d(2),
    "mean pool with padding": lambda: nn.AvgPool2d(3, 2, 1),
    "mean pool without the padding": lambda: nn.AvgPool2d(3, 2, 1, count_include_pad=False),
    "mean pool, upwards": lambda: nn.AvgPool2d(3, 2, 1, ceil_mode=True),
    "mean of all": lambda: nn.AdaptiveAvgPool2d(1),
    "means of other windows": lambda: nn.AdaptiveAvgPool2d((3, 2)),
    "prelu of channels": lambda: nn.PReLU(3),
    "upsample": lambda: nn.Upsample(scale_factor=3),
    "channels dropped": lambda: nn.Dropout2d(0.5),
    "identity": lambda: nn.Identity(),
}
ROWS = {
    "conv of a row": lambda: nn.Conv1d(3, 4, 3, stride=2, padding=1),
    "conv of a row, batch norm": lambda: nn.Sequential(nn.Conv1d(3, 4, 3), nn.BatchNorm1d(4)),
    "conv of a row, same": lambda: nn.Conv1d(3, 4, 4, padding="same"),
    "transposed of a row": lambda: nn.ConvTranspose1d(3, 4, 3, 2, 1, 1),
    "max pool of a row": lambda: nn.MaxPool1d(2),
    "mean pool of a row": lambda: nn.AvgPool1d(3, 1, 1),
    "attention of many heads": lambda: Attention(),
}
PRODUCTS = {
    "matrix product": lambda x: x @ x.mT @ torch.arange(8.0).reshape(4, 2),
    "matrix product, broadcast": lambda x: torch.arange(8.0).reshape(1, 1, 2, 4) @ x @ x[:, :1].mT,
    "batched product": lambda x: torch.bmm(x[0], x[0].mT),
    "product with a vector": lambda x: x @ torch.arange(4.0),
    "attention": lambda x: F.scaled_dot_product_attention(x, x.sin(), x.cos()),
    "attention with a mask": lambda x: F.scaled_dot_product_attention(
        x, x, x, torch.ones(4, 4, dtype=torch.bool).tril()
    ),
    "causal attention": lambda x: F.scaled_dot_product_attention(x, x, x, is_causal=True),
    "autocast": lambda x: without_autocast(x),
    "no gradients": lambda x: without_gradients(x),
}
REWRITTEN = {
    "in place": lambda: nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(inplace=True)),
    "assignment": lambda: Assigned(),
    "einsum": lambda: Einsum(),
    "norm of weights": lambda: nn.utils.parametrizations.weight_norm(nn.Linear(4, 5)),
    "spectral norm": lambda: nn.utils.parametrizations.spectral_norm(nn.Linear(4, 5)),
}


class Attention(nn.Module):
    def __init__(self):
        super().__init__()
        self.inner = nn.MultiheadAttention(8, 2, batch_first=True)

    def forward(self, x):
        return self.inner(x, x, x)[0]


class Assigned(nn.Module):
    def forward(self, x):
        y = x.clone()
        y[:, 0] = 0.5
        y += x
        return y


class Einsum(nn.Module):
    def forward(self, x):
        return torch.einsum("bcij,bcik->bjk", x, x)


def without_autocast(x):
    with torch.autocast("cpu", enabled=False):
        return x * 2


def without_gradients(x):
    with torch.no_grad():
        return x * 2 + x.detach()


@pytest.fixture(scope="module")
def found(compare_together, compare):
    torch.manual_seed(0)
    image, row = torch.randn(1, 3, 4, 4), torch.randn(1, 3, 8)
    layers = {name: seeded(make) for name, make in LAYERS.items()}
    rows = {name: seeded(make) for name, make in ROWS.items()}
    alone = {name: seeded(make) for name, make in REWRITTEN.items()}
    images = compare_together({**layers, **PRODUCTS}, image)
    return {**images, **compare_together(rows, row), **compare(alone, image)}


@pytest.mark.parametrize("name", [*LAYERS, *PRODUCTS, *ROWS, *REWRITTEN])
def test_layers(found, name):
    torch.testing.assert_close(*found[name], rtol=1e-5, atol=1e-5)
