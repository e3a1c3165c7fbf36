"""The part of a page's content that belongs to one model: codes, plane, networks, samples."""

from __future__ import annotations

import math
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
from autoencode.explorer.loss_payload import loss_payload
from autoencode.explorer.model_graphs import decoder_graph, encoder_graph
from autoencode.explorer.snapshots import cell_centres, snapshots_payload
from autoencode.explorer.sprite_sheet import add_sprite_sheet
from autoencode.models.build import Model
from autoencode.models.describe import formula
from autoencode.models.inference import measuring
from autoencode.models.masked import needs_mask
from autoencode.models.module_run import ModuleRun
from autoencode.models.run import Run
from autoencode.parts.bottlenecks.quantised import Quantised
from autoencode.report.view import View

# Random codes on a page.
RANDOM_CODES = 256
MAX_CODEBOOK_ENTRIES = 4_096
# Decoded images along each side of the grid that replaces a decoder the page cannot run.
GRID_SIDE = 32
# If the codes of a model have more numbers than this in total, they are stored in float16.
MAX_FLOAT32_NUMBERS = 2**18


def model_payload(
    run: Run, model: Model, data: Data, rows: Tensor, context: Tensor | None, container: Container
) -> dict[str, Any]:
    """Return the header entry of a trained model; its arrays are added to the container.

    rows: positions in the test part of the examples to show, [N].
    context: of these examples, for a conditional model, [N] or [N, C]; else None.

    Raises:
        DataError, Diverged: as `report.view.View.of`.
        AutoencodeError: the latent space has one dimension, so there is no plane.
    """
    recipe, test = run.recipe, data.test
    y = None if test.y is None else test.y[rows]
    view = View.of(model, test.x[rows], y, data.classes, context)
    # A masked autoencoder removes no noise that the page could add.
    plane, corruption = view.plane, None if needs_mask(recipe) else recipe.corruption
    quantised = _quantised(model)
    found: dict[str, Any] = {
        "name": run.name,
        "folder": "" if isinstance(run, ModuleRun) else run.address,
        "recipe": recipe.name,
        "formula": formula(recipe),
        "space": model.space.value,
        "code_shape": list(model.sizes.z),
        "image_shape": list(model.sizes.x),
        "points": container.add(plane.project(view.codes)),
        "plane": {
            "origin": container.add(plane.origin),
            "axes": container.add(plane.axes),
            "explained_variance": list(plane.share),
            "is_latent_space": plane.complete,
        },
        "projections": _projections(run, rows, len(test), container),
        "snapshots": snapshots_payload(run, data, rows, view.context, plane, container),
        "code_mean": container.add(view.codes.mean(0)),
        "code_std": container.add(view.codes.double().std(0, correction=0)),
        "kl": _kl(view, context),
        "squared_errors": container.add(view.errors),
        "loss": loss_payload(model, view.codes, view.context, container),
        "samples": _samples(EvaluationContext(model, data), view, quantised, container),
        "context": _context(view, container),
        "corruption": corruption and {"kind": corruption.kind, **corruption.args},
        **_networks(model, container),
    }
    if quantised is None:
        kind = np.float32 if view.codes.numel() <= MAX_FLOAT32_NUMBERS else np.float16
        found["codes"] = container.add(view.codes.numpy().astype(kind))
    else:
        indices = quantised.index_of(view.codes.reshape(-1, *model.sizes.z))
        found["codebook"] = {
            "vectors": container.add(quantised.entry_vectors()),
            "indices": container.add(indices.numpy().astype(np.uint16)),
            "positions": quantised.positions,
        }
    if found["decoder"] is None:
        found["latent_grid"] = _latent_grid(view, container)
    return found


def _quantised(model: nn.Module) -> Quantised | None:
    """The bottleneck of a model with discrete codes, if its codebook is small enough for a page."""
    for module in model.modules():
        if isinstance(module, Quantised) and module.entries <= MAX_CODEBOOK_ENTRIES:
            return module
    return None


def _networks(model: Model, container: Container) -> dict[str, Any]:
    """The encoder and the decoder; for one that the page cannot run, None and the reason."""
    found: dict[str, Any] = {}
    for name, graph_of in (("decoder", decoder_graph), ("encoder", encoder_graph)):
        try:
            graph = graph_of(model)
        except Unsupported as error:
            found |= {name: None, f"{name}_unsupported": error.what}
            continue
        weights = _weights(graph, rounded=name == "encoder")
        found[name] = {"graph": graph.to_dict(), "weights": container.add(weights)}
    return found


