"""Training: one loop for every model, with checkpoints that resume bit for bit."""

from typing import TYPE_CHECKING

from autoencode.lazy import attach

if TYPE_CHECKING:
    from autoencode.train.entry import fit as fit
    from autoencode.train.entry import resume as resume
    from autoencode.train.session import FitResult as FitResult
    from autoencode.train.settings import Settings as Settings

__getattr__, __dir__, __all__ = attach(
    __name__,
    {
        "entry": ["fit", "resume"],
        "session": ["FitResult"],
        "settings": ["Settings"],
    },
)
