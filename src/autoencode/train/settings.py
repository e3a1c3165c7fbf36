"""The settings of training, which are also the training options of the command line."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from autoencode.arguments import Count, Seed, Share, Within, check_fields, option
from autoencode.errors import RecipeError, did_you_mean

if TYPE_CHECKING:
    from autoencode.models.recipe import Recipe

Device = Literal["auto", "cpu", "cuda", "mps"]
Precision = Literal["auto", "bf16", "float32"]
Compile = Literal["auto", "on", "off"]

# The schedules of the learning rate that use a setting.
SCHEDULES_WITH = {
    "schedule_steps": ("restarts", "cyclic", "step"),
    "schedule_factor": ("step", "cyclic"),
}


@dataclass(frozen=True)
class Settings:
    """The settings of a training run; the help of each field says what it sets.

    Raises:
        RecipeError: a value of a wrong type or out of its range.
    """

    steps: Count = option(15_000, "Number of updates of the weights.")
    epochs: Count | None = option(
        None, "Number of times that each training example is used.", shown="as many as --steps make"
    )
    batch_size: Count = option(200, "Number of training examples in each update.")
    lr: Annotated[float, Within(0.0, 1e6)] = option(1e-3, "Learning rate of Adam.")
    schedule: Literal["cosine", "constant", "restarts", "cyclic", "step"] = option(
        "cosine",
        "Learning rate schedule: cosine falls to 0 at the last step, constant stays, restarts "
        "falls to 0 in each cycle, cyclic rises and falls linearly in each cycle, step drops.",
        metavar="NAME",
    )
    schedule_steps: Count | None = option(
        None,
        "Number of steps of a cycle (restarts, cyclic) or from one drop to the next (step).",
        shown="a quarter of all steps",
    )
    schedule_factor: Annotated[float, Within(0.0, 1.0)] | None = option(
        None,
        "Factor of the learning rate at each drop (step), or its share between cycles (cyclic).",
        shown="0.1",
    )
    warmup: Annotated[int, Within(0, 10**9)] = option(
        0, "Number of steps in which the learning rate first rises from 0."
    )
    clip: Annotated[float, Within(1e-9, 1e9)] | None = option(
        None, "Largest norm of the gradient, which is scaled down to it.", shown="no limit"
    )
    weight_decay: Annotated[float, Within(0.0, 100.0)] = option(
        0.0, "Decoupled weight decay, as in AdamW."
    )
    beta2: Annotated[float, Within(0.0, 0.999999)] = option(
        0.999, "Decay rate of Adam's mean of squared gradients."
    )
    ema: Annotated[float, Within(0.0, 0.999999)] | None = option(
        None,
        "Decay of a moving average of the weights, such as 0.999; validation and the trained model "
        "use the average.",
        shown="the weights of the last step",
    )
    accumulate: Count = option(
        1,
        "Number of parts of a batch whose gradients are added to one update, which saves memory; "
        "batch normalisation and terms that compare examples see one part.",
    )
    augment: Share = option(
        0.0, "Share of the images of a batch that are slightly rotated, scaled and sheared."
    )
    flip: bool | None = option(
        None,
        "Mirror each image left to right with probability 1/2, as suits photographs.",
        shown="for continuous images that PCA describes as well when they are mirrored",
    )
    labelled: Share | None = option(
        None,
        "Share of each batch that is drawn from the labelled examples.",
        shown="as in the data",
        flag="labelled-share",
    )
    init: str | None = option(
        None,
        "Run whose weights training starts from; its networks must have the same sizes.",
        shown="random weights",
        metavar="RUN",
    )
    freeze: Literal["encoder", "decoder"] | None = option(
        None,
        "Half of the model whose weights stay as they are; for fine-tuning with --init.",
        shown="none",
    )
    patience: Count | None = option(
        None,
        "Number of validations without improvement after which training stops.",
        shown="train to the last step",
    )
    validate_every: Count | None = option(
        None, "Number of steps between validations.", shown="a twentieth of all steps"
    )
    checkpoint_every: Count | None = option(
        None, "Number of steps between checkpoints.", shown="a twentieth of all steps"
    )
    snapshots: Annotated[int, Within(2, 1000)] | None = option(
        None,
        "Number of snapshots of the weights, from which explore shows the training.",
        shown="none",
    )
    seed: Seed = option(0, "Seed of the initial weights, the batches and the noise.")
    device: Device = option(
        "auto", "Device to train on; auto is cuda if there is one, else mps, else cpu."
    )
    precision: Precision = option(
        "auto", "Precision of the networks; auto is bf16 where the hardware has it, else float32."
    )
    # Compiling takes half a minute on a processor, and the weights differ by rounding.
    compile: Compile = option(
        "auto",
        "Compile the training step: always (on), or on a CPU where it saves time (auto).",
    )
    tensorboard: bool = option(False, "Write a log for TensorBoard into the run folder.")
    # Of a training that continues a finished run: what that run had done, see `entry.resume`.
    done_steps: Annotated[int, Within(0, 10**9)] = 0
    done_epochs: Annotated[float, Within(0.0, 1e9)] = 0.0

    def __post_init__(self) -> None:
        check_fields(self)
        for name, schedules in SCHEDULES_WITH.items():
            if getattr(self, name) is not None and self.schedule not in schedules:
                raise RecipeError(
                    f'{name} has no meaning with the schedule "{self.schedule}"',
                    f"Leave --{name.replace('_', '-')} out, or use --schedule {schedules[0]}.",
                )

    @classmethod
    def of(cls, recipe: Recipe, given: Mapping[str, Any]) -> Self:
        """The settings of a recipe, replaced by those that the user has `given`.

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
        """Number of updates of this training, for a data set of `examples` examples."""
        if self.epochs is None:
            return self.steps
        # The last batch may be filled with examples of one epoch more: all have one size.
        return math.ceil(self.epochs * examples / min(self.batch_size, examples))

    def to_dict(self) -> dict[str, Any]:
        """The settings as plain JSON."""
        return asdict(self)
