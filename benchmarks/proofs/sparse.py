"""Codes that are calm, and codes that are mostly zero."""

from __future__ import annotations

import torch

from autoencode.evaluation import embed, linear_probe
from proofs.claim import Claim
from proofs.training import Trained, Training, Workshop


def contractive(shop: Workshop) -> list[Claim | str]:
    """The encoder's Jacobian with and without its price, in the same net."""
    calm = shop.train(Training("contractive-ae"))
    plain = shop.train(Training("contractive-ae", sets={"terms.contractive": "none"}))
    (norm, free), (norm0, free0) = _slopes(calm, shop), _slopes(plain, shop)
    error, error0 = (each.metrics["squared_error"] for each in (calm, plain))
    return [
        Claim(
            "mean norm of the encoder's Jacobian ‖∂z/∂x‖ on test images, as a share of that of "
            "the same net without the term",
            [norm / norm0],
            at_most=0.5,
        ),
        Claim(
            "squared error on test images, as a multiple of that of the same net without the term",
            [error / error0],
            at_most=1.1,
        ),
        f"Norms {norm0:.3f} and {norm:.3f}, squared errors {error0:.3f} and {error:.3f}. Part of "
        "the fall is that codes shrink: divided by the codes' own root mean square, the norm is "
        f"{free / free0:.3f} of the plain net's.",
    ]


def _slopes(trained: Trained, shop: Workshop) -> tuple[float, float]:
    """Mean norm of ∂z/∂x over test images, and the same over the codes' root mean square."""
    model, x = trained.model, trained.data.test.x[: shop.few(2_000)].float() / 255
    norms = []
    for batch in x.split(100):
        jacobian = torch.func.vmap(torch.func.jacrev(lambda one: model.encoder(one[None])[0]))
        norms.append(jacobian(batch).flatten(1).norm(dim=1).detach())
    norm = torch.cat(norms).mean().item()
    codes = embed(model, trained.data.test.x)
    spread = (codes - codes.mean(0)).square().sum(1).mean().sqrt().item()
    return norm, norm / spread


def top_k(shop: Workshop) -> list[Claim | str]:
    """Exactly k numbers are active, and a linear classifier reads the class off them."""
    trained = shop.train(Training("sparse-top-k"))
    data, k = trained.data, trained.model.encoder.bottleneck.k
    codes = embed(trained.model, data.train.x), embed(trained.model, data.test.x)
    active = (codes[1] != 0).sum(1)
    wrong = 1 - linear_probe(codes[0], data.train.y, codes[1], data.test.y)
    return [
        Claim(
            f"share of test images with exactly k = {k} active numbers of {codes[1].shape[1]:,}",
            [(active == k).double().mean().item()],
            at_least=1.0,
        ),
        Claim(
            "error of a linear probe on the codes, fraction of test images",
            [wrong],
            at_most=0.03,
        ),
        f"Squared error {trained.metrics['squared_error']:.3f}.",
    ]
