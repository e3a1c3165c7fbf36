"""Learned codebooks: each cluster of the data gets an entry, however the first batch falls."""

import pytest
import torch
from sklearn.cluster import KMeans

from autoencode.contract import Sizes
from autoencode.parts.bottlenecks.codebook import Codebook, squared_distances
from autoencode.parts.bottlenecks.vector import ResidualQuantised, VectorQuantised


def clusters(n, dim, noise, seed=0, uneven=False):
    """A function (count, seed) -> vectors of `n` clusters with centres from a standard normal."""
    generator = torch.Generator().manual_seed(seed)
    centres = torch.randn(n, dim, generator=generator)
    shares = torch.rand(n, generator=generator) ** 2 + 0.05 if uneven else torch.ones(n)

    def draw(count, seed):
        generator = torch.Generator().manual_seed(seed)
        chosen = torch.multinomial(shares, count, replacement=True, generator=generator)
        return centres[chosen] + noise * torch.randn(count, dim, generator=generator)

    return draw


def error_after(draw, dim, batch, steps, **args):
    """The mean squared error of new vectors after `steps` batches."""
    torch.manual_seed(0)
    part = VectorQuantised(Sizes((8, 8), (dim,)), dim=dim, **args).train()
    for step in range(steps):
        part(draw(batch, 1 + step))
    x = draw(3000, 0)
    return (part.eval()(x).z - x).square().sum(1).mean().item()


# Clusters, dimensions, noise, entries, batch, steps.
SETTINGS = [
    (128, 8, 0.14, 256, 256, 300),
    (128, 8, 0.14, 256, 64, 600),  # no batch has them all
    (128, 8, 0.14, 128, 500, 300),  # not one entry to spare
    (40, 2, 0.02, 64, 200, 200),
    (300, 16, 0.1, 512, 300, 200),
    (16, 4, 0.1, 16, 30, 400),
]


@pytest.mark.long
@pytest.mark.parametrize("revival", [0.1, 0.5, 0.9])
@pytest.mark.parametrize(("n", "dim", "noise", "codes", "batch", "steps"), SETTINGS)
def test_every_cluster_has_an_entry(n, dim, noise, codes, batch, steps, revival):
    draw = clusters(n, dim, noise)
    found = error_after(draw, dim, batch, steps, codes=codes, revival=revival)
    # The variance within clusters is what one entry in each centre leaves.
    assert found < 1.15 * dim * noise**2


def test_every_cluster_has_an_entry_in_a_small_case():
    draw = clusters(24, 3, 0.05, uneven=True)
    assert error_after(draw, 3, 60, 80, codes=32) < 1.2 * 3 * 0.05**2
    # Entries that stay where the first batch put them leave some clusters without one.
    assert error_after(draw, 3, 60, 80, codes=32, revival=0.0) > 5 * 3 * 0.05**2


@pytest.mark.long
@pytest.mark.parametrize("uneven", [False, True])
def test_the_error_is_not_above_that_of_k_means(uneven):
    draw = clusters(60, 6, 0.3, uneven=uneven)
    means = KMeans(128, n_init=3, random_state=0).fit(draw(4000, 9).numpy())
    theirs = torch.cdist(draw(3000, 0), torch.from_numpy(means.cluster_centers_))
    found = error_after(draw, 6, 200, 800, codes=128)
    assert found < 1.03 * theirs.min(1).values.square().mean().item()


@pytest.mark.long
@pytest.mark.parametrize("args", [{"books": "separate"}, {"learn": "gradients"}, {"depth": 2}])
def test_other_codebooks_find_clusters_too(args):
    """A book for each block, a book that a gradient moves, and the first of two levels."""
    draw, dim, noise = clusters(40, 4, 0.05), 4, 0.05
    torch.manual_seed(0)
    blocks = 2 if "books" in args else 1
    kind = ResidualQuantised if "depth" in args else VectorQuantised
    part = kind(Sizes((8, 8), (blocks * dim,)), dim=dim, codes=64, **args).train()
    optimizer = torch.optim.Adam(part.parameters(), 1e-2) if list(part.parameters()) else None
    for step in range(300):
        x = torch.cat([draw(200, 1 + step), 3 - draw(200, 1000 + step)], 1)[:, : blocks * dim]
        code = part(x)
        if optimizer:
            optimizer.zero_grad()
            code.costs["codebook"].mean().backward()
            optimizer.step()
    x = torch.cat([draw(2000, 0), 3 - draw(2000, 1)], 1)[:, : blocks * dim]
    found = (part.eval()(x).z - x).square().sum(1).mean().item()
    assert found < 1.5 * blocks * dim * noise**2


