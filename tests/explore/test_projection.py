import sys
import warnings

import numpy as np
import pytest
import torch
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE

from autoencode.errors import AutoencodeError, Diverged, ResourceError
from autoencode.explore import code_plane, project, projection


@pytest.fixture
def islands():
    """90 codes of 6 numbers in three groups far apart, and the group of each."""
    generator = torch.Generator().manual_seed(0)
    group = torch.arange(90) % 3
    middles = 20 * torch.eye(6)[:3]
    return middles[group] + torch.randn(90, 6, generator=generator), group


def apart(points, group):
    """The least distance of two points of two groups, over the largest of neighbours in one."""
    distances = torch.cdist(points, points)
    same = group == group.unsqueeze(1)
    return (
        distances[~same].min()
        / (distances + 1e9 * torch.eye(90)).masked_fill(~same, 1e9).min(1).values.max()
    )


def maps(islands, method):
    codes, group = islands
    numpy_state, torch_state = np.random.get_state(), torch.random.get_rng_state()  # noqa: NPY002
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        points = project(codes, method, seed=3)
    assert points.shape == (90, 2)
    assert points.dtype == torch.float32
    assert torch.equal(torch_state, torch.random.get_rng_state())
    for before, after in zip(numpy_state, np.random.get_state(), strict=True):  # noqa: NPY002
        assert np.array_equal(before, after)
    assert torch.equal(points, project(codes, method, seed=3))
    assert apart(points, group) > 1
    return points


@pytest.mark.long
def test_tsne_keeps_groups_apart_and_is_that_of_scikit_learn(islands):
    points = maps(islands, "tsne")
    reference = TSNE(2, perplexity=89 / 3, max_iter=500, init="pca", random_state=3)
    assert np.array_equal(points.numpy(), reference.fit_transform(islands[0].numpy()))


def test_pca_is_the_plane_of_the_codes(islands):
    codes, _ = islands
    points = maps(islands, "pca")
    assert torch.equal(points, code_plane(codes).project(codes))
    reference = torch.from_numpy(PCA(2).fit_transform(codes.numpy()))
    torch.testing.assert_close(points.abs(), reference.abs(), atol=1e-4, rtol=1e-4)


@pytest.mark.slow  # it compiles for half a minute
def test_umap_keeps_groups_apart(islands):
    maps(islands, "umap")
    assert "numba" not in sys.modules  # its threads would make a later fork hang


@pytest.mark.parametrize(
    ("program", "why"),
    [
        ("raise MemoryError('no room')", "status 1: MemoryError: no room"),
        ("import os; os.kill(os.getpid(), 9)", "status -9: no message"),
    ],
)
def test_a_failure_of_umap_is_a_sentence(monkeypatch, tmp_path, program, why):
    monkeypatch.setattr(projection, "check_umap", lambda: None)
    (tmp_path / "umap_process.py").write_text(program)
    monkeypatch.setattr(projection, "__file__", str(tmp_path / "projection.py"))
    with pytest.raises(ResourceError, match=why):
        project(torch.randn(20, 3), "umap")


def test_few_codes_of_any_shape_have_a_map():
    codes = torch.randn(10, 2, 3, 3, generator=torch.Generator().manual_seed(1))
    assert project(codes).shape == (10, 2)
    copies = codes[[0] * 5 + [1] * 5]
    assert bool(project(copies).isfinite().all())


def test_what_has_no_map():
    with pytest.raises(AutoencodeError, match="Did you mean"):
        project(torch.zeros(20, 3), "tnse")
    with pytest.raises(AutoencodeError, match="two or more latent dimensions"):
        project(torch.randn(20, 1))
    with pytest.raises(AutoencodeError, match="10 codes or more, and there are 9"):
        project(torch.randn(9, 3))
    with pytest.raises(AutoencodeError, match="all codes are equal"):
        project(torch.ones(20, 3))
    with pytest.raises(Diverged, match="not finite"):
        project(torch.full((20, 3), float("nan")))


def test_a_missing_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "umap", None)
    with pytest.raises(AutoencodeError, match=r'pip install "autoencode\[umap\]"'):
        project(torch.randn(20, 3), "umap")
