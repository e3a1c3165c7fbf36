"""Many models updated as one, beside each of them alone."""

import os
import signal
from itertools import pairwise

import pytest
import torch

from autoencode.data import load_data
from autoencode.errors import Diverged, Interrupted, RunError
from autoencode.models.build import build, sizes_for
from autoencode.models.conditions import context_width
from autoencode.models.recipes.table import RECIPES
from autoencode.models.run import load, open_run
from autoencode.train import Job, fit, fit_many
from autoencode.train.batches import Batches, BatchesOfMany
from autoencode.train.checkpoint import checkpoints
from autoencode.train.compile.buffers import Held
from autoencode.train.lockstep import alike as alike_module
from autoencode.train.lockstep.alike import likeness
from autoencode.train.lockstep.draws import Untraceable
from autoencode.train.lockstep.stack import Stack
from autoencode.train.lockstep.together import Together, plan_of
from autoencode.train.many import jobs as many_module
from autoencode.train.schedules import learning_rate
from autoencode.train.settings import Settings
from autoencode.train.trainer import Loop

pytestmark = pytest.mark.long

# Few operations, since tracing them takes most of the time.
SMALL = RECIPES["vae"].set("network.hidden", ())
SPHERE = RECIPES["sphere-vae"].set("network.hidden", (16,))
SETTINGS = {"steps": 40, "batch_size": 50, "checkpoint_every": 10, "precision": "float32"}
MODELS = 3
# One of each kind of what an update does.
KINDS = {
    "vae": {},
    "cvae": {},
    "vq-vae": {},
    "ae-dropout": {},
    "ae-funnel": {"augment": 0.3},
    "conv-vae": {"network.width": 4},
}


def loop_of(recipe, data, seed, **settings):
    sizes = sizes_for(recipe, data.shape, n=len(data.train), context=context_width(recipe, data))
    model = build(recipe, sizes, seed=seed)
    given = {**SETTINGS, "warmup": 0, "labelled": None, "seed": seed, **settings}
    loop = Loop(model, recipe, data, Settings.of(recipe, given), None, False)
    loop.objective.train()
    return loop


def stack_of(loops):
    plan = plan_of(loops[0], len(loops))
    return Stack(
        plan,
        [loop.objective for loop in loops],
        [Held(loop.objective, loop.optimizer, plan.names) for loop in loops],
        [loop.batches for loop in loops],
        [torch.Generator().manual_seed(seed) for seed in range(len(loops))],
    )


def at_once(stack, loop, steps):
    """The loss of each model in each step."""
    rates = [learning_rate(loop.settings, step, loop.total) for step in range(steps)]
    return torch.stack([stack.update(step, lr).loss for step, lr in enumerate(rates)], 1)


def alone(loop, seed, steps):
    """The loss in each step."""
    torch.manual_seed(seed)
    found = []
    for _ in range(steps):
        found.append(loop.update().loss)
        loop.step += 1
    return torch.stack(found)


def jobs_of(data, folder, seeds=range(MODELS), recipe=SMALL, **settings):
    return [
        Job(recipe, data, folder / f"seed-{s}", {**SETTINGS, "seed": s, **settings}) for s in seeds
    ]


def alike(first, second, **within):
    a, b = first.state_dict(), second.state_dict()
    torch.testing.assert_close(a, b, **within)


@pytest.fixture
def in_lockstep(monkeypatch):
    """How many models each stack was made of."""
    sizes = []

    class Watched(Together):
        def __init__(self, members, plan, progress):
            sizes.append(len(members))
            super().__init__(members, plan, progress)

    monkeypatch.setattr(alike_module, "Together", Watched)
    return sizes


@pytest.mark.parametrize("name", KINDS)
def test_each_is_what_it_is_alone(name, digits):
    changes = {k: v for k, v in KINDS[name].items() if "." in k}
    settings = {k: v for k, v in KINDS[name].items() if "." not in k}
    recipe = RECIPES[name].but(sampler=None, schedules={})
    recipe = recipe.set("network.hidden", (16,)) if recipe.network.kind == "mlp" else recipe
    for address, value in changes.items():
        recipe = recipe.set(address, value)
    apart, joined = (
        [loop_of(recipe, digits, seed, **settings) for seed in range(MODELS)] for _ in range(2)
    )
    expected = torch.stack([alone(loop, seed, 4) for seed, loop in enumerate(apart)])
    stack = stack_of(joined)
    found = at_once(stack, joined[0], 4)
    torch.testing.assert_close(found, expected, rtol=2e-5, atol=1e-5)
    assert len(set(found[:, 0].tolist())) == MODELS, "they are the same model"
    # In the stack, in the models and in their optimisers it is one memory.
    held, tensor = stack.held[1], stack.tensors[0]
    assert held.weights[0].data_ptr() == tensor[1].data_ptr()
    assert all(int(s["step"]) == 4 for s in joined[1].optimizer.state.values())
    stack.part()
    assert held.weights[0].data_ptr() != tensor[1].data_ptr()
    assert torch.equal(held.weights[0], tensor[1])


