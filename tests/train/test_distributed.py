"""One training in several processes: what is equal, what is refused, and how it ends."""

import importlib.util
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from autoencode.cli.main import main
from autoencode.errors import RecipeError, RunError
from autoencode.io.processes import Place, place
from autoencode.io.store import read_json, write_json
from autoencode.models.recipes.table import RECIPES
from autoencode.models.run import open_run
from autoencode.train import fit, resume
from autoencode.train.checkpoint import checkpoints
from autoencode.train.checks import may_compile
from autoencode.train.distributed import TrainingGroup

HERE = Path(__file__).parent
SCRIPT = HERE / "distributed_recipes.py"
PAGE = HERE.parents[1] / "docs" / "distributed.md"
BOUND = 90  # seconds
TORCHRUN = (sys.executable, "-m", "torch.distributed.run")
TWO = ("--standalone", "--nproc-per-node", "2")
SMALL = shlex.split("--data digits --set network.hidden=[16] --no-report")
# What torchrun sets in each process.
VARIABLES = {
    "RANK": "1",
    "WORLD_SIZE": "2",
    "MASTER_ADDR": "localhost",
    "MASTER_PORT": "29500",
    "LOCAL_RANK": "1",
    "LOCAL_WORLD_SIZE": "2",
    "TORCHELASTIC_MAX_RESTARTS": "3",
}


@pytest.fixture
def start(tmp_path):
    """start(*words) -> torchrun in `tmp_path`; what still runs is ended."""
    running = []

    def started(*words, launcher=(*TORCHRUN, *TWO), folder=tmp_path, env=None):
        process = subprocess.Popen(
            [*launcher, *map(str, words)],
            cwd=folder,
            env={**os.environ, "AUTOENCODE_OFFLINE": "1", **(env or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        running.append(process)
        return process

    yield started
    for process in running:
        if process.poll() is None:
            process.terminate()  # which torchrun passes on
        process.communicate()


def ended(process, code=0):
    """Its standard output and error, after it has left with `code`."""
    out, err = process.communicate(timeout=BOUND)
    assert process.returncode == code, err
    return out, err


def reached(process, run, step):
    """Waits until the run has a checkpoint at that step or later."""
    deadline = time.monotonic() + BOUND
    while time.monotonic() < deadline:
        found = checkpoints(run / "state") if (run / "state").is_dir() else []
        if found and int(found[0].stem.removeprefix("state-")) >= step:
            return
        assert process.poll() is None, process.communicate()
        time.sleep(0.01)
    raise AssertionError("it does not begin to train")


def workers(process):
    """The processes that torchrun has started: rank -> number of the process."""
    psutil = pytest.importorskip("psutil")
    children = psutil.Process(process.pid).children(recursive=True)
    return {int(c.environ()["RANK"]): c.pid for c in children if "RANK" in c.environ()}


def commands(*words):
    """The commands of the page that begin with torchrun and have all of these words."""
    text = PAGE.read_text(encoding="utf-8").replace("\\\n", " ")
    bodies = re.findall(r"```sh\n(.*?)```", text, re.DOTALL)
    found = [shlex.split(line) for body in bodies for line in body.splitlines()]
    return [line for line in found if "torchrun" in line and {*words} <= {*line}]


def shortened(command):
    """Its variables, and its words with a small training instead of a long one."""
    position = command.index("torchrun")
    env = dict(each.split("=", 1) for each in command[:position])
    words = ["digits" if word == "mnist" else word for word in command[position + 1 :]]
    if "train" in words:
        words += ["--steps", "300", "--checkpoint-every", "50", "--no-report"]
    return env, words


def clear(monkeypatch):
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def script():
    """The module `distributed_recipes.py`, which is also a script."""
    spec = importlib.util.spec_from_file_location("distributed_recipes", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_place_of_a_process(monkeypatch):
    clear(monkeypatch)
    assert place() is None
    monkeypatch.setenv("WORLD_SIZE", "1")
    assert place() is None
    for name, value in VARIABLES.items():
        monkeypatch.setenv(name, value)
    assert place() == (1, 2, 1, 2, True)
    # Without torchrun, as some clusters start processes: one on each machine.
    for name in ("LOCAL_RANK", "LOCAL_WORLD_SIZE", "TORCHELASTIC_MAX_RESTARTS"):
        monkeypatch.delenv(name)
    assert place() == (1, 2, 0, 1, False)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"RANK": None, "MASTER_ADDR": None}, "RANK and MASTER_ADDR are not set"),
        ({"MASTER_PORT": ""}, "MASTER_PORT is not set"),
        ({"WORLD_SIZE": "two"}, "WORLD_SIZE is 'two', and no number"),
        ({"WORLD_SIZE": "0"}, "RANK is 1, and of 0 processes"),
        ({"RANK": "2"}, "RANK is 2, and of 2 processes .* are 0 to 1"),
        ({"RANK": "-1"}, "RANK is '-1', and no number"),
        ({"MASTER_PORT": "²"}, "MASTER_PORT is '²', and no number"),
    ],
)
def test_variables_that_something_else_has_left(monkeypatch, tmp_path, capsys, changes, words):
    """A sentence in Python and in the command, before anything is written."""
    clear(monkeypatch)
    monkeypatch.chdir(tmp_path)
    for name, value in {**VARIABLES, "LOCAL_RANK": "0", **changes}.items():
        if value is not None:
            monkeypatch.setenv(name, value)
    with pytest.raises(RunError, match=words):
        fit("ae", "digits", steps=1, out="run")
    with pytest.raises(SystemExit) as left:
        main(["train", "ae", *SMALL, "--steps", "1", "--out", "run"])
    assert left.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert re.search(words, line)
    assert line.endswith("or remove the variable: unset WORLD_SIZE")
    assert not list(tmp_path.iterdir())
    monkeypatch.delenv("WORLD_SIZE")  # the fix
    assert fit("ae", "digits", steps=1).summary["steps"] == 1


