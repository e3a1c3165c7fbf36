"""Reductions and selections computed by the page, against PyTorch."""

import pytest
import torch
from torch.nn import functional as F

pytestmark = pytest.mark.long


def joined(*tensors):
    return torch.cat([tensor.flatten() for tensor in tensors])


CHOICES = {
    "sums": lambda x: joined(x.sum(), x.sum(1), x.sum((2, 3), keepdim=True), x.sum(-1)),
    "means": lambda x: joined(x.mean((1, 3)), x.mean(-2), x.mean()),
    "products": lambda x: x.prod(2),
    "largest, smallest": lambda x: joined(x.amax((1, 2)), x.amin(3), x.max(), x.min()),
    "largest with its place": lambda x: joined(*x.max(2), *x.min(1, keepdim=True)),
    "places": lambda x: joined(x.argmax(1), x.argmin(-1), x.argmax(), x.argmin(2, keepdim=True)),
    "any, all": lambda x: joined(
        (x > 0.5).any(1), (x > -0.9).all(1), (x > 2).any(), (x > -9).all()
    ),
    "norms": lambda x: (
        x.norm(dim=1)
        + torch.linalg.vector_norm(x, 1, 1)
        + torch.linalg.vector_norm(x, float("inf"), 1)
        + torch.linalg.vector_norm(x, 3, 1)
    ),
    "normalize": lambda x: F.normalize(x, dim=1),
    "variance": lambda x: joined(
        x.var((1, 2)), x.var(1, correction=0), x.std((1, 2), False), x.std()
    ),
    "logsumexp": lambda x: joined(x.logsumexp(1), x.logsumexp((1, 2), keepdim=True)),
    "cumsum": lambda x: x.cumsum(1) + x.cumsum(-1),
    "topk": lambda x: joined(*x.topk(2, 1)),
    "topk of the smallest": lambda x: x.topk(3, -1, largest=False)[0],
    "scatter": lambda x: torch.zeros_like(x).scatter(-1, x.topk(2)[1], x.topk(2)[0]),
    "scatter a number": lambda x: x.scatter(-1, x.topk(1)[1], 5.0),
    "gather": lambda x: x.gather(-1, x.topk(2)[1]),
    "one hot": lambda x: F.one_hot(x.argmax(-1), 4).float(),
    "embedding": lambda x: F.embedding(x.argmax(-1), torch.arange(12.0).reshape(4, 3)),
    "index by numbers": lambda x: joined(x[:, [2, 0, -1]], x.index_select(2, torch.tensor([1, 0]))),
    "index by a value": lambda x: torch.arange(4.0)[x.argmax(-1)],
}


@pytest.fixture(scope="module")
def found(compare_together):
    torch.manual_seed(0)
    return compare_together(CHOICES, torch.randn(1, 3, 4, 4))


@pytest.mark.parametrize("name", CHOICES)
def test_choices(found, name):
    torch.testing.assert_close(*found[name], rtol=1e-5, atol=1e-5)
