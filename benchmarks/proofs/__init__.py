"""Proofs: what each family claims, measured on MNIST beside what its paper reports."""

from proofs.claim import Proof
from proofs.clusters import mixture_prior
from proofs.denoising import denoising
from proofs.generation import fitted_mixtures
from proofs.labels import conditional, semi_supervised
from proofs.likelihoods import flow, importance_weighted, ladder, one_layer, vamp
from proofs.sparse import contractive, top_k

PROOFS = {
    proof.row: proof
    for proof in (
        Proof(
            "vae", "One layer of 50 codes reaches the likelihood of the first papers.", one_layer
        ),
        Proof(
            "iwae",
            "Fifty importance samples in training: a better likelihood.",
            importance_weighted,
        ),
        Proof("vamp-vae", "A prior made of posteriors: a better likelihood.", vamp),
        Proof("flow-vae", "A prior that is a learned flow: a better likelihood.", flow),
        Proof("ladder-vae", "Two layers of codes: a better likelihood.", ladder),
        Proof("mog-vae", "A mixture as prior finds the digits without labels.", mixture_prior),
        Proof(
            "m2",
            "A classifier from a hundred labels.",
            semi_supervised("m2", 0.15, "0.1197 (Kingma 2014)"),
        ),
        Proof(
            "m1-m2",
            "The same on the codes of a VAE: better.",
            semi_supervised("m1-m2", 0.06, "0.0333 (Kingma 2014)"),
        ),
        Proof(
            "rae-l2",
            "A mixture fitted to the codes generates better than a prior.",
            fitted_mixtures,
        ),
        Proof("conv-denoising-ae", "Noise taken away, beside classical filters.", denoising),
        Proof("cvae", "Digits drawn as asked.", conditional),
        Proof("contractive-ae", "An encoder that moves little.", contractive),
        Proof("sparse-top-k", "Twenty-five active numbers of a thousand.", top_k),
    )
}
