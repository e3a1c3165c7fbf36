"""One model as the explorer's page holds it: its codes, the plane to see them on, its networks."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from autoencode.contract import Space
from autoencode.data import Data
from autoencode.errors import AutoencodeError
from autoencode.evaluation.context import EvaluationContext
from autoencode.evaluation.posteriors import kl_per_dimension
from autoencode.evaluation.projections import saved_projection
from autoencode.explore import METHODS, uniform_like
from autoencode.explorer.container import Container
from autoencode.explorer.graph import Graph, Unsupported
from autoencode.explorer.model_graphs import decoder_graph, encoder_graph
from autoencode.explorer.snapshots import cells, snapshots
from autoencode.explorer.sprite_sheet import sheet
from autoencode.models.build import Model
from autoencode.models.describe import formula
from autoencode.models.inference import measuring
from autoencode.models.run import Run
from autoencode.parts.bottlenecks.quantised import Quantised
from autoencode.report.view import View

# Random codes that travel with a page.
DRAWS = 256
# Entries of a code book that fit into one.
MOST_ENTRIES = 4_096
# The lattice of pictures that stands in for a decoder the page cannot run: so many to a side.
LATTICE = 32
# Codes of more numbers than these, all together, are kept to three digits.
EXACT = 2**18


@dataclass(frozen=True)
class Sitter:
    """A trained model, its run, and the rows of its test part that are shown.

    told: what a conditional model is told of each of these, [N] or [N, C]; else None.
    """

    run: Run
    model: Model
    data: Data
    rows: Tensor
    told: Tensor | None


def portrait(sitter: Sitter, container: Container) -> dict[str, Any]:
    """What the header says of a model; its numbers go into the container.

    Raises:
        DataError, Diverged: as `report.view.View.of`.
        AutoencodeError: codes of one number, which have no plane.
    """
    model, recipe, test = sitter.model, sitter.run.recipe, sitter.data.test
    y = None if test.y is None else test.y[sitter.rows]
    view = View.of(model, test.x[sitter.rows], y, sitter.data.classes, sitter.told)
    plane = view.plane
    discrete = _book(model)
    spread = view.codes.double().std(0, correction=0)
    found: dict[str, Any] = {
        "name": sitter.run.folder.name,
        "folder": sitter.run.folder.as_posix(),
        "recipe": recipe.name,
        "formula": formula(recipe),
        "space": model.space.value,
        "shape": list(model.sizes.z),
        "image": list(model.sizes.x),
        "points": container.add(_numbers(plane.project(view.codes))),
        "plane": {
            "origin": container.add(_numbers(plane.origin)),
            "axes": container.add(_numbers(plane.axes)),
            "share": list(plane.share),
            "whole": plane.complete,
        },
        "maps": _maps(sitter, container),
        "film": snapshots(sitter.run, sitter.data, sitter.rows, view.context, plane, container),
        "mean": container.add(_numbers(view.codes.mean(0))),
        "spread": container.add(_numbers(spread)),
        "nats": _nats(sitter, view),
        "errors": container.add(_numbers(view.errors)),
        "samples": _samples(sitter, view, discrete, container),
        "context": _context(view, container),
        "corruption": recipe.corruption
        and {
            "kind": recipe.corruption.kind,
            **recipe.corruption.args,
        },
        **_networks(model, container),
    }
    if discrete is None:
        kind = np.float32 if view.codes.numel() <= EXACT else np.float16
        found["codes"] = container.add(_numbers(view.codes).astype(kind))
    else:
        index = discrete.index_of(view.codes.reshape(-1, *model.sizes.z))
        found["book"] = {
            "values": container.add(_numbers(discrete.values_of(torch.arange(discrete.entries)))),
            "index": container.add(index.numpy().astype(np.uint16)),
            "places": discrete.places,
        }
    if found["decoder"] is None:
        found["lattice"] = _lattice(view, container)
    return found


def _numbers(tensor: Tensor) -> np.ndarray[Any, Any]:
    array: np.ndarray[Any, Any] = tensor.detach().float().cpu().numpy()
    return array


def _book(model: nn.Module) -> Quantised | None:
    """The book of a model of discrete codes, where it is small enough to travel."""
    for module in model.modules():
        if isinstance(module, Quantised) and module.entries <= MOST_ENTRIES:
            return module
    return None


def _networks(model: Model, container: Container) -> dict[str, Any]:
    """Encoder and decoder; in place of one that the page cannot run, the reason."""
    found: dict[str, Any] = {}
    for name, graph_of in (("decoder", decoder_graph), ("encoder", encoder_graph)):
        try:
            graph = graph_of(model)
        except Unsupported as error:
            found[name] = None
            found[f"{name}_lacks"] = error.what
            continue
        weights = _halves(graph, rounded=name == "encoder")
        found[name] = {"graph": graph.to_dict(), "weights": container.add(weights)}
    return found


def _halves(graph: Graph, rounded: bool) -> np.ndarray[Any, Any]:
    """The weights as pairs of bytes, which pack better than single ones.

    rounded: those in half precision keep the eight digits of bfloat16. A code moves by less than
        a point of the plane is wide, and a quarter of an encoder's bytes is saved.
    """
    halves = np.frombuffer(graph.weights, np.float16).copy()
    bits = halves.view(np.uint16)
    for constant in graph.constants:
        if rounded and constant["type"] == "float16":
            start = constant["offset"] // 2
            part = bits[start : start + math.prod(constant["shape"])]
            # To the nearest; what would round up to infinity is cut off.
            part[:] = np.where((part & 0x7FFF) < 0x7BFC, part + 4, part) & 0xFFF8
    return halves


def _maps(sitter: Sitter, container: Container) -> list[dict[str, Any]]:
    """Projections that are kept with the run and hold every example shown."""
    found = []
    for method in METHODS:
        kept = None if method == "pca" else saved_projection(sitter.run, method)
        if kept is None:
            continue
        at = torch.full((kept.of,), -1).scatter(0, kept.rows, torch.arange(len(kept.rows)))
        rows = at[sitter.rows]
        if bool((rows >= 0).all()):
            points = container.add(_numbers(kept.points[rows]))
            found.append({"method": method, "points": points})
    return found


def _nats(sitter: Sitter, view: View) -> list[float] | None:
    """KL of each number of the code, where posterior and prior are normal."""
    with measuring(sitter.model):
        nats = kl_per_dimension(sitter.model, view.x, sitter.told)
    if nats is None or not bool(nats.isfinite().all()):
        return None
    return [round(value, 4) for value in nats.tolist()]


def _samples(
    sitter: Sitter, view: View, book: Quantised | None, container: Container
) -> dict[str, Any]:
    """Random codes as `generate` draws them; without a distribution, of the box that codes fill."""
    codes, how = EvaluationContext(sitter.model, sitter.data).random_codes(DRAWS)
    generator = torch.Generator().manual_seed(0)
    if codes is None and book is not None:
        entries = torch.randint(book.entries, (DRAWS, book.groups), generator=generator)
        codes, how = book.codes_of(entries).flatten(1), "all entries of the book alike"
    elif codes is None:
        codes, how = uniform_like(view.codes, DRAWS, generator), "the box that the codes fill"
    return {"codes": container.add(_numbers(codes)), "how": how}


def _context(view: View, container: Container) -> dict[str, Any] | None:
    """What the model is told of each example shown."""
    if view.context is None:
        return None
    if view.class_conditional:
        return {
            "source": "labels",
            "width": view.model.sizes.context,
            "told": container.add(view.context.numpy().astype(np.uint16)),
            "told_by": "model" if view.learns_labels else "data",
        }
    return {
        "source": "vectors",
        "width": view.model.sizes.context,
        "told": container.add(_numbers(view.context)),
        "told_by": "data",
    }


def _lattice(view: View, container: Container) -> dict[str, Any]:
    """Decoded pictures of a lattice over the plane, for a page that cannot decode."""
    points = view.plane.project(view.codes)
    low, high = points.amin(0), points.amax(0)
    pictures = view.decoded(view.plane.lift(cells(low, high, LATTICE)))
    return {
        "side": LATTICE,
        "low": low.tolist(),
        "high": high.tolist(),
        **sheet(pictures, container, columns=LATTICE),
    }


def check_explorable(model: Model, run: Run) -> None:
    """Refuses what has no plane to look at.

    Raises:
        AutoencodeError: the codes are single numbers.
    """
    if model.sizes.latent < 2 and model.space is not Space.CODES:
        raise AutoencodeError(
            f"The codes of {run.folder} are single numbers, and the explorer shows a plane",
            "Train it with --latent 2 or more.",
        )
