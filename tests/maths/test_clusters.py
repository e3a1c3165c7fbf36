"""Clusters by neighbourhood."""

import pytest
import torch

from autoencode.maths import tsne_clusters


def agreement(found, truth):
    same = (found == truth).double().mean().item()
    return max(same, 1 - same)


@pytest.mark.long
def test_digits_come_apart_better_than_by_normals():
    from scipy.optimize import linear_sum_assignment
    from sklearn.datasets import load_digits
    from sklearn.mixture import GaussianMixture

    x, y = load_digits(return_X_y=True)
    x, y = torch.tensor(x[:700], dtype=torch.float32), y[:700]

    def matched(clusters):
        counts = torch.zeros(10, 10)
        counts.index_put_((clusters, torch.tensor(y)), torch.ones(len(y)), accumulate=True)
        return counts[linear_sum_assignment(-counts)].sum().item() / len(y)

    ours = matched(tsne_clusters(x, 10, seed=0))
    normals = GaussianMixture(10, covariance_type="diag", n_init=3, random_state=0, reg_covar=1)
    assert ours > 0.8
    assert ours > matched(torch.tensor(normals.fit_predict(x))) + 0.05


@pytest.mark.long
def test_it_is_the_same_for_the_same_seed_and_leaves_random_states_alone():
    z = torch.randn(200, 3, generator=torch.Generator().manual_seed(0))
    before = torch.get_rng_state()
    found = [tsne_clusters(z, 3, seed=1) for _ in range(2)]
    assert torch.equal(*found)
    assert torch.equal(torch.get_rng_state(), before)
    assert found[0].dtype == torch.int64
    assert set(found[0].tolist()) <= {0, 1, 2}


def test_few_codes_have_clusters_too():
    generator = torch.Generator().manual_seed(0)
    z = torch.randn(16, 2, generator=generator) + 40 * (torch.arange(16) // 8 - 0.5).unsqueeze(1)
    assert agreement(tsne_clusters(z, 2, seed=0), torch.arange(16) // 8) == 1.0