def test_one_process_is_an_ordinary_training(monkeypatch, tmp_path):
    for name, value in {**VARIABLES, "RANK": "0", "LOCAL_RANK": "0", "WORLD_SIZE": "1"}.items():
        monkeypatch.setenv(name, value)
    fit("ae", "digits", steps=1, out=tmp_path / "run")
    assert read_json(tmp_path / "run" / "environment.json")["processes"] == 1


@pytest.mark.parametrize("verb", ["evaluate run", "sweep vae", "compare a b", "recipes"])
def test_other_verbs_are_for_one_process(monkeypatch, capsys, verb):
    for name, value in {**VARIABLES, "LOCAL_RANK": "0", "TORCHELASTIC_RUN_ID": "none"}.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SystemExit) as left:
        main(verb.split())
    assert left.value.code == 2
    assert f"Start it without torchrun: autoencode {verb.split()[0]}" in capsys.readouterr().err


@pytest.mark.parametrize(("total", "size"), [(200, 2), (31, 4), (7, 7), (1000, 3)])
def test_every_row_has_one_process(total, size):
    found = []
    for rank in range(size):
        shard = TrainingGroup(Place(rank, size, rank, size, False)).shard(total)
        assert shard.rows in (total // size, -(-total // size))
        found += range(shard.start, shard.stop)
    assert found == list(range(total))


@pytest.mark.parametrize(
    ("batch", "parts"), [(1, 1), (3, 1), (31, 6), (50, 20), (8, 4), (200, 150), (7, 2)]
)
def test_a_batch_that_processes_cannot_divide(batch, parts):
    """The fix is tried."""
    group = TrainingGroup()
    group.size = 4
    with pytest.raises(RecipeError, match="4 processes cannot divide") as refused:
        group.check_batch(batch, parts)
    fixed = int(re.search(r"\(batch_size=\) (\d+)", str(refused.value))[1])
    group.check_batch(fixed, parts)
    assert all(len(part) >= 4 for part in torch.arange(fixed).chunk(parts))


@pytest.mark.parametrize("changes", [True, False])
def test_the_step_of_several_processes_is_not_compiled(changes):
    cpu = torch.device("cpu")
    assert may_compile("auto", False, cpu, 1)
    assert not may_compile("auto", changes, cpu, 2)
    with pytest.raises(RecipeError, match="2 processes cannot be compiled"):
        may_compile("on", changes, cpu, 2)


@pytest.mark.long
@pytest.mark.filterwarnings("ignore")
def test_every_recipe_in_two_processes(start, script, tmp_path, monkeypatch):
    """The weights of one process after four steps, in both; or a refusal, and nothing is written.

    Differences are relative to the way from the initial weights. The sums of batch normalisation
    are of another order than torch's, and before it a bias has no effect: its gradient is rounding,
    which Adam turns into steps. Statistics of a part of the batch would give 0.08 and more.
    """
    one, two = tmp_path / "one", tmp_path / "two"
    one.mkdir()
    two.mkdir()
    process = start(SCRIPT, two)
    script.main(one, monkeypatch.setattr)
    ended(process)
    alone = read_json(one / "0.json")
    first, second = read_json(two / "0.json"), read_json(two / "1.json")
    trained = [*RECIPES, *script.OTHERS]
    assert [*first] == [*trained, *script.REFUSED]
    differences = {}
    for name in trained:
        assert first[name] == second[name], name  # steps, and weights bit for bit
        assert first[name][0] == alone[name][0], name
        a, b = (load_file(folder / f"{name}.safetensors") for folder in (one, two))
        start_of = load_file(one / f"{name}.initial.safetensors")
        normalised = any("running_mean" in key or "normalise" in key for key in a)
        no_effect = (".bias", "running_mean") if normalised else ()
        keys = [k for k in a if a[k].is_floating_point() and not k.endswith(no_effect)]
        difference, way = (
            torch.cat([(x[k] - y[k]).double().flatten() for k in keys]).norm().item()
            for x, y in ((a, b), (a, start_of))
        )
        if not difference < way * (0.03 if normalised else 3e-5):
            differences[name] = difference / way
    assert not differences
    for name in script.REFUSED:
        assert isinstance(first[name], str), name
        assert (two / name).exists() == (name == "pruned"), name
    for name in ("noise", "dropout", "centred", "ranked", "channels"):
        assert re.match(
            '"vae" cannot be trained in 2 processes: if they divide a batch, .*'
            "use the same command without torchrun",
            first[f"own-{name}"],
        )
    assert 'term "match" is ' in first["conditional-prior"]
    assert "on examples without labels" in first["unlabelled"]
    assert first["elsewhere"].startswith("In process 1: /nowhere/at/all does not exist")
    assert first["pruned"] == second["pruned"] == "Enough"
    assert "2 processes cannot be compiled" in first["compiled"]


@pytest.mark.long
@pytest.mark.parametrize("rank", [pytest.param(0, marks=pytest.mark.slow), 1])
def test_a_killed_process_changes_no_bit(start, tmp_path, rank):
    """torchrun starts both again, and the run goes on from its checkpoint."""
    undisturbed, killed = tmp_path / "undisturbed", tmp_path / "killed"
    undisturbed.mkdir()
    killed.mkdir()
    env, words = shortened(commands("--standalone", "train", "vae")[0])
    ended(start(*words, launcher=TORCHRUN, folder=undisturbed, env=env))
    (command,) = commands("--standalone", "--max-restarts")
    env, words = shortened(command)
    process = start(*words, launcher=TORCHRUN, folder=killed, env=env)
    reached(process, killed / "runs" / "vae", 100)
    os.kill(workers(process)[rank], signal.SIGKILL)
    _, err = ended(process)
    assert "the training in runs/vae goes on from its last checkpoint" in err
    assert "Another process of this training has ended, so it cannot go on" in err or rank == 0
    one, two = (open_run(folder / "runs" / "vae") for folder in (undisturbed, killed))
    assert two.status == "done"
    assert one.weights.read_bytes() == two.weights.read_bytes()
    assert [line["step"] for line in one.log()] == [line["step"] for line in two.log()]
    assert read_json(two.folder / "environment.json")["processes"] == 2


@pytest.mark.long
def test_a_training_that_diverges_ends_all_with_one_sentence(start, tmp_path):
    words = [*SMALL, "--steps", "200", "--lr", "1e5", "--set", "likelihood=gaussian"]
    _, err = ended(start("-m", "autoencode", "train", "vae", *words, "--out", "run"), 1)
    (sentence,) = (line for line in err.splitlines() if line.startswith("error: "))
    assert sentence.startswith("error: Training diverged")
    assert err.count("2 processes train one model") == 1
    assert "exitcode  : 3" in err
    assert open_run(tmp_path / "run").status == "diverged"


@pytest.mark.long
@pytest.mark.parametrize(
    "number", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.slow)]
)
def test_a_signal_saves_and_any_number_of_processes_goes_on(start, tmp_path, monkeypatch, number):
    """A signal of torchrun, which passes it on; two processes resume, and one."""
    env, words = shortened(commands("--standalone", "train", "vae")[0])
    process = start(*words, "--steps", "200000", launcher=TORCHRUN, env=env)
    run = tmp_path / "runs" / "vae"
    reached(process, run, 50)
    process.send_signal(number)
    out, err = ended(process, 1)
    assert not out
    (sentence,) = (line for line in err.splitlines() if line.startswith("note: Stopped"))
    assert re.match(
        r"note: Stopped at step [\d,]+ of 200,000; everything is saved. Continue: "
        "torchrun --nproc-per-node 2 -m autoencode resume runs/vae$",
        sentence,
    )
    stopped = open_run(run)
    step = stopped.summary["steps"]
    assert stopped.status == "interrupted"
    assert checkpoints(run / "state")[0].name == f"state-{step:09d}.safetensors"
    # Ended soon, where it would train for minutes.
    record = read_json(run / "run.json")
    record["settings"]["steps"] = step + 5
    write_json(run / "run.json", record)
    copy = tmp_path / "copy"
    shutil.copytree(run, copy)
    env, words = shortened(commands("resume")[0])
    ended(start(*words, "--no-report", launcher=TORCHRUN, env=env))
    clear(monkeypatch)
    with pytest.warns(UserWarning, match="processes was 2 and is 1"):
        resume(copy)
    two, one = open_run(run), open_run(copy)
    assert one.summary["steps"] == two.summary["steps"] == step + 5
    assert one.status == two.status == "done"
    a, b = load_file(one.weights), load_file(two.weights)
    assert all(torch.allclose(a[name], b[name], rtol=0.05, atol=1e-3) for name in a)


