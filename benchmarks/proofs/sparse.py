"""Contractive and sparse codes."""

from __future__ import annotations

import torch

from autoencode.evaluation import embed, linear_probe_hits
from proofs.claim import Claim
from proofs.runner import ProofRunner, TrainCommand, TrainedRun


def contractive(runner: ProofRunner) -> list[Claim | str]:
    """The norm of the encoder's Jacobian with and without the contractive term."""
    contractive_ae = runner.train(TrainCommand("contractive-ae"))
    plain = runner.train(TrainCommand("contractive-ae", sets={"terms.contractive": "none"}))
    both = (contractive_ae, plain)
    (norm, relative), (norm0, relative0) = (_jacobian_norms(each, runner) for each in both)
    error, error0 = (each.metrics["squared_error"] for each in both)
    return [
        Claim(
            "mean norm of the encoder's Jacobian ‖∂z/∂x‖ on test images, divided by that of the "
            "same network without the term",
            [norm / norm0],
            at_most=0.5,
        ),
        Claim(
            "squared error on test images, divided by that of the same network without the term",
            [error / error0],
            at_most=1.1,
        ),
        f"Without and with the term: norms {norm0:.3f} and {norm:.3f}, squared errors {error0:.3f} "
        f"and {error:.3f}. The norm is smaller in part because the codes are smaller: divided by "
        f"the root mean square of the codes, the norm is {relative / relative0:.3f} of that "
        "without the term.",
    ]


def _jacobian_norms(trained: TrainedRun, runner: ProofRunner) -> tuple[float, float]:
    """Mean norm of ∂z/∂x over test images; the same, divided by the codes' root mean square."""
    model, x = trained.model, trained.data.test.x[: runner.limit(2_000)].float() / 255
    norms = []
    for batch in x.split(100):
        jacobian = torch.func.vmap(torch.func.jacrev(lambda one: model.encoder(one[None])[0]))
        norms.append(jacobian(batch).flatten(1).norm(dim=1).detach())
    norm = torch.cat(norms).mean().item()
    codes = embed(model, trained.data.test.x)
    spread = (codes - codes.mean(0)).square().sum(1).mean().sqrt().item()
    return norm, norm / spread


def top_k(runner: ProofRunner) -> list[Claim | str]:
    """The number of active dimensions, and the error of a linear probe."""
    trained = runner.train(TrainCommand("sparse-top-k"))
    data, k = trained.data, trained.model.encoder.bottleneck.k
    codes = embed(trained.model, data.train.x), embed(trained.model, data.test.x)
    active = (codes[1] != 0).sum(1)
    hits = linear_probe_hits(codes[0], data.train.y, codes[1], data.test.y)
    wrong = 1 - hits.double().mean().item()
    return [
        Claim(
            f"share of test images with exactly k = {k} of {codes[1].shape[1]:,} dimensions active",
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
