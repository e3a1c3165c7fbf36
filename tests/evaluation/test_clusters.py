from itertools import permutations

import numpy as np
import pytest
import torch
from torch import tensor

from autoencode.errors import DataError, Diverged, RecipeError
from autoencode.evaluation.metrics import clusters as module
from autoencode.evaluation.metrics.arrays import stratified_subset
from autoencode.evaluation.metrics.clusters import (
    adjusted_rand,
    kmeans_clusters,
    matched_accuracy,
    normalised_mutual_information,
    silhouette,
)


def blobs(n, k, apart, shape=(2, 3), seed=0):
    generator = torch.Generator().manual_seed(seed)
    labels = torch.randint(0, k, (n,), generator=generator)
    centres = apart * torch.randn(k, *shape, generator=generator)
    return centres[labels] + torch.randn(n, *shape, generator=generator), labels


def test_silhouette_by_hand():
    codes, labels = blobs(60, 3, apart=1.0)
    points, found = codes.flatten(1).double().numpy(), []
    for i in range(60):
        distance = np.linalg.norm(points - points[i], axis=1)
        mean = {}
        for each in range(3):
            members = (labels.numpy() == each) & (np.arange(60) != i)
            mean[each] = distance[members].mean()
        a = mean.pop(int(labels[i]))
        b = min(mean.values())
        found.append((b - a) / max(a, b))
    assert silhouette(codes, labels) == pytest.approx(np.mean(found), rel=1e-9)
    assert abs(np.mean(found)) > 0.02
    # Neither the unit of the code nor its origin counts, nor what the classes are called.
    assert silhouette(3 * codes + 100, 7 - labels) == pytest.approx(np.mean(found), rel=1e-4)


def test_silhouette_of_what_is_known():
    codes, labels = blobs(300, 4, apart=100.0)
    assert silhouette(codes, labels) > 0.95
    assert abs(silhouette(codes, labels[torch.randperm(300)])) < 0.1
    # Two pairs, 1 apart each and 10 from one another, on a line.
    by_hand = ((10.5 - 1) / 10.5 + (9.5 - 1) / 9.5) / 2
    pairs = tensor([0.0, 1.0, 10.0, 11.0])
    assert silhouette(pairs, tensor([0, 0, 1, 1])) == pytest.approx(by_hand)


def test_of_many_codes_some_are_drawn_each_class_at_its_share(monkeypatch):
    codes, _ = blobs(3_000, 3, apart=1.0)
    labels = torch.tensor([0] * 2_000 + [1] * 990 + [2] * 10)
    rows = stratified_subset(labels.numpy(), 300, seed=0)
    assert len(set(rows)) == 300
    assert np.bincount(labels.numpy()[rows]).tolist() == [200, 99, 1]
    codes += labels[:, None, None]
    whole = silhouette(codes, labels)
    monkeypatch.setattr(module, "MAX_SILHOUETTE_CODES", 1_000)
    assert silhouette(codes, labels) == pytest.approx(whole, abs=0.03)
    assert silhouette(codes, labels) == silhouette(codes, labels)
    assert silhouette(codes, labels, seed=1) != silhouette(codes, labels)


def test_kmeans_finds_clusters_that_lie_apart():
    codes, labels = blobs(500, 6, apart=30.0)
    found = kmeans_clusters(codes, 6)
    assert found.shape == (500,)
    assert found.dtype == torch.int64
    for agreement in (matched_accuracy, adjusted_rand, normalised_mutual_information):
        assert agreement(found, labels) == pytest.approx(1)
    assert torch.equal(found, kmeans_clusters(codes, 6))


def test_kmeans_is_at_a_minimum():
    codes, _ = blobs(400, 3, apart=0.5)
    found = kmeans_clusters(codes, 5, seed=2)
    means = torch.stack([codes[found == i].mean(0) for i in range(5)])
    nearest = torch.cdist(codes.flatten(1), means.flatten(1)).argmin(1)
    assert torch.equal(nearest, found)


def test_fewer_codes_that_differ_than_clusters():
    assert kmeans_clusters(torch.ones(9, 2), 3).unique().tolist() == [0]


