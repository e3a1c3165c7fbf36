"""The step that is traced and compiled, beside the one that is not."""

import json
import os
import signal
from dataclasses import replace

import pytest
import torch
from traced_steps import SMALL, advance, advanced, compare_steps, traced, trainer_of

from autoencode.data import Data, Split
from autoencode.errors import Diverged, Interrupted
from autoencode.models.recipes.table import RECIPES
from autoencode.train import callbacks, fit, resume
from autoencode.train.compile import channels_last
from autoencode.train.compile import step as step_module
from autoencode.train.compile.step import STEPS_PREPARED
from autoencode.train.optimizer import FusedAdamW
from autoencode.train.trainer import Trainer


# One of each kind of what a step does: noise, labels, discrete codes, batch normalisation, samples.
@pytest.mark.parametrize(
    "name",
    [
        "vae",
        *(
            pytest.param(name, marks=pytest.mark.long)
            for name in (
                "ae",
                "cvae",
                "vq-vae",
                "denoising-ae",
                "ae-dropout",
                "iwae",
                "contractive-ae",
                "hierarchical-vae",
            )
        ),
    ],
)
def test_the_traced_step_is_the_step(name, digits):
    compare_steps(RECIPES[name].set("network.hidden", (16,)), digits)


@pytest.mark.long
@pytest.mark.parametrize("name", ["m2", "m1-m2"])
def test_the_traced_step_with_hidden_labels_is_the_step(name, digits):
    y = digits.train.y.clone()
    y[::3] = -1
    hidden = replace(digits, train=replace(digits.train, y=y))
    compare_steps(RECIPES[name].set("network.hidden", (16,)), hidden, labelled=0.25)


@pytest.mark.long
@pytest.mark.parametrize(
    "kind", ["discretised-logistic", "discretised-logistic-mixture", "gaussian-heteroscedastic"]
)
def test_the_traced_step_with_likelihoods_of_several_outputs(kind, digits):
    compare_steps(RECIPES["vae"].set("network.hidden", (16,)).set("likelihood", kind), digits)


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("conv-ae", (3, 12, 10)),
        pytest.param("conv-vae", (1, 13, 7), marks=pytest.mark.long),
        pytest.param("conv-ae", (16, 16), marks=pytest.mark.long),
        pytest.param("resnet-vae", (3, 8, 8), marks=pytest.mark.long),
        pytest.param("conv-denoising-ae", (5, 6, 9), marks=pytest.mark.long),
    ],
)
def test_the_step_with_channels_last_is_the_step(name, shape, monkeypatch):
    monkeypatch.setattr(step_module, "MAX_NUMBERS", 0)
    x = torch.rand(90, *shape, generator=torch.Generator().manual_seed(0))
    part = Split(x, None)
    data = Data("made", "", {}, part, Split(x[:9], None), part, (), "made")
    recipe = RECIPES[name].set("network.width", 4).set("network.hidden", (16,))
    assert traced(advanced(trainer_of(recipe, data))).compiled_step.channels_last
    # 32 examples, 9 of which fill no power of two of rows.
    for batch_size in (32, 9):
        compare_steps(recipe, data, batch_size=batch_size)


def test_batch_normalisation_with_channels_last_is_that_of_torch():
    torch.manual_seed(0)
    for shape in ((6, 8, 4, 4), (3, 5, 7, 3), (40, 96, 2, 2)):
        x = torch.randn(shape).contiguous(memory_format=torch.channels_last) + 3
        weight, bias, g = torch.rand(shape[1]), torch.rand(shape[1]), torch.randn(shape)
        means = [torch.zeros(shape[1]) for _ in range(2)]
        variances = [torch.ones(shape[1]) for _ in range(2)]
        leaves = [each.requires_grad_() for each in (x, weight, bias)]
        expected = torch.nn.functional.batch_norm(
            x, means[0], variances[0], weight, bias, training=True, momentum=0.2
        )
        gradients = torch.autograd.grad(expected, leaves, g)
        with torch.no_grad():
            out, mean, inverse = channels_last._batch_norm(
                x, weight, bias, means[1], variances[1], True, 0.2, 1e-5
            )
            found = channels_last._batch_norm_backward(
                g, x, weight, *means, mean, inverse, True, 1e-5, [True] * 3
            )
        torch.testing.assert_close(out, expected, rtol=1e-4, atol=1e-5)
        torch.testing.assert_close((means[1], variances[1]), (means[0], variances[0]))
        torch.testing.assert_close(found, gradients, rtol=1e-4, atol=1e-5)
        assert out.is_contiguous(memory_format=torch.channels_last)


