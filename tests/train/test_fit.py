import errno
import json
import math
import os
import subprocess
import sys
from itertools import pairwise

import pytest
import torch

from autoencode.contract import Sizes
from autoencode.data import Split, load_data, scaled
from autoencode.errors import AutoencodeError, Diverged, RecipeError, ResourceError, RunError
from autoencode.io import store
from autoencode.models.build import build
from autoencode.models.objective import Objective
from autoencode.models.recipe import Spec
from autoencode.models.recipes.table import RECIPES
from autoencode.models.run import load, open_run
from autoencode.train import Settings, fit, resume
from autoencode.train import trainer as trainer_module
from autoencode.train.batches import Batches
from autoencode.train.precision import choose_device, choose_precision
from autoencode.train.run_folder import locked
from autoencode.train.schedules import learning_rate
from autoencode.train.validation import Validation

# The likelihood is stated: the default one follows the data.
SMALL = RECIPES["vae"].but(likelihood=Spec("bernoulli")).set("network.hidden", (32,))
QUICK = {"steps": 60, "batch_size": 50}


def test_training_improves_and_leaves_a_whole_run(digits, tmp_path):
    fitted = fit(SMALL, digits, out=tmp_path / "run", steps=200, batch_size=50, lr=3e-3)
    assert {p.name for p in (tmp_path / "run").iterdir()} >= {
        "recipe.json",
        "run.json",
        "weights.safetensors",
        "log.jsonl",
        "environment.json",
        "figures",
    }
    run = open_run(tmp_path / "run")
    assert run.status == "done"
    assert run.summary["steps"] == 200
    assert run.recipe == SMALL
    validation = [line["validation"]["loss"] for line in run.log() if "validation" in line]
    assert validation[-1] < 0.8 * validation[0]
    steps = [line for line in run.log() if "validation" not in line]
    assert steps[-1]["step"] == 200
    assert steps[-1]["terms"].keys() == {"reconstruction", "kl"}
    assert all(line["images_per_second"] > 0 for line in steps)
    assert steps[-1]["loss"] == pytest.approx(sum(steps[-1]["terms"].values()), rel=1e-5)
    x = digits.test.x[:5]
    torch.testing.assert_close(load(tmp_path / "run")(x / 1.0).images, fitted.model(x / 1.0).images)
    assert not fitted.model.training
    strips = sorted(p.name for p in (tmp_path / "run" / "figures" / "training").iterdir())
    assert strips[-1] == "originals.png"
    assert len(strips) == 21


def of_known_spectrum():
    torch.manual_seed(0)
    basis = torch.linalg.qr(torch.randn(12, 12)).Q
    scales = torch.tensor([0.2, 0.12] + [0.02] * 10)
    x = (torch.randn(3000, 12) * scales) @ basis.T + 0.5
    return load_data(x.clamp(0, 1).numpy())


@pytest.mark.long
@pytest.mark.parametrize(
    ("source", "settings", "within"),
    [
        (of_known_spectrum, {"steps": 3000, "lr": 3e-2, "precision": "float32"}, 0.02),
        pytest.param(lambda: load_data("mnist"), {}, 0.01, marks=pytest.mark.slow),
    ],
    ids=["made", "mnist"],
)
def test_linear_autoencoder_finds_the_plane_of_pca(source, settings, within):
    """The error is PCA's, and the decoder spans PCA's plane."""
    data = source()
    model = fit("ae-linear", data, latent=2, **settings).model

    train, test = (scaled(part.x).flatten(1).double() for part in (data.train, data.test))
    mean = train.mean(0)
    plane = torch.linalg.eigh((train - mean).T @ (train - mean)).eigenvectors[:, -2:]
    pca = ((test - mean) - (test - mean) @ plane @ plane.T).square().sum(1).mean()
    ours = (model(data.test.x).images.flatten(1) - test).square().sum(1).mean()
    assert ours.item() == pytest.approx(pca.item(), rel=within)
    decoder = model.decoder.network.out.weight.double().detach()
    cosines = torch.linalg.svdvals(plane.T @ torch.linalg.qr(decoder).Q)
    assert math.degrees(math.acos(min(1.0, cosines.min().item()))) < 2


def test_global_state_is_left_alone(digits):
    torch.manual_seed(5)
    before = torch.get_rng_state()
    threads = torch.get_num_threads()
    precision = torch.get_float32_matmul_precision()
    fit(SMALL, digits, **QUICK)
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.get_num_threads() == threads
    assert torch.get_float32_matmul_precision() == precision
    assert torch.is_grad_enabled()
    assert not torch.is_autocast_enabled("cpu")


