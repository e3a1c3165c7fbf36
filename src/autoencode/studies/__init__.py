"""Studies: eight questions about autoencoders, each answered by one command."""

from autoencode.studies.architecture import ArchitectureStudy
from autoencode.studies.beta import BetaStudy
from autoencode.studies.bottleneck import BottleneckStudy
from autoencode.studies.conditional import ConditionalStudy
from autoencode.studies.engine import run_study
from autoencode.studies.generation import GenerationStudy
from autoencode.studies.noise import NoiseStudy
from autoencode.studies.priors import PriorsStudy
from autoencode.studies.regularisers import RegularisersStudy
from autoencode.studies.results import StudyPlan
from autoencode.studies.rules import Finding, Verdict
from autoencode.studies.study import Study

STUDIES: dict[str, Study] = {
    study.name: study
    for study in (
        BottleneckStudy(),
        ArchitectureStudy(),
        NoiseStudy(),
        GenerationStudy(),
        PriorsStudy(),
        ConditionalStudy(),
        RegularisersStudy(),
        BetaStudy(),
    )
}

__all__ = ["STUDIES", "Finding", "Study", "StudyPlan", "Verdict", "run_study"]
