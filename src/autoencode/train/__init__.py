"""Training: one loop for every model, with checkpoints that resume bit for bit."""

from autoencode.train.fit import fit, resume
from autoencode.train.many.jobs import Job, Outcome, fit_many
from autoencode.train.settings import Settings
from autoencode.train.training import Fitted

__all__ = ["Fitted", "Job", "Outcome", "Settings", "fit", "fit_many", "resume"]