def test_batches_are_a_function_of_the_step():
    x, labels = torch.arange(100, dtype=torch.uint8)[:, None], torch.arange(100)
    forwards = Batches(Split(x, None), labels, 10, seed=3, device=torch.device("cpu"))
    backwards = Batches(Split(x, None), labels, 10, seed=3, device=torch.device("cpu"))
    batches = {step: forwards[step] for step in range(25)}
    for step in reversed(range(25)):
        batch, other = batches[step], backwards[step]
        assert torch.equal(batch.raw, other.raw)
        assert torch.equal(batch.context, other.context)
        assert torch.equal(batch.raw[:, 0].long(), batch.context), "each with its own label"
        torch.testing.assert_close(batch.examples() * 255, batch.raw.float())
    first = torch.cat([batches[step].raw for step in range(10)])
    second = torch.cat([batches[step].raw for step in range(10, 20)])
    assert len(first.unique()) == 100, "an epoch shows no image twice"
    assert not torch.equal(first, second)
    other = Batches(Split(x, None), None, 10, seed=4, device=torch.device("cpu"))
    assert not torch.equal(other[0].raw, batches[0].raw)
    assert other[0].context is None


def test_batches_larger_than_the_data_take_all_of_it():
    x = torch.arange(7, dtype=torch.uint8)[:, None]
    batches = Batches(Split(x, None), None, 200, seed=0, device=torch.device("cpu"))
    assert batches.epochs(3) == 3
    assert batches[5][0].flatten().sort().values.tolist() == list(range(7))


@pytest.mark.parametrize("size", [1, 7, 10, 51, 64, 99, 100, 103])
@pytest.mark.parametrize("epochs", [1, 3])
def test_epochs_use_each_example_equally_often(size, epochs):
    n = 103
    x = torch.arange(n, dtype=torch.uint8)[:, None]
    batches = Batches(Split(x, None), None, size, seed=3, device=torch.device("cpu"))
    steps = Settings(epochs=epochs, batch_size=size).total_steps(n)
    assert steps == math.ceil(epochs * n / size)
    drawn = torch.cat([batches.rows(step) for step in range(steps)])
    assert len(drawn) == steps * size
    assert (drawn[: epochs * n].bincount(minlength=n) == epochs).all()
    # The rest of the last batch begins one epoch more.
    assert len(drawn[epochs * n :].unique()) == len(drawn) - epochs * n < size
    for step in (steps - 1, 0, steps // 2):  # resumed anywhere
        again = Batches(Split(x, None), None, size, seed=3, device=torch.device("cpu"))
        assert torch.equal(again.rows(step), drawn[step * size : (step + 1) * size])


def test_orders_of_whole_batches_are_the_permutations_of_the_epochs():
    """The figures of data sets that batches divide evenly depend on this order."""
    x = torch.arange(60, dtype=torch.uint8)[:, None]
    batches = Batches(Split(x, None), None, 20, seed=5, device=torch.device("cpu"))
    for epoch in range(3):
        shuffle = torch.Generator().manual_seed(5 * 1_000_003 + epoch)
        drawn = torch.cat([batches.rows(3 * epoch + step) for step in range(3)])
        assert torch.equal(drawn, torch.randperm(60, generator=shuffle))


def test_few_labelled_examples_are_used_equally_often():
    y = torch.full((50,), -1)
    y[:3] = torch.arange(3)
    x = torch.arange(50, dtype=torch.uint8)[:, None]
    batches = Batches(Split(x, y), y, 10, seed=0, device=torch.device("cpu"), labelled=0.5)
    drawn = torch.stack([batches.rows(step) for step in range(12)])
    assert drawn.shape == (12, 10)
    assert ((drawn < 3).sum(1) == 5).all()
    assert drawn[drawn < 3].bincount().tolist() == [20, 20, 20]


def test_schedules():
    constant = Settings(schedule="constant", lr=0.1)
    assert [learning_rate(constant, step, 100) for step in (0, 50, 99)] == [0.1] * 3
    cosine = Settings(schedule="cosine", lr=0.1, warmup=10)
    rates = [learning_rate(cosine, step, 110) for step in range(110)]
    assert rates[:10] == pytest.approx([0.01 * n for n in range(1, 11)])
    assert rates[60] == pytest.approx(0.05)
    assert 0 < rates[-1] < 1e-4
    assert all(a >= b for a, b in pairwise(rates[10:]))


def rates_of(total, **settings):
    return [learning_rate(Settings(lr=0.1, **settings), step, total) for step in range(total)]


def test_restarts_repeat_the_cosine():
    rates = rates_of(90, schedule="restarts", schedule_steps=30)
    assert rates[:30] == rates[30:60] == rates[60:]
    assert rates[:30] == pytest.approx(rates_of(30, schedule="cosine"))
    assert len(set(rates_of(100, schedule="restarts"))) == 25  # four cycles


@pytest.mark.parametrize(("cycle", "factor"), [(10, 0.0), (20, 0.1), (40, 0.5)])
def test_cyclic_rates_are_those_of_torch(cycle, factor):
    rates = rates_of(80, schedule="cyclic", schedule_steps=cycle, schedule_factor=factor)
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    theirs = torch.optim.lr_scheduler.CyclicLR(
        optimizer, 0.1 * factor, 0.1, step_size_up=cycle // 2, cycle_momentum=False
    )
    for rate in rates:
        assert rate == pytest.approx(theirs.get_last_lr()[0])
        optimizer.step()
        theirs.step()


@pytest.mark.parametrize(("every", "factor"), [(7, 0.5), (30, 0.1), (200, 0.9)])
def test_step_rates_are_those_of_torch(every, factor):
    rates = rates_of(100, schedule="step", schedule_steps=every, schedule_factor=factor)
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.1)
    theirs = torch.optim.lr_scheduler.StepLR(optimizer, every, factor)
    for rate in rates:
        assert rate == pytest.approx(theirs.get_last_lr()[0])
        optimizer.step()
        theirs.step()


