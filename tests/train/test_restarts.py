"""Units of a dictionary that stay inactive begin anew at errors of badly reconstructed examples."""

import numpy as np
import pytest
import torch

from autoencode.data import load_data, scaled
from autoencode.errors import Interrupted
from autoencode.models.adaptation import for_data
from autoencode.models.build import build, sizes_for
from autoencode.models.recipes.table import RECIPES
from autoencode.train import fit, resume
from autoencode.train.compile.step import CompiledStep
from autoencode.train.restarts import EVERY, EXAMPLES_PER_UNIT, UNTIL, USES, Restarts
from autoencode.train.settings import Settings
from autoencode.train.trainer import Trainer

UNITS, K, BATCH = 40, 2, 64
IDLE = [3, 11, 20]


def vectors(n=400, values=16, seed=0):
    """Vectors [n, values] in [0, 1], each the sum of two of 40 directions."""
    draw = np.random.default_rng(seed)
    directions = draw.normal(size=(UNITS, values))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    chosen = np.argsort(draw.random((n, UNITS)), 1)[:, :K]
    x = np.einsum("nk,nkd->nd", draw.uniform(0.5, 1.5, (n, K)), directions[chosen])
    return ((x - x.min()) / (x.max() - x.min())).astype("f4")


def trainer_of(name="sparse-top-k", data=None, options=(), **settings):
    """A trainer before its first step, of a model that has a dictionary where the recipe has."""
    data = load_data(vectors()) if data is None else data
    recipe = RECIPES[name].but(latent=UNITS)
    for address, value in dict(options).items():
        recipe = recipe.set(address, value)
    recipe, _ = for_data(recipe, data)
    if "bottleneck.k" in recipe.addresses():
        recipe = recipe.set("bottleneck.k", K)
    model = build(recipe, sizes_for(recipe, data.shape, n=len(data.train)), seed=0)
    given = {"batch_size": BATCH, "steps": 100, "compile": "off", **settings}
    trainer = Trainer(model, recipe, data, Settings.of(recipe, given), None, False)
    trainer.state.objective.train()
    return trainer


def with_idle(trainer, units=IDLE):
    """The trainer after a few steps, with units that were never active."""
    trainer.model.encoder.network.bias.data[units] = -100.0
    for _ in range(3):
        trainer.update()
        trainer.state.step += 1
    term = trainer.restarts.term
    term.idle[units] = 1e6 + torch.arange(len(units), dtype=torch.float32)
    return trainer


def errors_of(trainer):
    """x − x̂ of the batch of the step that comes next, [B, values]."""
    x = scaled(trainer.batches.x[trainer.batches.rows(trainer.step)])
    trainer.model.eval()
    images = trainer.model(x).images
    trainer.model.train()
    return (x - images).double()


# One round


def test_idle_units_begin_at_errors_of_examples():
    trainer = with_idle(trainer_of())
    errors = errors_of(trainer)
    units, directions = trainer.restarts.found(trainer.restarts.term)
    assert units.tolist() == IDLE[::-1]  # the one that was idle for longest is the first
    lines = torch.stack([error / error.square().sum().sqrt() for error in errors])
    which = [int((lines - one).abs().sum(1).argmin()) for one in directions]
    torch.testing.assert_close(directions, lines[which])
    assert len(set(which)) == len(IDLE)


def test_examples_with_large_errors_are_chosen():
    """By the fourth power of the length: with twice the error sixteen times as often."""
    trainer = with_idle(trainer_of())
    with torch.no_grad():
        trainer.model.decoder.network.weight.mul_(-1)  # every example is reconstructed badly
    lengths = errors_of(trainer).norm(dim=1)
    chosen = []
    for step in range(300):
        trainer.state.step = step
        lengths = errors_of(trainer).norm(dim=1)
        _, directions = trainer.restarts.found(trainer.restarts.term)
        lines = errors_of(trainer) / lengths[:, None]
        first = (lines @ directions[0]).argmax()
        mean = (lengths.double().pow(5).sum() / lengths.double().pow(4).sum()).item()
        chosen.append(lengths[first].item() / mean)
    assert np.mean(chosen) == pytest.approx(1.0, abs=0.03)