def test_weights_of_terms_may_differ(digits):
    recipes = [SMALL.set("terms.kl.weight", beta) for beta in (0.5, 1.0, 4.0)]
    assert len({likeness(recipe, Settings()) for recipe in recipes}) == 1
    apart, joined = ([loop_of(recipe, digits, 0) for recipe in recipes] for _ in range(2))
    expected = torch.stack([alone(loop, seed, 4) for seed, loop in enumerate(apart)])
    stack = stack_of(joined)
    found = at_once(stack, joined[0], 4)
    torch.testing.assert_close(found, expected)


def test_the_batches_of_many_are_those_of_each(digits):
    told = digits.train.y.clone()
    told[20:] = -1
    for labelled, known in ((None, None), (0.3, told)):
        apart = [
            Batches(digits.train, known, 50, seed, torch.device("cpu"), labelled)
            for seed in range(MODELS)
        ]
        joined = BatchesOfMany(apart)
        for step in (0, 1, apart[0].per_epoch, 3 * apart[0].per_epoch + 2):
            raw, labels = joined.rows(joined.chosen(step))
            for i, each in enumerate(apart):
                own, own_labels = each[step]
                assert torch.equal(raw[i], own)
                assert (labels is None) == (own_labels is None)
                assert labels is None or torch.equal(labels[i], own_labels)


def test_what_is_recorded_is_played_back(digits):
    """The recorder of a GPU cannot be had here; this one does again what it was shown."""
    asked = []

    def record(body, generators):
        asked.append(len(generators))
        return body

    recipe = RECIPES["denoising-vae"].set("network.hidden", (16,))
    made, played = ([loop_of(recipe, digits, seed) for seed in range(MODELS)] for _ in range(2))
    first, second = stack_of(made), stack_of(played)
    second.record(record)
    assert asked == [MODELS] * 2
    rates = [1e-3 / (1 + step) for step in range(23)]
    for a, b in zip(first.updates(0, rates), second.updates(0, rates), strict=True):
        for name in ("loss", "terms"):
            torch.testing.assert_close(getattr(a, name), getattr(b, name), rtol=0, atol=0)
        assert torch.equal(a.error(), b.error())
    assert all(map(torch.equal, first.tensors, second.tensors))
    states = [[g.get_state() for g in stack.generators] for stack in (first, second)]
    assert all(map(torch.equal, *states))


@pytest.mark.parametrize("fault", ["nothing", "other noise", "refused"])
def test_what_is_played_back_otherwise_is_not_used(digits, fault):
    def record(body, generators):
        def other():
            generators[0].manual_seed(99)
            body()

        if fault == "refused":
            raise RuntimeError("CUDA error: operation not permitted when stream is capturing")
        return {"nothing": lambda: None, "other noise": other}[fault]

    stack = stack_of([loop_of(SMALL, digits, seed) for seed in range(MODELS)])
    before = [tensor.clone() for tensor in stack.tensors]
    states = [generator.get_state() for generator in stack.generators]
    with pytest.raises(RuntimeError, match=r"not what is made|not permitted"):
        stack.record(record)
    assert not stack.recorded
    assert all(map(torch.equal, stack.tensors, before))
    assert all(map(torch.equal, [g.get_state() for g in stack.generators], states))


def test_planning_changes_nothing(digits):
    loop = loop_of(RECIPES["vq-vae"], digits, 0)
    before = {name: t.clone() for name, t in loop.objective.state_dict().items()}
    state = torch.get_rng_state()
    plan_of(loop, 2)
    torch.testing.assert_close(loop.objective.state_dict(), before, rtol=0, atol=0)
    assert torch.equal(torch.get_rng_state(), state)
    assert not loop.optimizer.state