@pytest.mark.long
def test_a_script(start, tmp_path):
    """That of the page, with the command of the page."""
    text = PAGE.read_text(encoding="utf-8")
    script = re.search(r"```python\n(.*?)```", text, re.DOTALL)[1]
    (tmp_path / "train.py").write_text(script, encoding="utf-8")
    (command,) = commands("train.py")
    env, words = shortened(command)
    out, _ = ended(start(*words, launcher=TORCHRUN, env=env))
    assert float(out) < 10  # printed once
    assert open_run(tmp_path / "runs" / "vae-digits").status == "done"


@contextmanager
def two_hosts():
    """The names of two network namespaces with a cable, at 10.0.0.1 and 10.0.0.2."""
    names = [f"ae{os.getpid() % 100_000}{end}" for end in "ab"]
    cables = [f"v{name}" for name in names]

    def ip(*words):
        subprocess.run(["ip", *words], check=True, capture_output=True, timeout=BOUND)

    try:
        try:
            for name in names:
                ip("netns", "add", name)
            ip("link", "add", cables[0], "type", "veth", "peer", "name", cables[1])
            for number, (name, cable) in enumerate(zip(names, cables, strict=True), 1):
                ip("link", "set", cable, "netns", name, "name", "eth0")
                ip("-n", name, "addr", "add", f"10.0.0.{number}/24", "dev", "eth0")
                ip("-n", name, "link", "set", "eth0", "up")
                ip("-n", name, "link", "set", "lo", "up")
        except (OSError, subprocess.CalledProcessError) as error:
            reason = getattr(error, "stderr", None) or str(error)
            pytest.skip(f"network namespaces cannot be made here: {reason}")
        yield names
    finally:
        for name in names:  # the cable goes with them
            subprocess.run(["ip", "netns", "del", name], check=False, capture_output=True)