@pytest.mark.parametrize("schedule", ["restarts", "cyclic", "step"])
def test_cycles_begin_after_the_warm_up(schedule):
    plain = rates_of(40, schedule=schedule, schedule_steps=20)
    warm = rates_of(50, schedule=schedule, schedule_steps=20, warmup=10)
    assert warm[10:] == pytest.approx(plain)
    assert warm[:10] == pytest.approx([plain[0] * n / 10 for n in range(1, 11)])


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"schedule_steps": 10}, "--schedule restarts"),
        ({"schedule_steps": 10, "schedule": "constant"}, "--schedule-steps out"),
        ({"schedule_factor": 0.5, "schedule": "restarts"}, "--schedule step"),
        ({"schedule_factor": 1.5, "schedule": "step"}, "schedule_factor must be"),
    ],
)
def test_settings_of_another_schedule_are_refused(settings, message):
    with pytest.raises(RecipeError, match=message):
        Settings(**settings)


def test_weight_decay_none_is_adam(digits):
    """The fused optimiser against torch's plain Adam, step by step."""
    ours = fit(SMALL, digits, steps=5, batch_size=50, schedule="constant", precision="float32")
    model = build(SMALL, Sizes((8, 8), (2,), n=len(digits.train)), seed=0)
    objective = Objective(model, SMALL, model.sizes)
    optimizer = torch.optim.Adam(objective.parameters(), lr=1e-3)
    batches = Batches(digits.train, None, 50, 0, torch.device("cpu"))
    torch.manual_seed(0)
    for step in range(5):
        optimizer.zero_grad()
        objective(batches[step].examples()).loss.backward()
        optimizer.step()
    for a, b in zip(ours.model.parameters(), model.parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-6)


def test_epochs_count_passes_over_the_data(digits):
    fitted = fit(SMALL, digits, epochs=2, batch_size=100)
    steps = math.ceil(2 * len(digits.train) / 100)
    assert fitted.summary["steps"] == steps
    assert fitted.summary["epochs"] == round(steps * 100 / len(digits.train), 2)


@pytest.mark.long
def test_early_stopping_takes_the_best_weights(digits):
    """With a step size that destroys the model later on, the early weights are the ones kept."""
    settings = {"batch_size": 50, "validate_every": 20, "precision": "float32"}
    fitted = fit(SMALL, digits, steps=4000, patience=3, lr=3e-2, schedule="constant", **settings)
    assert fitted.summary["steps"] < 4000
    assert fitted.summary["steps"] % 20 == 0
    best = Validation(digits.validation.x, None, torch.device("cpu"))
    kept = best.measure(Objective(fitted.model, SMALL, fitted.model.sizes))["loss"]
    longer = fit(
        SMALL,
        digits,
        steps=fitted.summary["steps"],
        lr=3e-2,
        schedule="constant",
        **settings,
    )
    last = best.measure(Objective(longer.model, SMALL, longer.model.sizes))["loss"]
    assert kept < last


