"""This program, in a process that is set up as its command sets up its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from autoencode.cli.process import prepare

prepare()  # before torch is loaded

import torch  # noqa: E402
from torch import Tensor  # noqa: E402

from autoencode.data import load_data  # noqa: E402
from autoencode.evaluation import decode, embed, log_likelihood, squared_error  # noqa: E402
from autoencode.evaluation import reconstruct as restored  # noqa: E402
from autoencode.models.build import Model, build, parameter_count, sizes_for  # noqa: E402
from autoencode.models.inference import seeded  # noqa: E402
from autoencode.models.recipe import Recipe  # noqa: E402
from autoencode.models.recipes.table import RECIPES  # noqa: E402
from autoencode.train.settings import Settings  # noqa: E402
from autoencode.train.trainer import Trainer  # noqa: E402
from speed.contenders.steps import Paused, Steps  # noqa: E402


def _row(recipe: str, latent: int | None) -> Recipe:
    row = RECIPES[recipe]
    return row if latent is None else row.but(latent=latent)


def _trainer(source: str, recipe: str, latent: int | None, **given: Any) -> Trainer:
    data, row = load_data(source), _row(recipe, latent)
    settings = Settings.of(row, {"device": "cpu", **given})
    model = build(row, sizes_for(row, data.shape, n=len(data.train)), seed=settings.seed)
    return Trainer(model, row, data, settings, None, False)


def _model(shape: list[int], recipe: str, latent: int | None) -> Model:
    row = _row(recipe, latent)
    return build(row, sizes_for(row, tuple(shape), n=1), seed=0)


def train(
    stepped: Callable[[], object],
    source: str,
    recipe: str,
    precision: str,
    steps: int,
    compile: str = "auto",
    latent: int | None = None,
) -> None:
    """A training of so many steps, with its log, without validation and checkpoints.

    stepped: is called after each step.
    """
    given = {"precision": precision, "compile": compile, "validate_every": 10**9}
    trainer = _trainer(source, recipe, latent, steps=steps, **given)
    update = trainer.update

    def watched() -> Any:
        found = update()
        stepped()
        return found

    trainer.update = watched  # type: ignore[method-assign]
    trainer.run()


def training(**given: Any) -> Paused:
    """That training, a block of steps at a time."""
    return Paused(lambda stepped: train(stepped, **given))


def trained(
    source: str, recipe: str, settings: dict[str, Any], latent: int | None = None
) -> dict[str, Any]:
    """Squared error on all test images after a training, its steps and seconds, and parameters."""
    trainer = _trainer(source, recipe, latent, **settings)
    torch.manual_seed(trainer.settings.seed)
    trainer.run()
    x = trainer.data.test.x
    return {
        "error": squared_error(x, restored(trainer.model.eval(), x)).mean().item(),
        "parameters": parameter_count(trainer.model),
        "steps": trainer.step,
        "seconds": trainer.state.seconds,
    }


def errors(source: str, precision: str, steps: int, seeds: list[int], latent: int) -> list[float]:
    """The test error of the course's net for each seed."""
    given = {"precision": precision, "steps": steps}
    return [trained(source, "ae", {**given, "seed": seed}, latent)["error"] for seed in seeds]


def twin_errors(source: str, steps: int, seeds: list[int], latent: int) -> list[float]:
    """The same of a loop by hand, with Adam at 1e-3 that falls to 0 along a cosine, in float32.

    Weights begin as ours do and batches come in the same order: another order alone changes the
    error by some percent where codes are two numbers.
    """
    return [_twin_error(source, steps, seed, latent) for seed in seeds]


def _twin_error(source: str, steps: int, seed: int, latent: int) -> float:
    from speed.contenders.nets import course_net
    from speed.contenders.plain import step

    ours = _trainer(source, "ae", latent, steps=steps, seed=seed)
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


def likelihood(source: str, recipe: str, latent: int, images: int, samples: int) -> Steps:
    """ln p(x) of test images by importance sampling."""
    data = load_data(source)
    model = _model(list(data.shape), recipe, latent)

    def steps() -> Iterator[None]:
        while True:
            log_likelihood(model, data.test.x[:images], samples=samples)
            yield

    return Steps(steps())
