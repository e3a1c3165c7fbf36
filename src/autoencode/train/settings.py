"""How a model is trained: every number that training takes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Annotated, Any, Literal, Self, get_type_hints

from autoencode.contract import Within
from autoencode.errors import RecipeError, did_you_mean
from autoencode.models.arguments import check_value
from autoencode.models.recipe import Recipe

Count = Annotated[int, Within(1, 10**9)]
Device = Literal["auto", "cpu", "cuda", "mps"]
Precision = Literal["auto", "bf16", "float32"]
Compile = Literal["auto", "on", "off"]


@dataclass(frozen=True)
class Settings:
    """The settings of a training; the defaults are the course's, with a cosine schedule.

    steps: updates of the weights.       epochs: passes over the data instead of steps.
    batch_size: images in one update.    lr: Adam's step size.
    schedule: "cosine" lets lr fall to 0 at the end, "constant" keeps it.
    warmup: steps over which lr first rises from 0.
    clip: largest norm of the gradient; None for no limit.
    weight_decay: decoupled, as in AdamW.
    beta2: how slowly Adam forgets the squares of the gradient.
    augment: share of the images of a batch that are turned, stretched and slanted a little, input
        and target alike; 0 for none.
    labelled: share of each batch that is drawn from the examples whose label is known, for models
        that learn from few labels; None leaves it to chance.
    init: folder of a run whose weights the training begins with, to go on with other data or
        another objective; encoder and decoder must be of the same sizes.
    patience: validations without improvement before training stops and the best weights are
        taken; None trains to the end.
    validate_every, checkpoint_every: steps between validations and checkpoints; None is a
        twentieth of the whole.
    film: steps at which the weights are kept, so that the explorer shows the training as a film.
    device: "auto" is cuda, then mps, then cpu.
    precision: "auto" is bf16 where the processor has it in hardware, else float32.
    compile: "auto" compiles the whole step on a processor where the training is so long that it
        saves more than the half minute it takes; the weights differ by rounding. "on" does so
        always, and on a GPU of CUDA records several steps and plays them back.
    """

    steps: Count = 15_000
    epochs: Count | None = None
    batch_size: Count = 200
    lr: Annotated[float, Within(0.0, 1e6)] = 1e-3
    schedule: Literal["cosine", "constant"] = "cosine"
    warmup: Annotated[int, Within(0, 10**9)] = 0
    clip: Annotated[float, Within(1e-9, 1e9)] | None = None
    weight_decay: Annotated[float, Within(0.0, 100.0)] = 0.0
    beta2: Annotated[float, Within(0.0, 0.999999)] = 0.999
    augment: Annotated[float, Within(0.0, 1.0)] = 0.0
    labelled: Annotated[float, Within(0.0, 1.0)] | None = None
    init: str | None = None
    patience: Count | None = None
    validate_every: Count | None = None
    checkpoint_every: Count | None = None
    snapshots: Annotated[int, Within(2, 1000)] | None = None
    seed: Annotated[int, Within(0, 2**63 - 1)] = 0
    device: Device = "auto"
    precision: Precision = "auto"
    compile: Compile = "auto"
    tensorboard: bool = False

    def __post_init__(self) -> None:
        kinds = get_type_hints(Settings, include_extras=True)
        for name in kinds:
            check_value(getattr(self, name), kinds[name], name)

    @classmethod
    def of(cls, recipe: Recipe, given: Mapping[str, Any]) -> Self:
        """The settings of a recipe, with those that the user `given` over them.

        Raises:
            RecipeError: a setting that does not exist, or a value out of its range.
        """
        known = [f.name for f in fields(cls)]
        merged = {**recipe.training, **given}
        for name in merged:
            if name not in known:
                raise RecipeError(f'There is no setting "{name}"', did_you_mean(name, known))
        return cls(**merged)

    def total_steps(self, examples: int) -> int:
        """Updates in the whole training, for a data set of so many examples."""
        if self.epochs is None:
            return self.steps
        return self.epochs * max(1, examples // min(self.batch_size, examples))

    def to_dict(self) -> dict[str, Any]:
        """The settings as plain JSON."""
        return asdict(self)
