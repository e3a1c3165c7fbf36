"""Loss terms: each is unweighted, states its unit, and is better if it is lower."""

from autoencode.contract import Term
from autoencode.parts.terms.adversaries import Factor, MatchPrior
from autoencode.parts.terms.bounds import (
    CombinationImportanceWeighted,
    DoublyReparametrised,
    ImportanceWeighted,
    MultiplyImportanceWeighted,
    PartiallyImportanceWeighted,
)
from autoencode.parts.terms.disentangle import InferredPriorMatch, TotalCorrelation
from autoencode.parts.terms.elbo import KL, ClusterKL, Reconstruction
from autoencode.parts.terms.image_critic import ImageCritic
from autoencode.parts.terms.kl import Capacity, FreeBits
from autoencode.parts.terms.matching import MaximumMeanDiscrepancy, SlicedWasserstein
from autoencode.parts.terms.smoothness import Contractive, DecoderSmooth
from autoencode.parts.terms.sparsity import L1, L2, KLSparsity

TERMS: dict[str, type[Term]] = {
    "reconstruction": Reconstruction,
    "kl": KL,
    "cluster-kl": ClusterKL,
    "l1": L1,
    "l2": L2,
    "kl-sparsity": KLSparsity,
    "contractive": Contractive,
    "decoder-smooth": DecoderSmooth,
    "capacity": Capacity,
    "free-bits": FreeBits,
    "iwae": ImportanceWeighted,
    "iwae-dreg": DoublyReparametrised,
    "miwae": MultiplyImportanceWeighted,
    "piwae": PartiallyImportanceWeighted,
    "ciwae": CombinationImportanceWeighted,
    "total-correlation": TotalCorrelation,
    "dip": InferredPriorMatch,
    "mmd": MaximumMeanDiscrepancy,
    "sliced-wasserstein": SlicedWasserstein,
    "factor": Factor,
    "match-prior": MatchPrior,
    "image-critic": ImageCritic,
}

__all__ = ["TERMS"]