def test_what_cannot_be_done_at_once_is_refused(digits):
    for name in ("m2", "sphere-vae", "aae", "mog-vae"):
        loop = loop_of(RECIPES[name].set("network.hidden", (16,)), digits, 0)
        with pytest.raises(Untraceable):
            plan_of(loop, 2)
    moving = SMALL.but(schedules={"terms.kl.weight": (0.0, 10)})
    for loop in (loop_of(moving, digits, 0), loop_of(SMALL, digits, 0, clip=1.0)):
        with pytest.raises(Untraceable, match="not alike"):
            plan_of(loop, 2)


def test_trained_in_lockstep(digits, tmp_path, in_lockstep):
    found = fit_many(jobs_of(digits, tmp_path), stacked=True, progress=False)
    assert in_lockstep == [MODELS]
    for outcome in found:
        assert outcome.error is None
        assert outcome.run.status == "done"
        single = fit(SMALL, digits, progress=False, **outcome.job.settings)
        assert outcome.run.summary["steps"] == single.summary["steps"] == 40
        # Forty updates of Adam, each of which makes much of the last bit of a small gradient.
        alike(load(outcome.job.out), single.model, rtol=1e-2, atol=1e-3)
        lines = open_run(outcome.job.out).log()
        assert sum("validation" in line for line in lines) == 20
        assert [line["step"] for line in lines if "loss" in line] == list(range(1, 41))
        assert not (outcome.job.out / "state").exists()
    first, second = (open_run(outcome.job.out).log()[0]["loss"] for outcome in found[:2])
    assert first != second


def test_a_log_says_the_same_as_alone(digits, tmp_path):
    (job, _) = jobs = jobs_of(digits, tmp_path, seeds=[3, 4], snapshots=3)
    fit_many(jobs, stacked=True, progress=False)
    fit(SMALL, digits, out=tmp_path / "alone", progress=False, **job.settings)
    logs = [open_run(folder).log() for folder in (job.out, tmp_path / "alone")]
    for ours, theirs in zip(*logs, strict=True):
        assert ours.keys() == theirs.keys()
        flat = [{**line, **line.get("validation", {})} for line in (ours, theirs)]
        for name in flat[0].keys() & {"step", "loss", "squared_error", "lr", "epoch"}:
            assert flat[0][name] == pytest.approx(flat[1][name], rel=2e-3)
    names = [
        sorted(p.name for p in (f / "snapshots").iterdir()) for f in (job.out, tmp_path / "alone")
    ]
    assert names[0] == names[1]


def test_interrupted_and_continued_is_bit_for_bit_the_same(digits, tmp_path, monkeypatch):
    fit_many(jobs_of(digits, tmp_path / "whole"), stacked=True, progress=False)
    jobs = jobs_of(digits, tmp_path / "cut")
    updates = Stack.updates

    def stopped(self, step, rates):
        if step == 25:
            os.kill(os.getpid(), signal.SIGTERM)
        return updates(self, step, rates)

    monkeypatch.setattr(Stack, "updates", stopped)
    with pytest.raises(Interrupted, match="0 of 3 trainings done; everything is saved"):
        fit_many(jobs, stacked=True, progress=False)
    monkeypatch.undo()
    runs = [open_run(job.out) for job in jobs]
    assert [(run.status, run.summary["steps"]) for run in runs] == [("interrupted", 26)] * MODELS
    found = fit_many(jobs, stacked=True, progress=False)
    for outcome in found:
        whole = load(tmp_path / "whole" / outcome.job.out.name)
        alike(load(outcome.job.out), whole, rtol=0, atol=0)


def test_one_that_diverges_leaves_the_others_alone(digits, tmp_path, monkeypatch):
    jobs = jobs_of(digits, tmp_path)
    updates = Stack.updates

    def ill(self, step, rates):
        if step == 7:
            self.tensors[0][1] = torch.nan
        return updates(self, step, rates)

    monkeypatch.setattr(Stack, "updates", ill)
    found = fit_many(jobs, stacked=True, progress=False)
    assert isinstance(found[1].error, Diverged)
    assert "diverged at step 7" in str(found[1].error)
    assert open_run(jobs[1].out).status == "diverged"
    for outcome in (found[0], found[2]):
        single = fit(SMALL, digits, progress=False, **outcome.job.settings)
        alike(load(outcome.job.out), single.model, rtol=1e-2, atol=1e-3)


