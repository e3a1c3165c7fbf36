"""Looking at a model while it trains: validation figures and a strip of reconstructions."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch import Tensor

from autoencode.data import scaled
from autoencode.io.store import write_bytes, writing
from autoencode.models.objective import Objective
from autoencode.train.meter import squared_error

STRIP = 12
# More would only take more memory.
CHUNK = 250


class Validation:
    """The validation part of the data, and what a model makes of it."""

    def __init__(self, x: Tensor, known: Tensor | None, device: torch.device) -> None:
        self.x = x.to(device)
        self.known = None if known is None else known.to(device)

    @torch.no_grad()
    def measure(self, objective: Objective) -> dict[str, Any]:
        """Loss and terms (nats per example) and squared error (summed over pixels, per example).

        The noise is the same each time and taken from no one else: torch's random state and the
        model's mode are as before.
        """
        training = objective.training
        objective.eval()
        sums: dict[str, Tensor] = {}
        cuda = [self.x.device.index or 0] if self.x.device.type == "cuda" else []
        with torch.random.fork_rng(devices=cuda):
            torch.manual_seed(0)
            for start in range(0, len(self.x), CHUNK):
                chunk, known = self._part(start, CHUNK)
                output = objective(chunk, known)
                error = squared_error(output.forward_pass.px.mean, output.forward_pass.x)
                found = {"loss": output.loss, "squared_error": error, **output.terms}
                for name, value in found.items():
                    sums[name] = sums.get(name, torch.zeros_like(value)) + value * len(chunk)
        objective.train(training)
        means = {name: total.item() / len(self.x) for name, total in sums.items()}
        loss, error_mean = means.pop("loss"), means.pop("squared_error")
        return {"loss": loss, "terms": means, "squared_error": error_mean}

    @torch.no_grad()
    def write_strip(self, objective: Objective, folder: Path, step: int) -> None:
        """Writes the first images' reconstructions as `<step>.png`, beside `originals.png`."""
        image = objective.model.sizes.image
        if image is None:
            return
        with writing(folder):
            folder.mkdir(parents=True, exist_ok=True)
        x, known = self._part(0, STRIP)
        if not (folder / "originals.png").exists():
            _write_row(folder / "originals.png", x.reshape(-1, *image))
        training = objective.training
        objective.eval()
        images = objective.model.forward(x, known).images
        objective.train(training)
        _write_row(folder / f"{step:09d}.png", images.reshape(-1, *image))

    def _part(self, start: int, n: int) -> tuple[Tensor, Tensor | None]:
        end = start + n
        known = None if self.known is None else self.known[start:end]
        return scaled(self.x[start:end]), known


def _write_row(path: Path, images: Tensor) -> None:
    """Images [N, C, H, W] in [0, 1] side by side as a PNG."""
    row = torch.cat(list(images.clamp(0, 1).mul(255).round().byte().cpu()), dim=-1)
    array = (row[0] if len(row) == 1 else row[:3].permute(1, 2, 0)).numpy()
    buffer = BytesIO()
    Image.fromarray(array).save(buffer, "PNG")
    write_bytes(path, buffer.getvalue())
