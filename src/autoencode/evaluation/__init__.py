"""Measuring: codes, reconstructions and figures with units, on data that training never saw."""

from autoencode.evaluation.codes import kl_per_dimension, knn_accuracy
from autoencode.evaluation.figures import Evaluation, Record, evaluate
from autoencode.evaluation.likelihood import log_likelihood
from autoencode.evaluation.quality import psnr, squared_error, ssim
from autoencode.models.passes import decode, embed, reconstruct

__all__ = [
    "Evaluation",
    "Record",
    "decode",
    "embed",
    "evaluate",
    "kl_per_dimension",
    "knn_accuracy",
    "log_likelihood",
    "psnr",
    "reconstruct",
    "squared_error",
    "ssim",
]
