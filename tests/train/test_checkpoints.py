"""Checkpoints and logs that are valid files of wrong content."""

import json
import math
import os
import shutil
import signal
import warnings

import pytest
import torch

from autoencode.errors import Interrupted, RunError
from autoencode.io.tensors import read_tensors, write_tensors
from autoencode.models.recipes.table import RECIPES
from autoencode.models.run import open_run
from autoencode.train import fit, resume
from autoencode.train.checkpoint import checkpoints, restore_checkpoint, save_checkpoint
from autoencode.train.session import resumed_session
from autoencode.train.trainer import Trainer

STEPS = 30


@pytest.fixture(scope="module")
def original(digits, tmp_path_factory):
    """An adversarial autoencoder with early stopping, interrupted at step 20; the finished one."""
    recipe = RECIPES["aae"].set("network.hidden", (8,))
    settings = {"steps": STEPS, "batch_size": 20, "checkpoint_every": 6, "patience": 50}
    settings |= {"validate_every": 5}
    whole = fit(recipe, digits, **settings)
    folder = tmp_path_factory.mktemp("interrupted") / "run"
    update = Trainer.update

    def signalled(self):
        if self.step == 19:
            os.kill(os.getpid(), signal.SIGTERM)
        return update(self)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Trainer, "update", signalled)
        with pytest.raises(Interrupted):
            fit(recipe, digits, out=folder, **settings)
    assert [path.name for path in checkpoints(folder / "state")] == [
        "state-000000020.safetensors",
        "state-000000018.safetensors",
    ]
    return folder, whole


@pytest.fixture
def copied(original, tmp_path):
    shutil.copytree(original[0], tmp_path / "run")
    return tmp_path / "run"


def wrong(path, change):
    tensors, meta = read_tensors(path)
    changed = change(tensors, meta)
    write_tensors(path, *(changed or (tensors, meta)))


def counter(**values):
    return lambda tensors, meta: meta.update(values)


def without(*names):
    def change(tensors, meta):
        for name in names:
            del (tensors if name in tensors else meta)[name]

    return change


def tensor(name, change):
    def changed(tensors, meta):
        tensors[name] = change(tensors[name])

    return changed


def renamed(name, new):
    def change(tensors, meta):
        tensors[new] = tensors.pop(name)

    return change


def first_of(tensor):
    tensor.view(-1)[0] = math.nan
    return tensor