@pytest.mark.parametrize(
    ("settings", "word"), [({"lr": 1e6}, "--lr"), ({"lr": 1e6, "clip": 1.0}, "--lr")]
)
def test_divergence_stops_and_keeps_the_last_good_state(digits, tmp_path, settings, word):
    recipe = RECIPES["ae-linear"].set("network.hidden", (16, 16))
    with pytest.raises(Diverged, match=word) as caught:
        fit(recipe, digits, out=tmp_path / "run", steps=2000, batch_size=50, **settings)
    assert caught.value.exit_code == 3
    assert "step" in str(caught.value)
    assert open_run(tmp_path / "run").status == "diverged"
    assert list((tmp_path / "run" / "state").glob("*.safetensors"))


@pytest.mark.parametrize("clip", [None, 1.0])
def test_nan_in_loss_or_gradient_never_reaches_the_weights(digits, tmp_path, monkeypatch, clip):
    """With clipping a NaN gradient behind a finite loss is met too, before the update."""
    forward = Objective.forward
    seen = {}

    def poisoned(self, x, context=None):
        output = forward(self, x, context)
        if not self.training:
            return output
        seen["steps"] = seen.get("steps", 0) + 1
        if seen["steps"] < 30:
            return output
        bad = output.loss * math.nan if clip is None else NanGradient.apply(output.loss)
        seen.setdefault("before", [p.detach().clone() for p in self.parameters()])
        seen["model"] = self
        return output._replace(loss=bad, terms={**output.terms, "kl": bad})

    monkeypatch.setattr(Objective, "forward", poisoned)
    with pytest.raises(Diverged, match="step 29") as caught:
        fit(SMALL, digits, out=tmp_path / "run", clip=clip, **QUICK)
    assert ('"kl"' if clip is None else '"gradient"') in str(caught.value)
    after = list(seen["model"].parameters())
    assert all(torch.equal(a, b) for a, b in zip(seen["before"], after, strict=True))


class NanGradient(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return x.clone()

    @staticmethod
    def backward(ctx, grad):
        return grad * math.nan


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"steps": 0}, "steps must be"),
        ({"epochs": -1}, "epochs must be"),
        ({"lr": math.nan}, "lr must be"),
        ({"lr": -1.0}, "lr must be"),
        ({"batch_size": 0}, "batch_size must be"),
        ({"schedule": "cosin"}, "schedule must be one of"),
        ({"precision": "fp16"}, "precision must be one of"),
        ({"stps": 3}, 'Did you mean "steps"'),
        ({"warmup": 2.5}, "warmup must be"),
        ({"tensorboard": 1}, "tensorboard must be"),
    ],
)
def test_bad_settings_are_refused(digits, settings, message):
    with pytest.raises(RecipeError, match=message):
        fit(SMALL, digits, **settings)


def test_batch_norm_needs_two(digits):
    deep = RECIPES["ae-deep"].set("network.hidden", (16,))
    with pytest.raises(RecipeError, match="at least two"):
        fit(deep, digits, steps=3, batch_size=1)


@pytest.mark.long
def test_existing_folders_are_refused(digits, tmp_path):
    fit(SMALL, digits, out=tmp_path / "run", **QUICK)
    with pytest.raises(RunError, match=r"--out \(out=\), .*--overwrite \(overwrite=True\)"):
        fit(SMALL, digits, out=tmp_path / "run", **QUICK)
    fit(SMALL, digits, out=tmp_path / "run", overwrite=True, **QUICK)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").write_text("years of work")
    with pytest.raises(RunError, match="mine holds files that are not of a run"):
        fit(SMALL, digits, out=tmp_path / "mine", overwrite=True, **QUICK)
    assert (tmp_path / "mine" / "thesis.tex").exists()
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match="is a file"):
        fit(SMALL, digits, out=tmp_path / "file", **QUICK)


def test_read_only_folder_fails_before_the_first_step(digits, tmp_path, monkeypatch):
    monkeypatch.setattr(trainer_module.Trainer, "update", None)  # a step would be a TypeError
    with pytest.raises(RunError, match="--out"):
        fit(SMALL, digits, out="/proc/run", **QUICK)
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match="--out"):
        fit(SMALL, digits, out=tmp_path / "file" / "run", **QUICK)


def test_two_trainings_in_one_folder_are_refused(digits, tmp_path):
    fit(SMALL, digits, out=tmp_path / "run", **QUICK)
    with locked(tmp_path / "run"), pytest.raises(RunError, match="Another process"):
        fit(SMALL, digits, out=tmp_path / "run", overwrite=True, **QUICK)
    assert (tmp_path / "run" / "weights.safetensors").exists()


