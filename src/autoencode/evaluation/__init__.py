"""Measuring: codes, reconstructions and figures with units, on data that training never saw."""

from autoencode.evaluation.classifier import Classifier, trained_classifier
from autoencode.evaluation.codes import kl_per_dimension, knn_accuracy, linear_probe
from autoencode.evaluation.figures import Evaluation, Record, evaluate
from autoencode.evaluation.generation import frechet_distance, label_fidelity
from autoencode.evaluation.likelihood import log_likelihood
from autoencode.evaluation.quality import psnr, squared_error, ssim
from autoencode.models.passes import decode, embed, reconstruct

__all__ = [
    "Classifier",
    "Evaluation",
    "Record",
    "decode",
    "embed",
    "evaluate",
    "frechet_distance",
    "kl_per_dimension",
    "knn_accuracy",
    "label_fidelity",
    "linear_probe",
    "log_likelihood",
    "psnr",
    "reconstruct",
    "squared_error",
    "ssim",
    "trained_classifier",
]
