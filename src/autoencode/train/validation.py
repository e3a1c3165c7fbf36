"""Validation during training: figures, and a strip of reconstructions."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch import Tensor

from autoencode.data import scaled
from autoencode.io.folders import open_folder
from autoencode.io.store import write_bytes
from autoencode.models.objective import Objective
from autoencode.train.meter import squared_error
from autoencode.train.precision import keep_random_state

# Images in the strip of reconstructions.
STRIP_IMAGES = 12
# Examples at once: a larger batch is not faster and takes more memory.
BATCH_SIZE = 250


class Validation:
    """The validation part of the data, and how a model is measured on it."""

    def __init__(self, x: Tensor, context: Tensor | None, device: torch.device) -> None:
        """Examples [N, *X], and the context of each, [N] or [N, C], for conditional models."""
        self.x = x.to(device)
        self.context = None if context is None else context.to(device)

    @torch.no_grad()
    def measure(self, objective: Objective) -> dict[str, Any]:
        """Loss, terms, and squared error (summed over pixels), each the mean over examples.

        The noise is the same in each validation; torch's random state and the mode of the model
        are restored.
        """
        training = objective.training
        objective.eval()
        sums: dict[str, Tensor] = {}
        with keep_random_state(self.x.device):
            torch.manual_seed(0)
            for start in range(0, len(self.x), BATCH_SIZE):
                x, context = self._batch(start, BATCH_SIZE)
                output = objective(x, context)
                error = squared_error(output.forward_pass.px.mean, output.forward_pass.x)
                values = {"loss": output.loss, "squared_error": error, **output.terms}
                for name, value in values.items():
                    sums[name] = sums.get(name, torch.zeros_like(value)) + value * len(x)
        objective.train(training)
        means = {name: total.item() / len(self.x) for name, total in sums.items()}
        loss, error_mean = means.pop("loss"), means.pop("squared_error")
        return {"loss": loss, "terms": means, "squared_error": error_mean}

    @torch.no_grad()
    def write_strip(self, objective: Objective, folder: Path, step: int) -> None:
        """Writes the first images' reconstructions as `<step>.png`, next to `originals.png`.

        folder: of the run.

        Raises:
            ResourceError: the disk is full.   RunError: the folder cannot be written to.
        """
        image = objective.model.sizes.image
        if image is None:
            return
        folder = open_folder(folder, "figures/training")
        x, context = self._batch(0, STRIP_IMAGES)
        if not (folder / "originals.png").exists():
            _write_row(folder / "originals.png", x.reshape(-1, *image))
        training = objective.training
        objective.eval()
        images = objective.model.forward(x, context).images
        objective.train(training)
        _write_row(folder / f"{step:09d}.png", images.reshape(-1, *image))

    def _batch(self, start: int, n: int) -> tuple[Tensor, Tensor | None]:
        context = None if self.context is None else self.context[start : start + n]
        return scaled(self.x[start : start + n]), context


def _write_row(path: Path, images: Tensor) -> None:
    """Writes images [N, C, H, W] in [0, 1] side by side as a PNG."""
    row = torch.cat(list(images.clamp(0, 1).mul(255).round().byte().cpu()), dim=-1)
    array = (row[0] if len(row) == 1 else row[:3].permute(1, 2, 0)).numpy()
    buffer = BytesIO()
    Image.fromarray(array).save(buffer, "PNG")
    write_bytes(path, buffer.getvalue())
