"""Batches divided among processes, here threads: the same numbers as of the whole batch."""

import threading
from itertools import pairwise

import pytest
import torch
from torch import nn
from torch.distributions import Normal

from autoencode.maths import NormalOfExamples, PowerSpherical
from autoencode.maths.sharding import (
    Shard,
    batch_count,
    batch_noise,
    batch_sum,
    noise_like,
    of_processes,
    own_rows,
    sharded,
    whole_batch,
)
from autoencode.train.distributed_layers import whole_batch_layers

SIZE = 3


class Sum:
    """Sums a tensor over threads, each of which calls it."""

    def __init__(self):
        self.given, self.barrier = {}, threading.Barrier(SIZE, timeout=20)

    def __call__(self, x):
        self.given[threading.get_ident()] = x.clone()
        self.barrier.wait()
        total = sum(self.given.values())
        self.barrier.wait()
        x.copy_(total)


def shards(total, add=None):
    borders = [total * rank // SIZE for rank in range(SIZE + 1)]
    pairs = enumerate(pairwise(borders))
    return [Shard(rank, SIZE, start, stop, total, add) for rank, (start, stop) in pairs]


def in_threads(total, function):
    """What `function(shard)` returns in each of the threads."""
    found, errors = {}, []

    def call(rank, shard):
        try:
            with sharded(shard):
                found[rank] = function(shard)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=call, args=each) for each in enumerate(shards(total, Sum()))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors
    return [found[rank] for rank in range(SIZE)]


def test_alone_nothing_changes():
    x = torch.randn(4, 3)
    for function in (whole_batch, own_rows, batch_sum):
        assert function(x) is x
    assert batch_count(7) == 7
    assert noise_like(lambda like: like, x) is x


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.int64, torch.bool])
@pytest.mark.parametrize(("dim", "each"), [(0, 1), (0, 2), (1, 1), (-1, 3)])
def test_the_whole_batch_is_put_together_in_order(dim, each, dtype):
    shape = [2, 5, 4]
    shape[dim] = 7 * each
    x = (100 * torch.randn(*shape)).to(dtype)

    def joined(shard):
        with sharded(shard):
            own = own_rows(x, dim)
            assert own.shape[dim] == each * shard.rows
            assert batch_count(own.shape[dim]) == 7 * each
            return whole_batch(own, dim)

    for found in in_threads(7, joined):
        assert found.dtype is dtype
        assert torch.equal(found, x)


def test_tensors_of_all_processes():
    for found in in_threads(7, lambda shard: of_processes(torch.full((2,), 1.0 + shard.rank))):
        assert torch.equal(found, torch.tensor([[1.0, 1.0], [2.0, 2.0], [3.0, 3.0]]))


def test_gradients_and_second_derivatives_are_those_of_the_whole_batch():
    """Of a function of all rows, to which each thread contributes a share."""
    x = torch.randn(7, 3, dtype=torch.float64)

    def f(rows):
        return (rows.T @ rows).square().sum().sqrt()

    def derivatives(shard):
        own = x[shard.start : shard.stop].clone().requires_grad_()
        loss = f(whole_batch(own)) * (shard.rows / shard.total)
        (first,) = torch.autograd.grad(loss, own, create_graph=True)
        (second,) = torch.autograd.grad(first.square().sum(), own)
        return first.detach(), second

    whole = x.clone().requires_grad_()
    (first,) = torch.autograd.grad(f(whole), whole, create_graph=True)
    (second,) = torch.autograd.grad(first.square().sum(), whole)
    found = in_threads(7, derivatives)
    torch.testing.assert_close(torch.cat([each[0] for each in found]), first.detach())
    torch.testing.assert_close(torch.cat([each[1] for each in found]), second)


@pytest.mark.parametrize(("shape", "dim"), [((7, 2), 0), ((5, 7), 1), ((7, 7, 2), 1)])
def test_noise_is_the_rows_of_the_noise_of_the_whole_batch(shape, dim):
    torch.manual_seed(0)
    whole, after = torch.randn(shape), torch.rand(())
    found = []
    for shard in shards(7):
        torch.manual_seed(0)
        own = tuple(shard.rows if i == dim else n for i, n in enumerate(shape))
        with sharded(shard):
            found.append(batch_noise(torch.randn, own, dim))
        assert torch.equal(torch.rand(()), after)  # the next numbers are the same too
    assert torch.equal(torch.cat(found, dim), whole)


