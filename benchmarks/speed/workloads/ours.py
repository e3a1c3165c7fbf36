"""This package, in a process with the settings of its command."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Literal

from autoencode.cli.process import prepare

prepare()  # before torch is imported

import torch  # noqa: E402
from torch import Tensor  # noqa: E402

from autoencode.data import load_data  # noqa: E402
from autoencode.evaluation import (  # noqa: E402
    decode,
    embed,
    log_likelihood,
    reconstruct,
    squared_error,
)
from autoencode.models.build import Model, build, parameter_count, sizes_for  # noqa: E402
from autoencode.models.inference import seeded  # noqa: E402
from autoencode.models.recipe import Recipe  # noqa: E402
from autoencode.models.recipes.table import RECIPES  # noqa: E402
from autoencode.train.settings import Settings  # noqa: E402
from autoencode.train.step import StepOutput  # noqa: E402
from autoencode.train.trainer import Trainer  # noqa: E402
from speed.workloads.steps import Steps, ThreadedTrainer  # noqa: E402


def _recipe(name: str, latent: int | None) -> Recipe:
    recipe = RECIPES[name]
    return recipe if latent is None else recipe.but(latent=latent)


def trainer_of(source: str, name: str, latent: int | None, **options: Any) -> Trainer:
    """The trainer of a recipe as it stands in the table, not adapted to the data."""
    data, recipe = load_data(source), _recipe(name, latent)
    settings = Settings.of(recipe, {"device": "cpu", **options})
    model = build(recipe, sizes_for(recipe, data.shape, n=len(data.train)), seed=settings.seed)
    return Trainer(model, recipe, data, settings, None, False)


def _model(shape: list[int], name: str, latent: int | None) -> Model:
    recipe = _recipe(name, latent)
    return build(recipe, sizes_for(recipe, tuple(shape), n=1), seed=0)


def train(
    on_step: Callable[[], object],
    source: str,
    recipe: str,
    precision: str,
    steps: int,
    compile: str = "auto",
    latent: int | None = None,
) -> None:
    """Trains a recipe with its log, without validation and checkpoints.

    on_step: is called after each step.
    """
    options = {"precision": precision, "compile": compile, "validate_every": 10**9}
    trainer = trainer_of(source, recipe, latent, steps=steps, **options)
    update = trainer.update

    def update_and_call() -> StepOutput:
        output = update()
        on_step()
        return output

    trainer.update = update_and_call  # type: ignore[method-assign]
    trainer.run()


def training(**arguments: Any) -> ThreadedTrainer:
    """`train`, a block of steps at a time."""
    return ThreadedTrainer(lambda on_step: train(on_step, **arguments))


def trained(
    source: str, recipe: str, settings: dict[str, Any], latent: int | None = None
) -> dict[str, Any]:
    """Trains a recipe; its squared error on all test images, parameters, steps and seconds."""
    trainer = trainer_of(source, recipe, latent, **settings)
    torch.manual_seed(trainer.settings.seed)
    trainer.run()
    x = trainer.data.test.x
    return {
        "error": squared_error(x, reconstruct(trainer.model.eval(), x)).mean().item(),
        "parameters": parameter_count(trainer.model),
        "steps": trainer.step,
        "seconds": trainer.state.seconds,
    }


def errors(source: str, precision: str, steps: int, seeds: list[int], latent: int) -> list[float]:
    """The test error of the course's network for each seed."""
    options = {"precision": precision, "steps": steps}
    return [trained(source, "ae", {**options, "seed": seed}, latent)["error"] for seed in seeds]


def plain_errors(source: str, steps: int, seeds: list[int], latent: int) -> list[float]:
    """The test error of a plain float32 loop for each seed: Adam, 1e-3 with a cosine schedule.

    Initial weights and order of the batches are those of this package: with two latent dimensions,
    another order changes the error by some percent.
    """
    return [_plain_error(source, steps, seed, latent) for seed in seeds]


def _plain_error(source: str, steps: int, seed: int, latent: int) -> float:
    from speed.workloads.nets import course_net
    from speed.workloads.plain import step

    ours = trainer_of(source, "ae", latent, steps=steps, seed=seed)
    net = course_net(latent)
    with torch.no_grad():
        for mine, theirs in zip(net.parameters(), ours.model.parameters(), strict=True):
            mine.copy_(theirs)
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    for number in range(steps):
        x = _flat(ours.batches[number].raw)
        step(optimizer, (net(x) - x).square().sum(1).mean())
        schedule.step()
    test = _flat(ours.data.test.x)
    with torch.no_grad():
        return (net(test) - test).square().sum(1).mean().item()


def _flat(x: Tensor) -> Tensor:
    return x.flatten(1).float() / (255 if x.dtype == torch.uint8 else 1)


def embedding(source: str, recipe: str, latent: int) -> Steps:
    """`autoencode.embed` of all training and validation images."""
    data = load_data(source)
    x = torch.cat([data.train.x, data.validation.x])
    model = _model(list(data.shape), recipe, latent)

    def steps() -> Iterator[None]:
        while True:
            embed(model, x)
            yield

    return Steps(steps())


def generating(shape: list[int], recipe: str, latent: int, images: int) -> Steps:
    """Images from the prior, as `autoencode generate` decodes them."""
    model = _model(shape, recipe, latent)

    def steps() -> Iterator[None]:
        while True:
            with torch.no_grad(), seeded(0, torch.device("cpu")):
                z = model.sampler().sample((images,))
            decode(model, z)
            yield

    return Steps(steps())


def likelihood(
    source: str,
    recipe: str,
    latent: int,
    images: int,
    samples: int,
    precision: Literal["float32", "bf16"] = "float32",
) -> Steps:
    """ln p(x) of test images by importance sampling."""
    data = load_data(source)
    model = _model(list(data.shape), recipe, latent)

    def steps() -> Iterator[None]:
        while True:
            log_likelihood(model, data.test.x[:images], samples=samples, precision=precision)
            yield

    return Steps(steps())
