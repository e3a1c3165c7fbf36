"""Measuring: codes, reconstructions and figures with units, on data that training never saw."""

from autoencode.evaluate.codes import kl_per_dimension, knn_accuracy
from autoencode.evaluate.evaluate import Evaluation, Record, evaluate
from autoencode.evaluate.passes import decode, embed, reconstruct
from autoencode.evaluate.quality import psnr, squared_error, ssim

__all__ = [
    "Evaluation",
    "Record",
    "decode",
    "embed",
    "evaluate",
    "kl_per_dimension",
    "knn_accuracy",
    "psnr",
    "reconstruct",
    "squared_error",
    "ssim",
]
