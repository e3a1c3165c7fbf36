"""Training: one loop for every model, with checkpoints that resume bit for bit."""

from autoencode.train.fit import Fitted, fit, resume
from autoencode.train.many import Job, Outcome, fit_many
from autoencode.train.settings import Settings

__all__ = ["Fitted", "Job", "Outcome", "Settings", "fit", "fit_many", "resume"]