def test_noise_that_is_not_of_examples_is_the_same_for_all():
    torch.manual_seed(0)
    expected = torch.randn(50, 3)
    for shard in shards(7):
        torch.manual_seed(0)
        with sharded(shard):
            assert torch.equal(batch_noise(torch.randn, (50, 3)), expected)


def test_samples_of_normal_posteriors():
    mean, scale = torch.randn(7, 4), torch.rand(7, 4) + 0.1
    torch.manual_seed(0)
    whole = Normal(mean, scale).rsample((2,))
    found = []
    for shard in shards(7):
        rows = slice(shard.start, shard.stop)
        torch.manual_seed(0)
        with sharded(shard):
            found.append(NormalOfExamples(mean[rows], scale[rows]).rsample((2,)))
    assert torch.equal(torch.cat(found, 1), whole)


def test_samples_on_the_sphere():
    """The number of random numbers that one takes depends on its concentration."""
    direction = nn.functional.normalize(torch.randn(7, 4), dim=-1)
    concentration = 50 * torch.rand(7)
    q = PowerSpherical(direction, concentration)
    torch.manual_seed(0)
    whole, found = q.rsample((2,)), []
    for shard in shards(7):
        rows, sums = slice(shard.start, shard.stop), iter([q.b, q.a])
        torch.manual_seed(0)
        with sharded(shard._replace(add=lambda x, sums=sums: x.copy_(next(sums)))):
            own = PowerSpherical(direction[rows], concentration[rows])
            found.append(own.rsample((2,)))
    assert torch.equal(torch.cat(found, 1), whole)


@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        (nn.BatchNorm1d(4), (4,)),
        (nn.BatchNorm1d(4, affine=False), (4, 5)),
        (nn.BatchNorm2d(4, momentum=None), (4, 3, 5)),
        (nn.BatchNorm2d(4, track_running_stats=False), (4, 2, 2)),
        (nn.BatchNorm3d(4, eps=0.1), (4, 2, 3, 2)),
    ],
)
@pytest.mark.parametrize("samples", [1, 2])
def test_batch_norm_is_that_of_torch_on_the_whole_batch(layer, shape, samples):
    """Values, gradients, and running statistics after two batches."""
    torch.manual_seed(0)
    batches = [torch.randn(samples, 7, *shape) * 3 + 5 for _ in range(2)]
    layer.reset_parameters()
    start = {name: t.clone() for name, t in layer.state_dict().items()}

    def trained(module, of_rows):
        found = []
        for batch in batches:
            x = batch[:, of_rows].flatten(0, 1).clone().requires_grad_()
            y = module(x)
            (gradient,) = torch.autograd.grad(y.cos().sum(), x)
            found += [t.detach().reshape(samples, -1, *shape) for t in (y, gradient)]
        return found, {name: t.clone() for name, t in module.state_dict().items()}

    expected, after = trained(layer, slice(None))
    copies = [type(layer)(4, **_arguments(layer)) for _ in range(SIZE)]
    ranks = iter(range(SIZE))
    lock = threading.Lock()

    def in_thread(shard):
        with lock:
            copy = copies[next(ranks)]
            copy.load_state_dict(start)
        with whole_batch_layers(copy):
            return trained(copy, slice(shard.start, shard.stop))

    found = in_threads(7, in_thread)
    for position, whole in enumerate(expected):
        own = torch.cat([each[0][position] for each in found], 1)
        torch.testing.assert_close(own, whole, atol=2e-5, rtol=1e-4)
    for _, statistics in found:
        torch.testing.assert_close(statistics, after)
    assert all("forward" not in vars(copy) for copy in copies)


def _arguments(layer):
    names = ("eps", "momentum", "affine", "track_running_stats")
    return {name: getattr(layer, name) for name in names}


@pytest.mark.parametrize("samples", [1, 3])
def test_dropout_has_the_mask_of_the_whole_batch(samples):
    layer = nn.Dropout(0.4)
    x = torch.randn(samples * 7, 5)
    torch.manual_seed(0)
    whole = layer(x).reshape(samples, 7, 5)
    found = []
    with whole_batch_layers(layer):
        for shard in shards(7):
            torch.manual_seed(0)
            rows = slice(shard.start, shard.stop)
            with sharded(shard):
                own = layer(x.reshape(samples, 7, 5)[:, rows].flatten(0, 1))
            found.append(own.reshape(samples, -1, 5))
        assert torch.equal(layer.eval()(x), x)
    assert torch.equal(torch.cat(found, 1), whole)