def test_matched_accuracy_by_trying_all_matchings():
    rng = np.random.default_rng(0)
    for k, classes in ((4, 4), (5, 3), (3, 5)):
        found, labels = rng.integers(0, k, 60), rng.integers(0, classes, 60)
        size = max(k, classes)
        best = max(np.mean(np.array(match)[found] == labels) for match in permutations(range(size)))
        assert matched_accuracy(torch.from_numpy(found), torch.from_numpy(labels)) == best


def test_one_cluster_in_each_class_but_split():
    # Each class in two clusters: half of each is left over.
    labels = torch.arange(40) % 2
    found = labels + 2 * (torch.arange(40) >= 20)
    assert matched_accuracy(found, labels) == 0.5
    assert normalised_mutual_information(found, labels) == pytest.approx(2 / 3)  # 1 bit of 1 and 2


def test_adjusted_rand_by_counting_pairs():
    rng = np.random.default_rng(1)
    labels = rng.integers(0, 3, 40)
    found = np.where(rng.random(40) < 0.6, labels, rng.integers(0, 4, 40))
    i, j = np.triu_indices(40, 1)
    a, b = found[i] == found[j], labels[i] == labels[j]
    expected = a.sum() * b.sum() / len(i)
    by_hand = ((a & b).sum() - expected) / ((a.sum() + b.sum()) / 2 - expected)
    assert adjusted_rand(torch.from_numpy(found), torch.from_numpy(labels)) == pytest.approx(
        by_hand
    )


def test_mutual_information_by_hand():
    rng = np.random.default_rng(2)
    labels = rng.integers(0, 3, 200)
    found = (labels + rng.integers(0, 2, 200)) % 3
    joint = np.zeros((3, 3))
    np.add.at(joint, (found, labels), 1 / 200)
    p, q = joint.sum(1), joint.sum(0)
    seen = joint > 0
    shared = (joint[seen] * np.log(joint[seen] / np.outer(p, q)[seen])).sum()
    mean = -(p * np.log(p)).sum() / 2 - (q * np.log(q)).sum() / 2
    score = normalised_mutual_information(torch.from_numpy(found), torch.from_numpy(labels))
    assert score == pytest.approx(shared / mean)


def test_chance_is_at_zero():
    generator = torch.Generator().manual_seed(0)
    scores = []
    for _ in range(50):
        labels, found = torch.randint(0, 10, (2, 300), generator=generator)
        scores.append(adjusted_rand(found, labels))
        assert normalised_mutual_information(found, labels) > 0.02  # not corrected
    assert abs(np.mean(scores)) < 4 * np.std(scores) / 50**0.5


@pytest.mark.parametrize(
    "agreement", [matched_accuracy, adjusted_rand, normalised_mutual_information]
)
def test_clusters_and_labels_that_cannot_be_compared(agreement):
    with pytest.raises(DataError, match=r"2 of the labels are negative, .*not known.*out"):
        agreement(tensor([0, 1, 1]), tensor([-1, 0, -1]))
    with pytest.raises(DataError, match="1 of the clusters"):
        agreement(tensor([-1]), tensor([0]))
    with pytest.raises(DataError, match="2 clusters and 3 labels"):
        agreement(tensor([0, 1]), tensor([0, 1, 2]))
    for wrong in (tensor([0.5, 1]), tensor([[0], [1]]), torch.zeros(0).long()):
        with pytest.raises(DataError, match="whole numbers"):
            agreement(wrong, tensor([0, 1]))


def test_codes_without_a_silhouette():
    codes = torch.randn(4, 2, generator=torch.Generator().manual_seed(0))
    for labels in (tensor([1, 1, 1, 1]), tensor([0, 1, 2, 3])):
        with pytest.raises(DataError, match="two classes or more"):
            silhouette(codes, labels)
    with pytest.raises(DataError, match="4 codes and 3 labels"):
        silhouette(codes, tensor([0, 1, 1]))
    with pytest.raises(DataError, match="not known"):
        silhouette(codes, tensor([0, 1, -1, 1]))
    with pytest.raises(Diverged, match="not finite"):
        silhouette(codes / 0, tensor([0, 1, 0, 1]))


def test_codes_without_clusters():
    with pytest.raises(DataError, match="3 codes or more"):
        kmeans_clusters(torch.zeros(2, 2), 3)
    with pytest.raises(RecipeError, match="k must be"):
        kmeans_clusters(torch.zeros(2, 2), 0)
    with pytest.raises(Diverged, match="not finite"):
        kmeans_clusters(torch.full((5, 2), torch.nan), 2)
