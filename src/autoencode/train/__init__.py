"""Training: one loop for every model, with checkpoints that resume bit for bit."""

from autoencode.train.fit import Fitted, fit, resume
from autoencode.train.settings import Settings

__all__ = ["Fitted", "Settings", "fit", "resume"]