def test_what_begins_anew_resembles_the_active_units():
    trainer = with_idle(trainer_of())
    encoder, decoder = trainer.model.encoder.network, trainer.model.decoder.network
    before = {name: p.detach().clone() for name, p in trainer.model.named_parameters()}
    units, directions = trainer.restarts.found(trainer.restarts.term)
    directions = directions.float()
    active = trainer.restarts.term.idle == 0
    trainer.restarts()
    torch.testing.assert_close(decoder.directions[units], directions)
    torch.testing.assert_close(
        torch.nn.functional.normalize(encoder.weight[units], dim=1), directions
    )
    length = np.mean([np.linalg.norm(row) for row in before["encoder.network.weight"][active]])
    torch.testing.assert_close(encoder.weight[units].norm(dim=1), torch.full((3,), float(length)))
    bias = before["encoder.network.bias"][active].mean()
    torch.testing.assert_close(encoder.bias[units], bias.expand(3))
    others = [j for j in range(UNITS) if j not in IDLE]
    for name, p in trainer.model.named_parameters():
        if p.shape[:1] == (UNITS,):
            assert torch.equal(p[others], before[name][others])
    assert (trainer.restarts.term.idle[units] == 0).all()
    for p in (encoder.weight, encoder.bias, decoder.weight):
        state = trainer.state.optimizer.state[p]
        assert (state["exp_avg"][units] == 0).all()
        assert state["exp_avg"][others].abs().max() > 0
    # They are used by the next step.
    trainer.update()
    assert trainer.restarts.found(trainer.restarts.term) is None


def test_few_units_begin_anew_at_once():
    trainer = with_idle(trainer_of(), list(range(20)))
    units, _ = trainer.restarts.found(trainer.restarts.term)
    assert len(units) == BATCH // EXAMPLES_PER_UNIT == 8
    assert sorted(units.tolist()) == list(range(12, 20))


@pytest.mark.parametrize(
    ("idle", "begin"),
    [(0.9 * 0.05 * 100 * BATCH, False), (1.1 * 0.05 * 100 * BATCH, True)],
)
def test_units_are_idle_after_a_share_of_the_examples_of_the_training(idle, begin):
    trainer = with_idle(trainer_of())
    trainer.restarts.term.idle.fill_(0)
    trainer.restarts.term.idle[IDLE] = idle
    assert (trainer.restarts.found(trainer.restarts.term) is not None) == begin


def test_in_a_short_training_they_are_idle_after_uses_of_an_average_unit():
    trainer = with_idle(trainer_of(options={"terms.aux-k": "aux-k", "terms.aux-k.restart": 1e-9}))
    term = trainer.restarts.term
    # Two of 40 units are active for each example.
    for idle, begin in ((0.8, False), (1.2, True)):
        term.idle.fill_(0)
        term.idle[IDLE] = idle * USES * term.after * UNITS / K
        assert (trainer.restarts.found(term) is not None) == begin


def test_no_unit_begins_anew_at_the_end():
    restarts = trainer_of().restarts
    assert [step for step in range(1, 101) if restarts.is_due(step)] == [20, 40, 60, 80]
    assert EVERY == 20
    assert UNTIL == 0.8


@pytest.mark.parametrize(
    ("name", "options", "settings"),
    [
        ("ae", {}, {}),
        ("sparse-top-k", {"bottleneck.norm": "batch"}, {}),
        ("sparse-top-k", {"terms.aux-k": "aux-k", "terms.aux-k.restart": 0.0}, {}),
        ("sparse-jump-relu", {}, {}),
        ("sparse-gated", {}, {}),
        ("sparse-matryoshka", {"network": "mlp"}, {}),
        ("sparse-matryoshka", {}, {"freeze": "decoder"}),
        ("sparse-matryoshka", {}, {"freeze": "encoder"}),
    ],
)
def test_other_models_have_none(name, options, settings):
    restarts = trainer_of(name, options=options, **settings).restarts
    assert not any(restarts.is_due(step) for step in range(1, 101))