@pytest.mark.long
def test_two_machines_train_without_a_shared_folder(start, tmp_path):
    """The commands of the page, in two network namespaces; only the first one has the run."""
    first, second = commands("--master-addr")
    with two_hosts() as names:
        processes = []
        for name, command in zip(names, (first, second), strict=True):
            env, words = shortened(command)
            (tmp_path / name).mkdir()
            launcher = ("ip", "netns", "exec", name, *TORCHRUN)
            processes.append(start(*words, launcher=launcher, folder=tmp_path / name, env=env))
        (out, _), (nothing, err) = map(ended, processes)
    assert "MSE" in out
    assert not nothing
    assert "autoencode" not in err
    run = open_run(tmp_path / names[0] / "runs" / "vae")
    assert run.status == "done"
    assert read_json(run.folder / "environment.json")["processes"] == 2
    assert not list((tmp_path / names[1]).iterdir())


@pytest.mark.slow
@pytest.mark.parametrize("killed", [0, 1])
def test_two_machines_go_on_after_a_killed_process(start, tmp_path, killed):
    """The commands of the page, in two network namespaces that share a folder."""
    words = shortened(commands("--master-addr")[0])[1]
    words = words[words.index("-m") :]
    ended(start(*words, folder=tmp_path))  # two processes of one machine, undisturbed
    undisturbed = (tmp_path / "runs" / "vae").rename(tmp_path / "undisturbed")
    with two_hosts() as names:
        processes = []
        for name, command in zip(names, commands("c10d"), strict=True):
            env, words = shortened(command)
            launcher = ("ip", "netns", "exec", name, *TORCHRUN)
            processes.append(start(*words, launcher=launcher, env=env))
        reached(processes[0], tmp_path / "runs" / "vae", 100)
        found = {rank: pid for process in processes for rank, pid in workers(process).items()}
        os.kill(found[killed], signal.SIGKILL)
        for process in processes:
            ended(process)
    run = open_run(tmp_path / "runs" / "vae")
    assert run.weights.read_bytes() == open_run(undisturbed).weights.read_bytes()
