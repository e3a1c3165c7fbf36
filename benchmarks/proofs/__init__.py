"""Proofs: recipes trained on MNIST and compared with the results of their papers."""

from proofs.claim import Proof
from proofs.clusters import mixture_prior
from proofs.denoising import denoising
from proofs.generation import fitted_mixtures
from proofs.labels import conditional, semi_supervised
from proofs.likelihoods import flow, importance_weighted, ladder, one_layer, vamp
from proofs.masked import masked
from proofs.sparse import contractive, top_k

PROOFS = {
    proof.row: proof
    for proof in (
        Proof(
            "vae",
            "One layer with 50 latent dimensions reaches the likelihood of the first papers.",
            one_layer,
        ),
        Proof(
            "iwae",
            "Fifty importance samples in training give a better likelihood.",
            importance_weighted,
        ),
        Proof("vamp-vae", "A mixture of posteriors as prior gives a better likelihood.", vamp),
        Proof("flow-vae", "A learned flow as prior gives a better likelihood.", flow),
        Proof("ladder-vae", "Two latent layers give a better likelihood.", ladder),
        Proof("mog-vae", "A mixture prior finds the digits without labels.", mixture_prior),
        Proof(
            "m2",
            "A classifier is learned from a hundred labels.",
            semi_supervised("m2", 0.08, "0.1197 (Kingma 2014)", augment=0.5),
        ),
        Proof(
            "m1-m2",
            "On the codes of a VAE, a hundred labels give a better classifier.",
            semi_supervised("m1-m2", 0.0333, "0.0333 (Kingma 2014)", augment=0.5),
        ),
        Proof(
            "rae-l2",
            "A mixture fitted to the codes generates better images than the prior of a VAE.",
            fitted_mixtures,
        ),
        Proof("conv-denoising-ae", "Denoising is better than with classical filters.", denoising),
        Proof(
            "masked-ae",
            "Hidden patches are restored better than by inpainting, and codes classify better.",
            masked,
        ),
        Proof("cvae", "Generated digits are of the given class.", conditional),
        Proof("contractive-ae", "Codes change less when pixels change.", contractive),
        Proof("sparse-top-k", "Twenty-five of a thousand dimensions are active.", top_k),
    )
}
