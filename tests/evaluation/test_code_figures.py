import math

import numpy as np
import pytest
import torch
from torch.distributions import Independent, Normal, kl_divergence

from autoencode.contract import Code
from autoencode.errors import DataError, Diverged, RecipeError
from autoencode.evaluation import kl_per_dimension, knn_hits


def test_kl_per_dimension_by_hand_and_by_monte_carlo(make_model, make_data):
    model, x = make_model("vae", (6, 5)), make_data((6, 5)).test.x
    nats = kl_per_dimension(model, x, batch_size=7)
    q = model.encode(x).q.base_dist
    mean, sd = q.loc.detach().double().numpy(), q.scale.detach().double().numpy()
    by_hand = 0.5 * (sd**2 + mean**2 - 1 - 2 * np.log(sd)).mean(0)
    np.testing.assert_allclose(nats.numpy(), by_hand, rtol=1e-5)

    torch.manual_seed(0)
    p = Normal(torch.zeros(3), torch.ones(3))
    z = q.sample((20_000,))
    draws = (q.log_prob(z) - p.log_prob(z)).mean(1)
    errors = draws.std(0) / math.sqrt(len(z))
    assert (errors < 0.02 * nats).all()
    assert ((nats - draws.mean(0)).abs() < 5 * errors).all()
    assert nats.min() > 0.02  # a collapsed posterior would pass any test


def test_the_dimensions_sum_to_the_rate(make_model, make_data):
    model, x = make_model("conv-vae", (3, 9, 8), latent=5), make_data((3, 9, 8)).test.x
    rate = kl_divergence(model.encode(x).q, model.prior()).mean()
    nats = kl_per_dimension(model, x, batch_size=5)
    assert nats.shape == (5,)
    torch.testing.assert_close(nats.sum(), rate)


def test_no_posterior_no_kl(make_model, make_data):
    assert kl_per_dimension(make_model("ae", (6, 5)), make_data((6, 5)).test.x) is None


def test_a_posterior_that_is_no_product_of_normals_has_no_kl_per_dimension(make_model, monkeypatch):
    model = make_model("vae", (4,))
    laplace = Independent(torch.distributions.Laplace(torch.zeros(2, 3), torch.ones(3)), 1)
    monkeypatch.setattr(model, "encode", lambda x, context: Code(laplace.mean, laplace))
    assert kl_per_dimension(model, torch.zeros(2, 4)) is None


def test_knn_hits_by_hand():
    rng = np.random.default_rng(0)
    labels, asked = rng.integers(0, 4, 150), rng.integers(0, 4, 40)
    codes = rng.normal(size=(150, 2, 3)) + labels[:, None, None]
    queries = rng.normal(size=(40, 2, 3)) + asked[:, None, None]
    codes, queries = codes.astype(np.float32), queries.astype(np.float32)
    right = 0
    for query, label in zip(queries, asked, strict=True):
        nearest = ((codes - query) ** 2).sum((1, 2)).argsort()[:10]
        right += np.bincount(labels[nearest]).argmax() == label
    found = knn_hits(*map(torch.from_numpy, (codes, labels, queries, asked)))
    assert found.dtype == torch.bool
    assert 12 < found.sum() < 40
    assert found.sum() == right


def test_fewer_codes_than_neighbours_all_vote():
    codes, labels = torch.tensor([[0.0], [1.0], [9.0]]), torch.tensor([1, 1, 0])
    assert knn_hits(codes, labels, codes, labels).tolist() == [True, True, False]
    assert knn_hits(codes, labels, codes, labels, k=1).all()


def test_a_class_that_training_lacks_counts_as_missed():
    codes = torch.tensor([[0.0], [1.0]])
    found = knn_hits(codes, torch.tensor([0, 0]), codes, torch.tensor([0, 5]), k=1)
    assert found.tolist() == [True, False]


def test_codes_and_labels_that_cannot_be_used():
    codes, labels = torch.zeros(3, 2), torch.zeros(3).long()
    with pytest.raises(DataError, match=r"one label.*3 training codes and 2 labels"):
        knn_hits(codes, labels[:2], codes, labels)
    with pytest.raises(DataError, match="3 test codes and 1 labels"):
        knn_hits(codes, labels, codes, labels[:1])
    with pytest.raises(DataError, match="0 test codes"):
        knn_hits(codes, labels, codes[:0], labels[:0])
    with pytest.raises(RecipeError, match="k must be a whole number"):
        knn_hits(codes, labels, codes, labels, k=0)
    with pytest.raises(Diverged, match="test codes are not finite"):
        knn_hits(codes, labels, codes / 0, labels)
