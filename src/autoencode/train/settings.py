"""The settings of training, which are also the training options of the command line."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from autoencode.arguments import Help, Within, check_fields
from autoencode.errors import RecipeError, did_you_mean

if TYPE_CHECKING:
    from autoencode.models.recipe import Recipe

Count = Annotated[int, Within(1, 10**9)]
Share = Annotated[float, Within(0.0, 1.0)]
Device = Literal["auto", "cpu", "cuda", "mps"]
Precision = Literal["auto", "bf16", "float32"]
Compile = Literal["auto", "on", "off"]


@dataclass(frozen=True)
class Settings:
    """The settings of a training run; each field's `Help` says what it sets.

    Raises:
        RecipeError: a value of a wrong type or out of its range.
    """

    steps: Annotated[Count, Help("Number of updates of the weights.")] = 15_000
    epochs: Annotated[
        Count | None,
        Help("Number of passes over the training data.", default="as many as --steps make"),
    ] = None
    batch_size: Annotated[Count, Help("Number of training examples in each update.")] = 200
    lr: Annotated[float, Within(0.0, 1e6), Help("Learning rate of Adam.")] = 1e-3
    schedule: Annotated[
        Literal["cosine", "constant"],
        Help("Learning rate schedule: cosine falls to 0 at the last step, constant stays."),
    ] = "cosine"
    warmup: Annotated[
        int,
        Within(0, 10**9),
        Help("Number of steps in which the learning rate first rises from 0."),
    ] = 0
    clip: Annotated[
        Annotated[float, Within(1e-9, 1e9)] | None,
        Help("Largest norm of the gradient, which is scaled down to it.", default="no limit"),
    ] = None
    weight_decay: Annotated[
        float, Within(0.0, 100.0), Help("Decoupled weight decay, as in AdamW.")
    ] = 0.0
    beta2: Annotated[
        float, Within(0.0, 0.999999), Help("Decay rate of Adam's mean of squared gradients.")
    ] = 0.999
    augment: Annotated[
        Share,
        Help("Share of the images of a batch that are slightly rotated, scaled and sheared."),
    ] = 0.0
    labelled: Annotated[
        Share | None,
        Help(
            "Share of each batch that is drawn from the labelled examples.",
            default="as in the data",
            flag="labelled-share",
        ),
    ] = None
    init: Annotated[
        str | None,
        Help(
            "Run whose weights training starts from; its networks must have the same sizes.",
            default="random weights",
            metavar="RUN",
        ),
    ] = None
    patience: Annotated[
        Count | None,
        Help(
            "Number of validations without improvement after which training stops.",
            default="train to the last step",
        ),
    ] = None
    validate_every: Annotated[
        Count | None,
        Help("Number of steps between validations.", default="a twentieth of all steps"),
    ] = None
    checkpoint_every: Annotated[
        Count | None,
        Help("Number of steps between checkpoints.", default="a twentieth of all steps"),
    ] = None
    snapshots: Annotated[
        Annotated[int, Within(2, 1000)] | None,
        Help(
            "Number of snapshots of the weights, which explore shows as a film of the training.",
            default="none",
        ),
    ] = None
    seed: Annotated[
        int, Within(0, 2**63 - 1), Help("Seed of the initial weights, the batches and the noise.")
    ] = 0
    device: Annotated[
        Device, Help("Device to train on; auto is cuda if there is one, else mps, else cpu.")
    ] = "auto"
    precision: Annotated[
        Precision,
        Help("Precision of the networks; auto is bf16 where the hardware has it, else float32."),
    ] = "auto"
    # On a processor, compiling takes half a minute, and the weights differ by rounding. "on" also
    # records several steps as one CUDA graph on a GPU.
    compile: Annotated[
        Compile,
        Help("Compile the training step; auto does so on a CPU where it saves time."),
    ] = "auto"
    tensorboard: Annotated[bool, Help("Write a log for TensorBoard into the run folder.")] = False

    def __post_init__(self) -> None:
        check_fields(self)

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
        """Number of updates in the whole training, for a data set of `examples` examples."""
        if self.epochs is None:
            return self.steps
        return self.epochs * max(1, examples // min(self.batch_size, examples))

    def to_dict(self) -> dict[str, Any]:
        """The settings as plain JSON."""
        return asdict(self)