@pytest.mark.long
def test_disk_full_in_the_middle_keeps_the_checkpoint(digits, tmp_path, monkeypatch):
    sync, calls = os.fsync, []

    def full_later(descriptor):
        calls.append(descriptor)
        if len(calls) > 30:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        sync(descriptor)

    monkeypatch.setattr(store.os, "fsync", full_later)
    with pytest.raises(ResourceError, match="no room") as caught:
        fit(SMALL, digits, out=tmp_path / "run", checkpoint_every=5, steps=200, batch_size=50)
    assert caught.value.exit_code == 4
    monkeypatch.undo()
    whole = fit(SMALL, digits, checkpoint_every=5, steps=200, batch_size=50)
    resumed = resume(tmp_path / "run")
    for a, b in zip(resumed.model.parameters(), whole.model.parameters(), strict=True):
        assert torch.equal(a, b)


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        torch.OutOfMemoryError("CUDA out of memory"),
        RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes"),
    ],
)
def test_memory_errors_are_a_sentence(digits, tmp_path, monkeypatch, error):
    def fail(self):
        raise error

    monkeypatch.setattr(trainer_module.Trainer, "update", fail)
    with pytest.raises(ResourceError, match="--batch-size"):
        fit(SMALL, digits, out=tmp_path / "run", **QUICK)
    assert list((tmp_path / "run" / "state").glob("*.safetensors")), "the checkpoint is there"


@pytest.mark.slow  # processes of their own
def test_memory_limit_of_the_process_is_a_sentence(tmp_path):
    """A process that may not take more memory leaves with 4 and a sentence."""
    code = (
        "import resource, sys, numpy as np\n"
        "from autoencode.cli.main import main\n"
        "import torch, sklearn.datasets, autoencode.train, autoencode.evaluation\n"
        "used = int(open('/proc/self/statm').read().split()[0]) * 4096\n"
        "resource.setrlimit(resource.RLIMIT_AS, (used + 600 * 2**20,) * 2)\n"
        "main(sys.argv[1:])\n"
    )
    arguments = (
        "train ae --data digits --steps 5 --no-report --out run --set network.hidden=".split()
    )
    arguments[-1] += "[20000,20000]"
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, cwd=tmp_path
    )
    assert done.returncode == 4, done.stderr
    assert "Memory ran out" in done.stderr
    assert "Traceback" not in done.stderr


def test_device_and_precision():
    assert choose_device("cpu") == torch.device("cpu")
    if not torch.cuda.is_available():
        with pytest.raises(RecipeError, match="cuda"):
            choose_device("cuda")
    assert choose_precision("float32", torch.device("cpu")) == torch.float32
    assert choose_precision("bf16", torch.device("cpu")) == torch.bfloat16


def test_precision_auto_follows_the_hardware(monkeypatch):
    cpu = torch.device("cpu")
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": True})
    assert choose_precision("auto", cpu) == torch.bfloat16
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx2": True})
    assert choose_precision("auto", cpu) == torch.float32


@pytest.mark.long
def test_tensorboard_gets_every_figure(digits, tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    fit(SMALL, digits, out=tmp_path / "run", tensorboard=True, **QUICK)
    events = EventAccumulator(str(tmp_path / "run" / "tensorboard")).Reload()
    tags = set(events.Tags()["scalars"])
    assert {"loss", "terms/kl", "squared_error", "validation/terms/kl"} <= tags


def test_tensorboard_without_a_folder_is_refused(digits):
    with pytest.raises(AutoencodeError, match="--out"):
        fit(SMALL, digits, tensorboard=True, **QUICK)


@pytest.mark.long
def test_vectors_and_colour_train(tmp_path):
    generator = torch.Generator().manual_seed(0)
    for shape, name in (((12,), "ae"), ((3, 20, 13), "conv-ae"), ((37, 53), "conv-vae")):
        x = torch.rand(60, *shape, generator=generator)
        fitted = fit(name, load_data(x.numpy()), out=tmp_path / name, steps=4, batch_size=20)
        assert fitted.model(x).images.shape == x.shape


def test_a_run_on_arrays_says_that_it_needs_them(tmp_path):
    x = torch.rand(60, 6, generator=torch.Generator().manual_seed(0))
    fitted = fit("ae", load_data(x.numpy()), out=tmp_path / "run", steps=4)
    with pytest.raises(RunError, match="--data"):
        fitted.run.load_data()
    assert json.loads((tmp_path / "run" / "run.json").read_text())["data"]["source"] == ""
