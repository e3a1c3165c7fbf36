"""Training: one loop for every model, with checkpoints that resume bit for bit."""

from autoencode.train.fit import fit, resume
from autoencode.train.many.jobs import Job, Outcome, fit_many
from autoencode.train.session import FitResult
from autoencode.train.settings import Settings

__all__ = ["FitResult", "Job", "Outcome", "Settings", "fit", "fit_many", "resume"]