def test_weights_that_are_not_finite_are_not_saved(digits, tmp_path, monkeypatch):
    """A gradient may be NaN where the loss is finite."""
    updates = Stack.updates

    def poisoned(self, step, rates):
        found = updates(self, step, rates)
        if step == 9:
            self.tensors[0][1] = torch.nan
        return found

    monkeypatch.setattr(Stack, "updates", poisoned)
    found = fit_many(jobs_of(digits, tmp_path), stacked=True, progress=False)
    assert isinstance(found[1].error, Diverged)
    assert '"weights" is nan' in str(found[1].error)
    assert [found[i].error for i in (0, 2)] == [None, None]
    assert [path.name for path in checkpoints(tmp_path / "seed-1" / "state")] == [
        "state-000000000.safetensors"
    ]


def test_each_may_stop_early(digits, tmp_path):
    jobs = jobs_of(digits, tmp_path, steps=300, validate_every=2, patience=2, lr=0.02)
    found = fit_many(jobs, stacked=True, progress=False)
    steps = [outcome.run.summary["steps"] for outcome in found]
    assert len(set(steps)) > 1
    assert max(steps) < 300
    for outcome, last in zip(found, steps, strict=True):
        lines = open_run(outcome.job.out).log()
        seen = [line["validation"]["loss"] for line in lines if "validation" in line]
        assert lines[-1]["step"] == last
        assert min(seen) < min(seen[-2:]), "it had not waited"
        assert all(a["step"] <= b["step"] for a, b in pairwise(lines))


def test_what_differs_is_trained_apart(digits, tmp_path, in_lockstep):
    other = load_data("digits", seed=1)
    jobs = [
        *jobs_of(digits, tmp_path / "a", seeds=[0, 1]),
        *jobs_of(digits, tmp_path / "b", seeds=[0, 1], recipe=SMALL.but(latent=3)),
        *jobs_of(other, tmp_path / "c", seeds=[0]),
        *jobs_of(digits, tmp_path / "d", seeds=[0, 1], recipe=SPHERE),
    ]
    found = fit_many(jobs, stacked=True, progress=False)
    assert in_lockstep == [2, 2, 1]
    assert [outcome.error for outcome in found] == [None] * 7
    assert fit_many(jobs, stacked=True, progress=False)[0].run == found[0].run
    assert in_lockstep == [2, 2, 1], "what is done was trained again"


def test_a_folder_in_use_stops_none_of_the_others(digits, tmp_path, monkeypatch):
    jobs = jobs_of(digits, tmp_path)
    begun = many_module.prepared

    def busy(recipe, data, settings, out, *rest):
        training = begun(recipe, data, settings, out, *rest)
        if settings["seed"] == 1:
            training.folder = tmp_path / "file"
        return training

    (tmp_path / "file").write_text("")
    monkeypatch.setattr(many_module, "prepared", busy)
    found = fit_many(jobs, stacked=True, progress=False)
    assert isinstance(found[1].error, RunError)
    assert [found[i].run.status for i in (0, 2)] == ["done", "done"]


def test_on_an_accelerator_it_is_what_is_done(digits, tmp_path, monkeypatch, in_lockstep):
    """The choice only: there is none here."""
    monkeypatch.setattr(many_module, "choose_device", lambda wanted: torch.device("cuda"))
    fit_many(jobs_of(digits, tmp_path), progress=False)
    assert in_lockstep == [MODELS]


@pytest.mark.slow
def test_compiled_it_is_the_same(digits, tmp_path):
    jobs = jobs_of(digits, tmp_path, compile="on")
    for outcome in fit_many(jobs, stacked=True, progress=False):
        assert outcome.run.summary["compiling_seconds"] > 0
        single = fit(SMALL, digits, progress=False, **{**outcome.job.settings, "compile": "off"})
        alike(load(outcome.job.out), single.model, rtol=1e-2, atol=1e-3)


@pytest.mark.slow
@pytest.mark.parametrize("name", RECIPES)
def test_every_row_can_be_or_says_so(name, digits):
    recipe = RECIPES[name].but(schedules={})
    apart, joined = ([loop_of(recipe, digits, seed) for seed in range(2)] for _ in range(2))
    try:
        stack = stack_of(joined)
    except Untraceable:
        assert name in APART
        return
    assert name not in APART
    expected = torch.stack([alone(loop, seed, 3) for seed, loop in enumerate(apart)])
    found = at_once(stack, joined[0], 3)
    torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-4)


# Those with critics, with a prior that is fitted on the way, with a path that depends on values
# or with numbers that are drawn by others.
APART = {"m2", "m1-m2", "mog-vae", "sphere-vae", "factor-vae", "aae", "aae-uniform", "vae-gan"}
