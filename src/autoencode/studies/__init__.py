"""Studies: what a course asks its readers to find out, as one command each."""

from autoencode.studies.architecture import Architecture
from autoencode.studies.beta import Beta
from autoencode.studies.bottleneck import Bottleneck
from autoencode.studies.conditional import Conditional
from autoencode.studies.engine import carry_out_study
from autoencode.studies.generation import Generation
from autoencode.studies.noise import Noise
from autoencode.studies.priors import Priors
from autoencode.studies.regularisers import Regularisers
from autoencode.studies.study import Finding, Study, StudyPlan

STUDIES: dict[str, Study] = {
    study.name: study
    for study in (
        Bottleneck(),
        Architecture(),
        Noise(),
        Generation(),
        Priors(),
        Conditional(),
        Regularisers(),
        Beta(),
    )
}

__all__ = ["STUDIES", "Finding", "Study", "StudyPlan", "carry_out_study"]
