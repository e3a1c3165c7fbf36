"""Measuring a run and saying what was found, for the verbs that do."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from autoencode.contract import Autoencoder
from autoencode.data import Data
from autoencode.evaluation import evaluate
from autoencode.models.run import Run
from autoencode.models.store import write_json


def measure(run: Run, data: Data, model: Any) -> dict[str, Any]:
    """Evaluates the model of a run on the test part of `data`."""
    assert isinstance(model, Autoencoder)
    return {**evaluate(model, run.recipe, data).to_dict(), "data": data.name}


def keep(run: Run, data: Data, metrics: Mapping[str, Any]) -> None:
    """Writes the figures to `metrics.json` of the run, if they are of its own data.

    Raises:
        RunError: the folder cannot be written to.   ResourceError: the disk is full.
    """
    if data.fingerprint == run.data["fingerprint"]:
        write_json(run.folder / "metrics.json", metrics)


def summary_lines(run: Run, metrics: Mapping[str, Any]) -> Iterator[str]:
    """The figures of a run for a person, one a line, with units."""
    yield f"{run.recipe.name} on {metrics['data']}, {metrics['n_test']:,} test examples"
    yield (
        f"squared error  {metrics['squared_error']:.3f} summed over pixels, "
        f"{metrics['squared_error_per_pixel']:.5f} per pixel"
    )
    if "psnr" in metrics and "ssim" in metrics:
        yield f"PSNR, SSIM     {metrics['psnr']:.2f} dB, {metrics['ssim']:.4f}"
    for name, nats in metrics["terms"].items():
        yield f"{name:14s} {nats:.2f} nats per image"
    if "restored_squared_error" in metrics:
        yield (
            f"restored       {metrics['restored_squared_error']:.3f} squared error, of corrupted "
            f"images {metrics['corrupted_squared_error']:.3f}"
        )
    if "classification_error" in metrics:
        yield f"classification {metrics['classification_error']:.2%} wrong"
    if "knn_accuracy" in metrics:
        yield f"k-NN accuracy  {metrics['knn_accuracy']:.4f} of the codes"
    summary = run.summary
    yield (
        f"training       {summary['steps']:,} steps in {summary['seconds']:.0f} s, "
        f"{summary['images_per_second']:,} images/s ({summary['device']}, {summary['precision']})"
    )