MODEL, BEST = "model.terms.1.critic.0.weight", "best.model.encoder.network.head.bias"
MOMENT, SQUARE = "optimizer.0.exp_avg", "critics.1.exp_avg_sq"
CASES = {
    "a step of a text": (counter(step="20"), "step must be a whole number, and is '20'"),
    "a negative step": (counter(step=-1), "step is -1, and this training has the steps 0 to 30"),
    "a step beyond the end": (counter(step=31), "step is 31, and this training has the steps"),
    "another step": (counter(step=19), "step is 19, and its name is that of another step"),
    "a step with a fraction": (counter(step=20.5), "step must be a whole number"),
    "a step that is true": (counter(step=True), "step must be a whole number"),
    "a huge step": (counter(step=10**40), "step is 1"),
    "no step": (without("step"), "step is missing"),
    "no seconds": (without("seconds"), "seconds is missing"),
    "negative seconds": (counter(seconds=-1.0), "seconds must be a finite number from 0"),
    "seconds that are not a number": (counter(computing_seconds=math.nan), "computing_seconds"),
    "infinite seconds": (counter(seconds=math.inf), "seconds must be"),
    "a best loss of a text": (counter(best_loss="0.1"), "best_loss must be"),
    "a best loss in a list": (counter(best_loss=[1.0]), "best_loss must be"),
    "no best loss": (counter(best_loss=None), "the best loss and the best weights"),
    "a negative count": (counter(validations_without_improvement=-1), "without_improvement"),
    "a first loss of a text": (counter(first_loss="x"), "first_loss must be"),
    "an unknown counter": (counter(objective=1), "objective is unknown"),
    "nothing": (lambda t, m: ({}, {}), "step is missing"),
    "no counters": (lambda t, m: (t, {}), "step is missing"),
    "a list of counters": (lambda t, m: (t, [1]), "is damaged"),
    "no tensors": (lambda t, m: ({}, m), "is missing"),
    "a lost weight": (without(MODEL), "terms.1.critic.0.weight is missing"),
    "a renamed weight": (renamed(MODEL, MODEL + "s"), "terms.1.critic.0.weight is missing"),
    "a stray tensor": (renamed(MODEL, "weights"), "weights is unknown"),
    "a weight of another shape": (tensor(MODEL, torch.t), "terms.1.critic.0.weight is [10, 256]"),
    "a weight with more axes": (tensor(MODEL, lambda t: t[None]), "is [1, 256, 10] and not"),
    "a weight in float64": (tensor(MODEL, torch.Tensor.double), "is float64 and not float32"),
    "a weight in integers": (tensor(MODEL, torch.Tensor.long), "is int64 and not float32"),
    "a weight that is not a number": (tensor(MODEL, first_of), "weight is not finite"),
    "a lost best weight": (without(BEST), "of the best weights"),
    "a best weight that is not a number": (tensor(BEST, first_of), "of the best weights"),
    "a lost moment": (without(MOMENT), "of optimizer, 0.exp_avg is missing"),
    "a renamed moment": (renamed(MOMENT, "optimizer.0.mean"), "of optimizer, 0.exp_avg is miss"),
    "a moment of no weight": (renamed(MOMENT, "optimizer.999.exp_avg"), "of optimizer, "),
    "a moment of a negative place": (renamed(MOMENT, "optimizer.-1.exp_avg"), "of optimizer, "),
    "a moment of another digit": (renamed(MOMENT, "optimizer.².exp_avg"), "of optimizer, "),
    "a moment of no place": (renamed(MOMENT, "optimizer.x"), "of optimizer, "),
    "a moment of another shape": (tensor(MOMENT, lambda t: t[:1]), "of optimizer, 0.exp_avg is"),
    "a moment in float16": (tensor(MOMENT, torch.Tensor.half), "is float16 and not float32"),
    "a negative square": (tensor(SQUARE, lambda t: t - 1), "critics, 1.exp_avg_sq is negative"),
    "a negative step of a weight": (tensor("optimizer.0.step", torch.neg), "0.step is negative"),
    "a step of a weight in a list": (tensor("optimizer.0.step", lambda t: t[None]), "0.step is"),
    "no random state": (without("rng.cpu"), "rng.cpu is missing"),
    "a short random state": (tensor("rng.cpu", lambda t: t[:9]), "rng.cpu is no state"),
    "a random state in floats": (tensor("rng.cpu", torch.Tensor.float), "rng.cpu is no state"),
    "a random state of ones": (tensor("rng.cpu", torch.ones_like), "rng.cpu is no state"),
    "another random state": (renamed("rng.cpu", "rng.tpu"), "rng.tpu is unknown"),
}  # fmt: skip


def state_of(folder, data):
    return resumed_session(open_run(folder), data, False).trainer.state


@pytest.mark.long
@pytest.mark.parametrize("case", CASES)
def test_a_checkpoint_of_wrong_content_is_skipped(case, copied, digits):
    change, words = CASES[case]
    newest, before = checkpoints(copied / "state")
    wrong(newest, change)
    state = state_of(copied, digits)
    with torch.random.fork_rng(devices=[]):
        (told,) = restore_checkpoint(copied / "state", state)
    assert str(newest) in told
    assert words in told
    tensors, _ = read_tensors(before)
    assert state.step == 18
    for name, value in state.objective.state_dict().items():
        assert torch.equal(value, tensors[f"model.{name}"])
    assert len(state.optimizer.state) == len(state.optimizer.parameters)


@pytest.mark.parametrize("case", ["a step of a text", "a lost weight", "nothing", "a lost moment"])
def test_where_no_checkpoint_is_valid_each_is_named(case, copied, digits):
    for path in checkpoints(copied / "state"):
        wrong(path, CASES[case][0])
    with pytest.raises(RunError, match="no complete checkpoint to continue from") as refused:
        resume(copied)
    assert str(refused.value).count("is not valid") == 2


def test_a_checkpoint_of_another_training_is_skipped(copied, digits):
    """Of best weights, where this training keeps the last ones."""
    record = json.loads((copied / "run.json").read_text())
    record["settings"]["patience"] = None
    (copied / "run.json").write_text(json.dumps(record))
    with pytest.raises(RunError, match="this training keeps the last ones"):
        restore_checkpoint(copied / "state", state_of(copied, digits))