def test_missing_values_have_no_error():
    x = vectors()
    x[::3, 2] = np.nan
    trainer = with_idle(trainer_of(data=load_data(x, scale="standard")))
    _, directions = trainer.restarts.found(trainer.restarts.term)
    assert directions.isfinite().all()
    torch.testing.assert_close(directions.norm(dim=1), torch.ones(3, dtype=torch.float64))


# Whole trainings


@pytest.fixture
def counted(monkeypatch):
    """The steps after which units began anew; after one step, all are idle for long enough."""
    steps, call = [], Restarts.__call__

    def counting(restarts):
        restarts.term.idle[IDLE] = 1e6
        steps.append(restarts.state.step)
        call(restarts)
        assert (restarts.term.idle[IDLE] == 0).all()

    monkeypatch.setattr(Restarts, "__call__", counting)
    return steps


def test_a_resumed_training_is_the_same(tmp_path, counted, monkeypatch):
    np.save(tmp_path / "x.npy", vectors())
    recipe = RECIPES["sparse-top-k"].but(latent=UNITS)
    settings = {"steps": 60, "batch_size": BATCH, "progress": False, "checkpoint_every": 10}
    whole = fit(recipe, str(tmp_path / "x.npy"), out=tmp_path / "whole", **settings)
    assert counted == [20, 40]
    for stop in (20, 27):
        update = Trainer.update

        def stopping(trainer, stop=stop, update=update):
            if trainer.step == stop:
                trainer.interrupt(2)
            return update(trainer)

        with monkeypatch.context() as patch:
            patch.setattr(Trainer, "update", stopping)
            with pytest.raises(Interrupted):
                fit(recipe, str(tmp_path / "x.npy"), out=tmp_path / f"{stop}", **settings)
        again = resume(tmp_path / f"{stop}", progress=False)
        torch.testing.assert_close(
            again.model.state_dict(), whole.model.state_dict(), rtol=0, atol=0
        )


def test_a_compiled_step_goes_on_with_the_new_units():
    plain, compiled = (with_idle(trainer_of(precision="float32"), IDLE) for _ in range(2))
    compiled.compiled_step = CompiledStep(compiled.state, compiled.batches)
    for trainer in (plain, compiled):
        trainer.restarts()
        for _ in range(3):
            trainer.update()
            trainer.state.step += 1
    for a, b in zip(plain.model.parameters(), compiled.model.parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-3, atol=1e-4)


@pytest.mark.long
def test_directions_of_very_unequal_frequency_are_found():
    """The j-th of 150 directions has the frequency 1 / j; half of the units would stay dead."""
    draw = np.random.default_rng(0)
    directions = draw.normal(size=(150, 64))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    scores = draw.gumbel(size=(12_000, 150)) - np.log(np.arange(1, 151))
    chosen = np.argsort(-scores, 1)[:, :3]
    x = np.einsum("nk,nkd->nd", draw.uniform(0.5, 1.5, (12_000, 3)), directions[chosen])
    x = ((x - x.min()) / (x.max() - x.min())).astype("f4")
    found = {}
    for restart in (0.0, 0.05):
        recipe = RECIPES["sparse-top-k"].but(latent=150).set("bottleneck.k", 3)
        recipe = recipe.set("terms.aux-k", "aux-k").set("terms.aux-k.restart", restart)
        model = fit(recipe, load_data(x), steps=600, batch_size=100, progress=False).model
        learned = model.decoder.network.directions.detach().double()
        nearest = (torch.from_numpy(directions) @ learned.T).max(1).values
        found[restart] = (nearest > 0.9).double().mean().item()
    assert found[0.05] > 0.8
    assert found[0.05] > found[0.0] + 0.1