def _weights(graph: Graph, rounded: bool) -> np.ndarray[Any, Any]:
    """The weights as float16, whose byte planes compress better.

    rounded: round weights in float16 to the eight significant bits of bfloat16. This saves a
        quarter of the encoder's bytes, and moves a code by less than the width of its point.
    """
    halves = np.frombuffer(graph.weights, np.float16).copy()
    bits = halves.view(np.uint16)
    for constant in graph.constants:
        if rounded and constant["type"] == "float16":
            start = constant["offset"] // 2
            part = bits[start : start + math.prod(constant["shape"])]
            # Round to nearest; values that would round up to infinity are truncated.
            part[:] = np.where((part & 0x7FFF) < 0x7BFC, part + 4, part) & 0xFFF8
    return halves


def _projections(
    run: Run, shown: Tensor, n_test: int, container: Container
) -> list[dict[str, Any]]:
    """The projections saved with the run that contain every example shown."""
    found = []
    for method in METHODS:
        saved = None if method == "pca" else saved_projection(run, method)
        if saved is None or saved.of != n_test:
            continue
        position = torch.full((saved.of,), -1).scatter(0, saved.rows, torch.arange(len(saved.rows)))
        rows = position[shown]
        if bool((rows >= 0).all()):
            found.append({"method": method, "points": container.add(saved.points[rows])})
    return found


def _kl(view: View, context: Tensor | None) -> list[float] | None:
    """The KL of each latent dimension in nats, if posterior and prior are normal."""
    with measuring(view.model):
        kl = kl_per_dimension(view.model, view.x, context)
    if kl is None or not bool(kl.isfinite().all()):
        return None
    return [round(value, 4) for value in kl.tolist()]


def _samples(
    trained: EvaluationContext, view: View, quantised: Quantised | None, container: Container
) -> dict[str, Any]:
    """Random codes as `generate` draws them; uniform ones if the model has no distribution."""
    codes, source = trained.random_codes(RANDOM_CODES)
    generator = torch.Generator().manual_seed(0)
    if codes is None and quantised is not None:
        size = (RANDOM_CODES, quantised.groups)
        entries = torch.randint(quantised.entries, size, generator=generator)
        codes = quantised.codes_of(entries).flatten(1)
        source = "the uniform distribution over codebook entries"
    elif codes is None:
        codes = uniform_like(view.codes, RANDOM_CODES, generator)
        source = "the uniform distribution over the bounding box of these codes"
    return {"codes": container.add(codes), "source": source}


def _context(view: View, container: Container) -> dict[str, Any] | None:
    """The labels or the feature vectors of the examples, for a conditional model."""
    if view.context is None:
        return None
    labels = view.context.numpy().astype(np.uint16) if view.class_conditional else view.context
    return {
        "kind": "labels" if view.class_conditional else "vectors",
        "size": view.model.sizes.context,
        "values": container.add(labels),
        "predicted": view.class_conditional and view.learns_labels,
    }


def _latent_grid(view: View, container: Container) -> dict[str, Any]:
    """Decoded images of a grid over the plane, for a page that cannot run the decoder."""
    points = view.plane.project(view.codes)
    low, high = points.amin(0), points.amax(0)
    images = view.decoded(view.plane.lift(cell_centres(low, high, GRID_SIDE)))
    sheet = add_sprite_sheet(images, container, columns=GRID_SIDE)
    return {"side": GRID_SIDE, "low": low.tolist(), "high": high.tolist(), **sheet}


def check_explorable(model: Model, run: Run) -> None:
    """Check that a model has a plane to show.

    Raises:
        AutoencodeError: the latent space has one dimension.
    """
    if model.sizes.latent < 2 and model.space is not Space.CODES:
        of = run.folder.name if isinstance(run, ModuleRun) else run.folder
        raise AutoencodeError(
            f"The latent space of {of} has one dimension, and the explorer shows a plane",
            "Give the module codes of two dimensions or more."
            if isinstance(run, ModuleRun)
            else "Train the model with --latent 2 or more.",
        )