@pytest.mark.parametrize("missing", [(), ("first_loss",), ("rng.cuda",)])
def test_a_checkpoint_of_right_content_is_restored(missing, copied, digits):
    newest = checkpoints(copied / "state")[0]
    wrong(newest, lambda t, m: (t, {k: v for k, v in m.items() if k not in missing}))
    state = state_of(copied, digits)
    with torch.random.fork_rng(devices=[]):
        assert restore_checkpoint(copied / "state", state) == []
        assert torch.equal(torch.get_rng_state(), read_tensors(newest)[0]["rng.cpu"])
    assert (state.step, state.first_loss is None) == (20, "first_loss" in missing)
    assert math.isfinite(state.best_loss)
    assert state.best_weights.keys() == state.objective.state_dict().keys()


def test_a_training_that_goes_on_from_the_one_before_ends_alike(original, copied):
    wrong(checkpoints(copied / "state")[0], counter(step="20"))
    with pytest.warns(UserWarning, match="continuing from the one before it") as told:
        found = resume(copied).model.state_dict()
    assert len(told) == 1
    whole = original[1].model.state_dict()
    assert all(torch.equal(found[name], value) for name, value in whole.items())


def test_a_first_loss_that_is_not_finite_is_kept_as_none(copied, digits):
    state = state_of(copied, digits)
    with torch.random.fork_rng(devices=[]):
        restore_checkpoint(copied / "state", state)
    for value in (math.nan, math.inf, -math.inf):
        state.first_loss = value
        save_checkpoint(copied / "state", state)
        assert read_tensors(checkpoints(copied / "state")[0])[1]["first_loss"] is None


LINES = {
    "a text for a step": ({"step": "12"}, "step must be a whole number"),
    "no step": ({"step": None}, "step must be"),
    "a negative step": ({"step": -3}, "step must be"),
    "an infinite step": ({"step": math.inf}, "step must be"),
    "a text for a loss": ({"loss": "50.2"}, "loss must be a whole number, and is '50.2'"),
    "a loss that is true": ({"loss": True}, "loss must be"),
    "a loss of many digits": ({"loss": 10**400}, "loss must be"),
    "terms in a list": ({"terms": [1.0]}, "terms must be an object"),
    "a term in a list": ({"terms": {"match": [1.0]}}, "terms.match must be"),
    "no terms": ({"terms": None}, "terms must be"),
    "no squared error": ({"squared_error": None}, "squared_error must be"),
    "seconds of a text": ({"seconds": ""}, "seconds must be"),
    "validation in a list": ({"validation": [1]}, "validation must be an object"),
    "validation without a loss": ({"validation": {"terms": {}}}, "validation.loss must be"),
    "validation of a text": (
        {"validation": {"terms": {}, "loss": 1.0, "squared_error": "low"}},
        "validation.squared_error must be",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", LINES)
def test_a_log_is_read_up_to_a_line_of_wrong_content(case, copied):
    values, words = LINES[case]
    lines = (copied / "log.jsonl").read_text().splitlines()
    number = next(i for i, line in enumerate(lines) if i > 2 and "validation" not in line)
    lines[number] = json.dumps(json.loads(lines[number]) | values)
    (copied / "log.jsonl").write_text("\n".join(lines))
    with pytest.warns(UserWarning, match=f"line {number + 1} is not valid") as told:
        found = open_run(copied).log()
    assert len(told) == 1
    assert words in str(told[0].message)
    assert found == [json.loads(line) for line in lines[:number]]


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, 0, 3])
def test_a_log_may_hold_any_number_that_was_measured(value, copied):
    lines = (copied / "log.jsonl").read_text().splitlines()
    changed = [json.loads(line) for line in lines]
    for line in changed:
        (line.get("validation") or line)["loss"] = value
    (copied / "log.jsonl").write_text("\n".join(map(json.dumps, changed)))
    assert len(open_run(copied).log()) == len(lines)


def test_resuming_leaves_out_lines_of_wrong_content(copied):
    with (copied / "log.jsonl").open() as file:
        lines = file.read().splitlines()
    lines[4] = '{"step": "5"}'
    (copied / "log.jsonl").write_text("\n".join(lines))
    with pytest.warns(UserWarning, match="line 5 is not valid"):
        resume(copied)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert open_run(copied).log()[-1]["step"] == STEPS