@pytest.mark.parametrize("averaged", [True, False])
def test_the_entries_begin_on_vectors_of_the_first_batch(averaged):
    torch.manual_seed(0)
    book = Codebook(8, 2, 3, averaged=averaged, decay=0.99, revival=0.5)
    e = torch.randn(3, 50, 2) + 100
    book._start(e, torch.randperm(50))
    distances, owners = torch.cdist(book.vectors.double(), e.double()).min(2)
    assert distances.max() < 1e-4
    assert all(len(set(each)) == 8 for each in owners.tolist())


@pytest.mark.parametrize("averaged", [True, False])
def test_an_entry_without_vectors_moves_to_the_data(averaged):
    torch.manual_seed(0)
    book = Codebook(8, 2, 1, averaged=averaged, decay=0.5, revival=0.5).train()
    for _ in range(20):
        book(torch.randn(1, 100, 2))
    with torch.no_grad():
        book.vectors[0, 3] = 1e3
        book.usage[0, 3] = 0.0
    book(torch.randn(1, 100, 2))
    assert book.vectors[0, 3].abs().max() < 10
    assert book.usage[0, 3] > 0


def test_places_and_costs_are_those_of_sums_over_all_vectors():
    torch.manual_seed(0)
    book = Codebook(6, 3, 2, averaged=True, decay=0.99, revival=0.5)
    e = torch.randn(2, 40, 3)
    book.vectors.copy_(torch.randn(2, 6, 3))
    book.usage.copy_(torch.rand(2, 6))
    places, gains, counts = book._places(e, 1.5)
    assert (gains.diff() <= 0).all()
    for b in range(2):
        errors, index = torch.cdist(e[b], book.vectors[b]).square().min(1)
        for place, gain, count in zip(places[b], gains[b], counts[b], strict=True):
            # Half-way from the entry of one vector to that vector, which is not counted.
            half = torch.cdist((e[b] + book.vectors[b][index]) / 2, place[None])[:, 0]
            own = half.argmin()
            assert half[own] < 1e-2
            saved = (errors - torch.cdist(e[b], place[None])[:, 0].square()).clamp(min=0)
            saved[own] = 0
            assert gain.item() == pytest.approx(1.5 * saved.sum().item(), abs=1e-4)
            assert count.item() == 1.5 * (1 + int((saved > 0).sum()))
    rows, neighbours, costs = book._dispensable(6)
    for b in range(2):
        apart = torch.cdist(book.vectors[b], book.vectors[b]).fill_diagonal_(torch.inf)
        for k, j, cost in zip(rows[b], neighbours[b], costs[b], strict=True):
            assert j == apart[k].argmin()
            stays = book.usage[b, k] >= book.usage[b, j]
            expected = torch.inf if stays else book.usage[b, k] * apart[k, j] ** 2
            assert cost.item() == pytest.approx(float(expected), rel=1e-4)


def test_what_an_entry_had_goes_to_its_neighbour_when_it_moves():
    book = Codebook(3, 1, 1, averaged=True, decay=0.99, revival=0.5)
    book.vectors.copy_(torch.tensor([[[0.0], [0.1], [9.0]]]))
    book.usage.copy_(torch.tensor([[1.0, 3.0, 4.0]]))
    book.total.copy_(book.vectors * book.usage[..., None])
    e = torch.tensor([[[20.0]] * 4 + [[0.0]] * 4 + [[9.0]] * 4])
    torch.manual_seed(0)
    book._move(e, torch.arange(12))
    assert book.vectors.flatten().tolist() == pytest.approx([14.5, 0.1, 9.0])
    assert book.usage.flatten().tolist() == pytest.approx([4.0, 4.0, 4.0])
    assert book.total.flatten().tolist() == pytest.approx([58.0, 0.3, 36.0])


def test_squared_distances_are_those_of_cdist_far_from_the_origin():
    torch.manual_seed(0)
    a, b = torch.randn(2, 30, 5) + 1000, torch.randn(2, 7, 5) + 1000
    expected = torch.cdist(a.double(), b.double()).square().float()
    torch.testing.assert_close(squared_distances(a, b), expected, rtol=1e-3, atol=1e-3)


def test_evaluation_and_empty_batches_change_nothing():
    book = Codebook(4, 2, 1, averaged=True, decay=0.9, revival=0.5)
    before = {name: value.clone() for name, value in book.state_dict().items()}
    book.eval()(torch.randn(1, 5, 2))
    values, index = book.train()(torch.randn(1, 0, 2))
    assert values.shape == (1, 0, 2)
    assert index.shape == (1, 0)
    assert all(torch.equal(before[name], value) for name, value in book.state_dict().items())
