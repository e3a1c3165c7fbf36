"""Distributions and divergences that torch lacks, and numerical helpers."""

from autoencode.maths.bernoulli import BernoulliImages
from autoencode.maths.box import BoxUniform
from autoencode.maths.clusters import fit_gaussian_mixture, tsne_clusters
from autoencode.maths.discretised import (
    DiscretisedLogistic,
    DiscretisedLogisticMixture,
    LevelDistribution,
)
from autoencode.maths.jacobian import squared_jacobian
from autoencode.maths.levels import level_log_prob
from autoencode.maths.mixture import MixtureDistribution
from autoencode.maths.normal import NormalOfExamples, SharedScaleNormal, standard_normal
from autoencode.maths.planar import Planar
from autoencode.maths.power_spherical import PowerSpherical, SphereUniform
from autoencode.maths.precision import Float32Linear, autocast, exact_products, widen
from autoencode.maths.pushforward import Bijection, Composed, Pushforward, Tanh
from autoencode.maths.rows import RowDistribution
from autoencode.maths.similarity import SimilarityEnergy, ms_ssim, ssim
from autoencode.maths.sparse_products import decode_sparse, encode_sparse
from autoencode.maths.spline_flow import SplineFlow
from autoencode.maths.tracing import traced, tracing
from autoencode.maths.tsne import tsne_map

__all__ = [
    "BernoulliImages",
    "Bijection",
    "BoxUniform",
    "Composed",
    "DiscretisedLogistic",
    "DiscretisedLogisticMixture",
    "Float32Linear",
    "LevelDistribution",
    "MixtureDistribution",
    "NormalOfExamples",
    "Planar",
    "PowerSpherical",
    "Pushforward",
    "RowDistribution",
    "SharedScaleNormal",
    "SimilarityEnergy",
    "SphereUniform",
    "SplineFlow",
    "Tanh",
    "autocast",
    "decode_sparse",
    "encode_sparse",
    "exact_products",
    "fit_gaussian_mixture",
    "level_log_prob",
    "ms_ssim",
    "squared_jacobian",
    "ssim",
    "standard_normal",
    "traced",
    "tracing",
    "tsne_clusters",
    "tsne_map",
    "widen",
]