def test_layer_normalisation_with_channels_last_is_that_of_torch():
    torch.manual_seed(0)
    for shape in ((6, 8, 4, 4), (3, 5, 7, 3), (4, 96, 2, 2)):
        x = torch.randn(shape).contiguous(memory_format=torch.channels_last) + 3
        weight, bias, g = torch.rand(shape[1]), torch.rand(shape[1]), torch.randn(shape)
        leaves = [each.requires_grad_() for each in (x, weight, bias)]
        expected = torch.nn.functional.group_norm(x, 1, weight, bias)
        gradients = torch.autograd.grad(expected, leaves, g)
        sizes = shape[0], shape[1], shape[2] * shape[3], 1
        with torch.no_grad():
            out, mean, inverse = channels_last._layer_norm(x, weight, bias, *sizes, 1e-5)
            found = channels_last._layer_norm_backward(
                g, x, mean, inverse, weight, *sizes, [True] * 3
            )
        torch.testing.assert_close(out, expected, rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(found, gradients, rtol=1e-4, atol=1e-5)
        assert out.is_contiguous(memory_format=torch.channels_last)
        assert mean.shape == inverse.shape == (shape[0], 1)


@pytest.mark.long
def test_grey_digits_are_convolved_as_products_and_large_batches_are_not(digits, monkeypatch):
    recipe = RECIPES["conv-ae"].set("network.hidden", (16,))
    assert not traced(advanced(trainer_of(recipe, digits))).compiled_step.channels_last
    assert traced(advanced(trainer_of(RECIPES["resnet-vae"], digits))).compiled_step.channels_last
    monkeypatch.setattr(step_module, "MAX_NUMBERS", 32 * 64 - 1)
    assert traced(advanced(trainer_of(recipe, digits))).compiled_step.channels_last


def test_a_linear_path_is_traced_too(digits):
    recipe = SMALL.set("network.linear", "pca").set("likelihood.mean", "identity")
    plain, other = trainer_of(recipe, digits), trainer_of(recipe, digits)
    advance(plain, 1), advance(other, 1)
    expected, found = advance(plain, 3), advance(traced(other), 3)
    for a, b in zip(expected, found, strict=True):
        torch.testing.assert_close(a, b, rtol=2e-4, atol=1e-5)


@pytest.mark.long
def test_in_bf16_too_with_each_weight_kept_in_that_type(digits):
    plain, other = (trainer_of(SMALL, digits, precision="bf16") for _ in range(2))
    advance(plain, 1), advance(other, 1)
    expected, found = advance(plain, 30), advance(traced(other), 30)
    # A sum is rounded where its product is not, so that both end with another last bit.
    torch.testing.assert_close(found[-1], expected[-1], rtol=1e-2, atol=1e-3)
    large = [p for p in other.state.objective.parameters() if p.dim() == 2 and min(p.shape) > 2]
    kept = [t for t in other.compiled_step.copies if t.dim() == 2]
    assert len(kept) == len(large) == 2
    for weight, copy in zip(large, kept, strict=True):
        torch.testing.assert_close(copy, weight.bfloat16(), rtol=0, atol=0)


@pytest.mark.long
def test_what_is_made_for_many_steps_at_once_is_what_each_takes(digits):
    # More steps than are prepared at once, and more than an epoch.
    steps = 2 * STEPS_PREPARED + 5
    plain, other = trainer_of(SMALL, digits), trainer_of(SMALL, digits)
    assert plain.batches.epochs(steps) > 2
    advance(plain, 1), advance(other, 1)
    step = traced(other).compiled_step
    for number in range(1, steps):
        advance(other, 1)
        lr, (factors, rows) = step.prepared[number]
        assert lr == other.state.optimizer.lr == other.state.learning_rate(number)
        torch.testing.assert_close(factors, step.traced.factors(number + 1, lr), rtol=0, atol=0)
        assert torch.equal(rows, plain.batches.rows(number))


def test_what_a_recorded_step_reads_from_tables_is_what_each_takes(digits, monkeypatch):
    # As on a GPU, but for the recording.
    monkeypatch.setattr(step_module, "RECORDED", {"cpu"})
    steps = STEPS_PREPARED + 5
    plain, other = trainer_of(SMALL, digits), trainer_of(SMALL, digits)
    advance(plain, 1), advance(other, 1)
    expected, found = advance(plain, steps), advance(traced(other), steps)
    assert other.compiled_step.tables
    for a, b in zip(expected, found, strict=True):
        torch.testing.assert_close(a, b, rtol=2e-4, atol=1e-5)


class Repeated:
    """`Recording` without a GPU."""

    def __init__(self, function, calls):
        self.function, self.calls = function, calls

    def __call__(self):
        return [torch.stack(list(self.function())) for _ in range(self.calls)]


@pytest.mark.parametrize("ema", [None, pytest.param(0.9, marks=pytest.mark.long)])
def test_several_steps_are_made_at_once_and_none_too_many(digits, monkeypatch, tmp_path, ema):
    # As on a GPU. Log, validation and checkpoints are due at steps that are no multiples of 4.
    settings = {"steps": 150, "batch_size": 32, "validate_every": 49, "checkpoint_every": 33}
    settings |= {"ema": ema, "compile": "on", "progress": False, "precision": "float32"}
    monkeypatch.setattr(callbacks, "LOG_LINES", 5)
    monkeypatch.setattr(step_module, "compiled", lambda graph, inputs: graph)
    one = fit(SMALL, digits, out=tmp_path / "one", **settings)
    monkeypatch.setattr(step_module, "RECORDED", {"cpu"})
    monkeypatch.setattr(step_module, "Recording", Repeated)
    several = fit(SMALL, digits, out=tmp_path / "several", **settings)
    torch.testing.assert_close(several.model.state_dict(), one.model.state_dict())
    logs = [(each.run.folder / "log.jsonl").read_text().splitlines() for each in (one, several)]
    for a, b in zip(*([json.loads(line) for line in log] for log in logs), strict=True):
        assert a["step"] == b["step"]
        assert a.get("loss", 0.0) == pytest.approx(b.get("loss", 0.0), rel=1e-5)
    update = Trainer.update

    def signalled(self):
        if self.step == 61 and not self.updated:
            self.updated = True
            os.kill(os.getpid(), signal.SIGTERM)
        return update(self)

    monkeypatch.setattr(Trainer, "updated", False, raising=False)
    monkeypatch.setattr(Trainer, "update", signalled)
    with pytest.raises(Interrupted):
        fit(SMALL, digits, out=tmp_path / "cut", **settings)
    resumed = resume(tmp_path / "cut", data=digits, progress=False)
    torch.testing.assert_close(resumed.model.state_dict(), several.model.state_dict())


@pytest.mark.long
def test_examples_that_lie_in_a_file_come_as_they_are_read(digits):
    in_file = replace(digits, train=replace(digits.train, mapped=True))
    memory, mapped = (traced(advanced(trainer_of(SMALL, data))) for data in (digits, in_file))
    assert memory.compiled_step.batches.prefetcher is None
    assert mapped.compiled_step.batches.prefetcher is not None
    torch.testing.assert_close(advance(mapped, 3), advance(memory, 3), rtol=0, atol=0)


@pytest.mark.long
def test_batch_normalisation_goes_on_counting(digits):
    recipe = RECIPES["conv-ae"].set("network.width", 4)
    trainer = trainer_of(recipe, digits)
    advance(trainer, 1)
    before = {name: b.clone() for name, b in trainer.state.objective.named_buffers()}
    assert any("num_batches" in name for name in before), "the row has none any more"
    advance(traced(trainer), 2)
    for name, now in trainer.state.objective.named_buffers():
        if "num_batches" in name:
            assert now == before[name] + 2
        if "running_mean" in name:
            assert not torch.equal(now, before[name])


def test_tracing_changes_nothing(digits):
    trainer = trainer_of(SMALL, digits)
    advance(trainer, 2)
    before = {name: t.clone() for name, t in trainer.state.objective.state_dict().items()}
    state = torch.get_rng_state()
    traced(trainer)
    torch.testing.assert_close(trainer.state.objective.state_dict(), before, rtol=0, atol=0)
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.long
def test_a_loss_that_is_not_finite_leaves_the_weights(digits):
    trainer = trainer_of(SMALL, digits)
    advance(trainer, 1)
    traced(trainer)
    before = {name: t.clone() for name, t in trainer.state.objective.state_dict().items()}
    trainer.batches.prepare = lambda raw: raw.float() * torch.inf
    traced(trainer)
    with pytest.raises(Diverged):
        trainer.update()
    torch.testing.assert_close(trainer.state.objective.state_dict(), before, rtol=0, atol=0)


def test_adam_is_torchs_bit_for_bit():
    torch.manual_seed(0)
    ours = [torch.randn(5, 3, requires_grad=True), torch.randn(4, requires_grad=True)]
    theirs = [p.detach().clone().requires_grad_() for p in ours]
    settings = {"lr": 1e-2, "weight_decay": 0.1}
    mine, reference = (
        FusedAdamW(ours, **settings),
        torch.optim.AdamW(theirs, **settings, fused=True),
    )
    for step in range(4):
        for a, b in zip(ours, theirs, strict=True):
            # A weight without a gradient stays where it is.
            if step != 2 or a.dim() == 2:
                a.grad = torch.randn_like(a)
                b.grad = a.grad.clone()
        mine.step()
        reference.step()
        mine.zero_grad()
        reference.zero_grad()
        assert all(p.grad is None for p in ours)
        assert all(map(torch.equal, ours, theirs))
    known = {
        f"{place}.{name}": tensor
        for place, state in reference.state_dict()["state"].items()
        for name, tensor in state.items()
    }
    torch.testing.assert_close(mine.tensors(), known, rtol=0, atol=0)
    again = FusedAdamW(ours, **settings)
    again.restore(mine.tensors())
    torch.testing.assert_close(again.tensors(), known, rtol=0, atol=0)


@pytest.mark.slow
@pytest.mark.parametrize("name", list(RECIPES))
def test_every_row_is_traced_as_it_is(name, digits):
    recipe = RECIPES[name].but(sampler=None, schedules={})
    plain = trainer_of(recipe, digits, compile="auto")
    if not plain.may_compile:
        pytest.skip("what moves, or has a critic, is not compiled")
    other = trainer_of(recipe, digits)
    advance(plain, 1), advance(other, 1)
    expected, found = advance(plain, 2), advance(traced(other), 2)
    for a, b in zip(expected, found, strict=True):
        torch.testing.assert_close(a, b, rtol=2e-3, atol=1e-3)
