"""What the pictures of studies look at."""

from __future__ import annotations

import torch
from torch import Tensor

from autoencode.data import Data, scaled
from autoencode.evaluation import decode, reconstruct
from autoencode.evaluation.context import EvaluationContext
from autoencode.models.conditions import conditioning
from autoencode.studies.study import Result

CPU = torch.device("cpu")


def originals(data: Data, n: int) -> Tensor:
    """The first test examples, [n, *X] in [0, 1]."""
    return scaled(data.test.x[:n])


def reconstructions(result: Result, data: Data, n: int) -> Tensor:
    """What a model makes of the first test examples, [n, *X]."""
    told = conditioning(result.training.recipe, data.test)
    return reconstruct(result.run.load_model(), data.test.x[:n], None if told is None else told[:n])


def samples(result: Result, data: Data, n: int) -> Tensor:
    """Decoded random codes, the same for every model of one code and distribution, [n, *X].

    A model that has no distribution to draw from: codes of the box that its training codes fill.
    """
    subject = EvaluationContext(result.run.load_model(), data)
    codes, _ = subject.random_codes(n)
    codes = subject.box_codes(n) if codes is None else codes
    return decode(subject.model, codes, subject.context_of_random(n)).clamp(0, 1)
