"""Work beyond one training: sweeps over hyperparameters."""

from typing import TYPE_CHECKING

from autoencode.lazy import attach

if TYPE_CHECKING:
    from autoencode.scale.objectives import validation_values as validation_values
    from autoencode.scale.search import SweepPlan as SweepPlan
    from autoencode.scale.search import SweepResult as SweepResult
    from autoencode.scale.search import SweepTrial as SweepTrial
    from autoencode.scale.search import run_sweep as run_sweep
    from autoencode.scale.search import sweep as sweep

__getattr__, __dir__, __all__ = attach(
    __name__,
    {
        "objectives": ["validation_values"],
        "search": ["SweepPlan", "SweepResult", "SweepTrial", "run_sweep", "sweep"],
    },
)
