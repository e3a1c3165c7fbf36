"""The weights of critics, which adversarial terms train: in a file beside those of the model.

Only evaluation and the continuing of a training use them; every other use of a model does without.
"""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Mapping
from pathlib import Path

from torch import Tensor

from autoencode.contract import Adversary
from autoencode.errors import ResourceError, RunError
from autoencode.io.tensors import read_tensors, reading_tensors, write_tensors
from autoencode.models.build import Model
from autoencode.models.inference import seeded
from autoencode.models.objective import Objective
from autoencode.models.recipe import Recipe
from autoencode.models.weights import misfits, not_finite
from autoencode.parts import SLOTS

FILE = "critics.safetensors"


def critic_terms(recipe: Recipe) -> list[str]:
    """The names of the terms that have a critic."""
    kinds = {name: SLOTS["terms"][spec.kind] for name, spec in recipe.terms.items()}
    return [name for name, kind in kinds.items() if issubclass(kind, Adversary)]


def evaluation_objective(model: Model) -> Objective:
    """The objective of a model in evaluation mode, with the critics of its training if it has them.

    Without them its critics are untrained, under a fixed seed. Torch's random state is kept.
    """
    device = next(model.parameters()).device
    with seeded(0, device):
        objective = Objective(model, model.recipe, model.sizes)
    if model.critics:
        objective.terms.load_state_dict(dict(model.critics))
    objective.terms.to(device).eval()
    return objective


def weights_of_critics(objective: Objective) -> dict[str, Tensor] | None:
    """Copies of the weights of all critics, on the CPU; None for an objective without critics."""
    if not objective.critics():
        return None
    return {name: t.detach().cpu().clone() for name, t in objective.terms.state_dict().items()}


def write_critics(weights: Path, critics: Mapping[str, Tensor] | None) -> None:
    """Writes the critics of a model beside the file of its weights, if it has any."""
    if critics:
        write_tensors(weights.with_name(FILE), critics, {"weights": file_sha256(weights)})


def read_critics(weights: Path, model: Model) -> Mapping[str, Tensor] | None:
    """The critics beside the weights of a model; None, and a warning, if the file is not theirs.

    None without a file, which is no fault: a run may be shared without it.
    """
    path = weights.with_name(FILE)
    if not path.exists():
        return None
    try:
        tensors, meta = read_tensors(path)
    except (RunError, ResourceError) as error:
        wrong = error.what
    else:
        wanted = evaluation_objective(model).terms.state_dict()
        found = misfits(wanted, tensors) or not_finite(wanted, tensors)
        if meta.get("weights") != file_sha256(weights):
            found = ["they were trained with other weights"]
        if not found:
            return tensors
        wrong = f"The critics in {path} do not fit the model: {found[0]}"
    warnings.warn(
        f"{wrong}. They are not used, and evaluation leaves out what needs them", stacklevel=4
    )
    return None


def file_sha256(path: Path) -> str:
    """The SHA-256 of a file of tensors, 64 hexadecimal digits.

    Raises:
        RunError, ResourceError: as `reading_tensors`.
    """
    with reading_tensors(path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
