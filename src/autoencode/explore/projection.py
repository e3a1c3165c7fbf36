"""Codes of many numbers on a plane, by what keeps their variance or their neighbours together."""

from __future__ import annotations

import warnings
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from autoencode.errors import AutoencodeError, Diverged, did_you_mean
from autoencode.explore.plane import code_plane
from autoencode.maths import tsne_map

METHODS = ("tsne", "umap", "pca")
# Fewer codes have no neighbourhoods that a map could keep.
LEAST = 10
# UMAP's own default; it must be smaller than the number of codes.
NEIGHBOURS = 15


def project(
    codes: Float[Tensor, "n d"], method: str = "tsne", seed: int = 0
) -> Float[Tensor, "n 2"]:
    """Where codes lie on a plane, float32 on the CPU; the same for the same codes and seed.

    method:
        "pca", the plane of their principal components (the codes themselves where d = 2), on which
        distances are distances;
        "tsne" [maaten2008], begun with these and at perplexity 30, or what few codes allow;
        "umap" [mcinnes2018], of the 15 nearest neighbours. It is an extra.
        The last two keep neighbours together, and distances between groups and their sizes mean
        nothing there. Either takes some 30 s for 5,000 codes on one core.

    Raises:
        AutoencodeError: there is no such method; codes of one number; fewer than 10 codes, or all
            of them the same, for a map of neighbours; or "umap" is not installed.
        Diverged: codes that are not finite.
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
        raise AutoencodeError(f"Codes of {d} number need no map: they are a line already")
    if n < LEAST:
        raise AutoencodeError(
            f"A map of neighbours is made of {LEAST} codes or more, and there are {n}"
        )
    if bool((codes == codes[0]).all()):
        raise AutoencodeError("All of these codes are the same: there is nothing to map")


def _umap(codes: Tensor, seed: int) -> Tensor:
    reducer = umap_class()(
        n_neighbors=min(NEIGHBOURS, len(codes) - 1), random_state=seed % 2**32, n_jobs=1
    )
    with warnings.catch_warnings():
        # Of what it is built on, and of groups without a common neighbour.
        warnings.simplefilter("ignore")
        points = reducer.fit_transform(codes.numpy())
    return torch.from_numpy(points).float()


def umap_class() -> Any:
    """What makes UMAP maps.

    Raises:
        AutoencodeError: it is not installed.
    """
    try:
        with warnings.catch_warnings():
            # That it could do more with TensorFlow.
            warnings.simplefilter("ignore")
            from umap import UMAP  # type: ignore[import-not-found]
    except ImportError as error:
        raise AutoencodeError(
            "UMAP is not installed", 'Install it: pip install "autoencode[umap]"'
        ) from error
    return UMAP
