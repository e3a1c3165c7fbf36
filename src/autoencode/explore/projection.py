"""Projections of codes to two dimensions: PCA, t-SNE, UMAP."""

from __future__ import annotations

import io
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from autoencode.errors import AutoencodeError, Diverged, ResourceError, did_you_mean
from autoencode.explore.plane import code_plane
from autoencode.maths import tsne_map

METHODS = ("tsne", "umap", "pca")
# Minimum number of codes for t-SNE and UMAP.
MIN_CODES = 10
# The default of UMAP; it must be smaller than the number of codes.
NEIGHBOURS = 15


def project(
    codes: Float[Tensor, "n d"], method: str = "tsne", seed: int = 0
) -> Float[Tensor, "n 2"]:
    """Projects codes to two dimensions, float32 on the CPU; reproducible for a seed.

    method:
        "pca": the first two principal components (the codes themselves if d = 2);
        "tsne": t-SNE [maaten2008], initialised with PCA, with perplexity 30 or less for few codes;
        "umap": UMAP [mcinnes2018] with 15 neighbours, an optional dependency, in its own process.
        t-SNE and UMAP preserve neighbourhoods; distances between groups and the sizes of groups
        have no meaning. Each takes about 30 s for 5,000 codes on one core.

    Raises:
        AutoencodeError: unknown method, one latent dimension, fewer than 10 codes or equal codes
            for "tsne" and "umap", or "umap" is not installed.
        Diverged: some codes are not finite.
        ResourceError: the process of UMAP failed.
    """
    if method not in METHODS:
        raise AutoencodeError(f'There is no projection "{method}"', did_you_mean(method, METHODS))
    codes = codes.detach().flatten(1).float().cpu()
    if not bool(codes.isfinite().all()):
        raise Diverged(
            "Some codes are not finite numbers", "Train the model again, with a smaller lr."
        )
    if method == "pca":
        return code_plane(codes).project(codes)
    _check_neighbours(codes)
    return tsne_map(codes, seed) if method == "tsne" else _umap(codes, seed)


def _check_neighbours(codes: Tensor) -> None:
    n, d = codes.shape
    if d < 2:
        raise AutoencodeError(
            f"A projection needs two or more latent dimensions, and codes have {d}"
        )
    if n < MIN_CODES:
        raise AutoencodeError(f"This projection needs {MIN_CODES} codes or more, and there are {n}")
    if bool((codes == codes[0]).all()):
        raise AutoencodeError("This projection needs different codes, and all codes are equal")


def _umap(codes: Tensor, seed: int) -> Tensor:
    check_umap()
    sent = io.BytesIO()
    np.save(sent, codes.numpy())
    neighbours = min(NEIGHBOURS, len(codes) - 1)
    program = Path(__file__).with_name("umap_process.py")
    words = [sys.executable, "-P", str(program), str(neighbours), str(seed % 2**32)]
    done = subprocess.run(words, input=sent.getvalue(), capture_output=True)
    if done.returncode:
        (*_, why) = done.stderr.decode(errors="replace").strip().splitlines() or ["no message"]
        raise ResourceError(
            f"The process that computes UMAP ended with status {done.returncode}: {why}",
            "Use t-SNE, or fewer codes.",
        )
    return torch.from_numpy(np.load(io.BytesIO(done.stdout)))


def check_umap() -> None:
    """Check that UMAP can be imported.

    Raises:
        AutoencodeError: it is not installed.
    """
    if find_spec("umap") is None:
        raise AutoencodeError("UMAP is not installed", 'Install it: pip install "autoencode[umap]"')
