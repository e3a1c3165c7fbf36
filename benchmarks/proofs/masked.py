"""Hidden patches restored by a masked autoencoder and by inpainting; and what its codes know."""

from __future__ import annotations

import numpy as np
import torch
from skimage.restoration import inpaint_biharmonic
from torch import Tensor

from autoencode.data import scaled
from autoencode.evaluation import embed, linear_probe_hits, squared_error
from autoencode.models.inference import seeded
from proofs.claim import Claim
from proofs.runner import ProofRunner, TrainCommand, TrainedRun

STEPS = 4_000
# Images on which the filter, which takes 0.1 s for each, is compared.
FILTERED_IMAGES = 1_000


def masked(runner: ProofRunner) -> list[Claim | str]:
    """Squared error of hidden pixels, and a linear probe of codes, with and without hiding."""
    trained = runner.train(TrainCommand("masked-ae", {"steps": STEPS}))
    without = {"model": "slots", "corruption": "none"}
    plain = runner.train(TrainCommand("masked-ae", {"steps": STEPS}, without))
    x = scaled(trained.data.test.x[: runner.limit(FILTERED_IMAGES)])
    hidden, restored = _restored(trained, x)
    inpainted = torch.from_numpy(
        np.stack(
            [
                inpaint_biharmonic(image, mask)
                for image, mask in zip((x * ~hidden).numpy(), hidden.numpy(), strict=True)
            ]
        )
    ).clamp(0, 1)
    errors = [
        squared_error(x * hidden, images * hidden).mean().item()
        for images in (restored, inpainted, x.mean(0).expand_as(x))
    ]
    wrong, wrong0 = (_probe_error(each) for each in (trained, plain))
    return [
        Claim(
            "squared error of hidden pixels, three quarters of an image, by biharmonic inpainting "
            f"of {len(x):,} test images, divided by that of the model",
            [errors[1] / errors[0]],
            at_least=2.0,
        ),
        Claim(
            "error of a linear probe on the codes of test images, divided by that of the same "
            "network, trained for as many steps without hiding patches",
            [wrong / wrong0],
            at_most=1.0,
        ),
        f"Squared errors of hidden pixels: model {errors[0]:.2f}, inpainting {errors[1]:.2f}, the "
        f"mean image {errors[2]:.2f}. Errors of the probe: {wrong:.2%} and, without hiding, "
        f"{wrong0:.2%}. Squared errors of complete images: {trained.metrics['squared_error']:.2f} "
        f"and, without hiding, {plain.metrics['squared_error']:.2f}.",
    ]


def _restored(trained: TrainedRun, x: Tensor) -> tuple[Tensor, Tensor]:
    """Which pixels are hidden, and images restored from the others, [N, 28, 28] each."""
    model, pixels, images = trained.model, [], []
    for seed, batch in enumerate(x.split(500)):
        with torch.no_grad(), seeded(seed, batch.device):
            images.append(model.forward_pass(batch).px.mean)
        with seeded(seed, batch.device):  # the same patches
            pixels.append(model.corruption(torch.ones_like(batch)) == 0)
    return torch.cat(pixels), torch.cat(images)


def _probe_error(trained: TrainedRun) -> float:
    """Error of a linear probe on codes of the training part, for test images."""
    data = trained.data
    codes = [embed(trained.model, part.x).flatten(1) for part in (data.train, data.test)]
    hits = linear_probe_hits(codes[0], data.train.y, codes[1], data.test.y)
    return 1 - hits.double().mean().item()
