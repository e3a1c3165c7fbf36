"""Work beyond one training: many trainings on many processes, and sweeps."""

from typing import TYPE_CHECKING

from autoencode.lazy import attach

if TYPE_CHECKING:
    from autoencode.scale.jobs import Job as Job
    from autoencode.scale.jobs import Outcome as Outcome
    from autoencode.scale.many import fit_many as fit_many
    from autoencode.scale.objectives import validation_values as validation_values
    from autoencode.scale.plan import SweepPlan as SweepPlan
    from autoencode.scale.plan import SweepResult as SweepResult
    from autoencode.scale.plan import SweepTrial as SweepTrial
    from autoencode.scale.search import run_sweep as run_sweep
    from autoencode.scale.search import sweep as sweep

__getattr__, __dir__, __all__ = attach(
    __name__,
    {
        "jobs": ["Job", "Outcome"],
        "many": ["fit_many"],
        "objectives": ["validation_values"],
        "plan": ["SweepPlan", "SweepResult", "SweepTrial"],
        "search": ["run_sweep", "sweep"],
    },
)
