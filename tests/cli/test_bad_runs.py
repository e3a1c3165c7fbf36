"""Run folders that are damaged, half-written, of another version or made to harm."""

import json
import os
import pickle
import shutil

import numpy as np
import pytest
import torch
from PIL import Image

from autoencode.io import tensors as tensors_io
from autoencode.io.tensors import read_tensors, write_tensors
from autoencode.models.run import load, open_run
from autoencode.train import fit
from autoencode.train.checkpoint import checkpoints


def change(path, **values):
    """Puts values into a JSON file, by dotted name."""
    content = json.loads(path.read_text())
    for address, value in values.items():
        *above, last = address.split("__")
        place = content
        for name in above:
            place = place[name]
        if value is Ellipsis:
            del place[last]
        else:
            place[last] = value
    path.write_text(json.dumps(content))


DEEP = json.loads("[" * 40 + "]" * 40)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"format": 99}, ["needs format 99", "pip install --upgrade autoencode"]),
        ({"format": ...}, ["format is missing"]),
        ({"format": True}, ["format must be"]),
        ({"status": "finished"}, ["status must be one of", "'finished'"]),
        ({"sizes": ...}, ["sizes is missing"]),
        ({"sizes": None}, ["sizes must be an object"]),
        ({"sizes__x": [10**9, 10**9]}, ["sizes.x must be"]),
        ({"sizes__x": [10**6, 10**6]}, ["are too large"]),
        ({"sizes__x": [-8, 8]}, ["sizes.x must be"]),
        ({"sizes__x": [8.5, 8]}, ["sizes.x must be"]),
        ({"sizes__x": DEEP}, ["sizes.x must be"]),
        ({"sizes__n": "many"}, ["sizes.n must be"]),
        ({"sizes__depth": 3}, ["sizes.depth is unknown"]),
        ({"data": []}, ["data must be an object"]),
        ({"data__source": 7}, ["data.source must be a text"]),
        ({"data__fingerprint": ...}, ["data.fingerprint is missing"]),
        ({"data__classes": [0, 1]}, ["data.classes must be a list"]),
        ({"settings": None}, ["settings must be an object"]),
        ({"settings__seed": [0]}, ["settings.seed must be"]),
        ({"data__options__seed": "x"}, ["data.options.seed must be"]),
        ({"summary": {}}, ["summary.steps is missing"]),
        ({"more": 1}, ["more is unknown"]),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
@pytest.mark.parametrize("verb", ["evaluate", "resume"])
def test_a_run_json_that_is_none_is_refused(refused, ae, verb, values, words):
    change(ae / "run.json", **values)
    message = refused(f"{verb} ae")
    assert all(word in message for word in words), message
    assert "ae" in message.split()[1]


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"network": {"kind": "os.system"}}, ['no network "os.system"']),
        ({"network": None}, ["no network"]),
        ({"network__args": {"hidden": [10**9]}}, ["network.hidden must be"]),
        ({"network__args": {"hidden": DEEP}}, ["network.hidden must be"]),
        ({"network__args": {"hidden": [8] * 5000}}, ["network.hidden must be"]),
        ({"network__args": {"path": "/etc/passwd"}}, ['no argument "path"']),
        ({"latent": 10**400}, ["latent must be"]),
        ({"terms": {"a.b": {"kind": "kl"}}}, ["'a.b' is not a valid name of a term"]),
        ({"terms": {"keys": {"kind": "kll"}}}, ['no term "kll"', '"kl"']),
        ({"papers": 7}, ["papers must be a list"]),
        ({"name": ["x"]}, ["name must be a text"]),
        ({"netwrk": {}}, ['no field "netwrk"', '"network"']),
    ],
    ids=lambda value: str(value)[:50] if isinstance(value, dict) else "",
)
def test_a_recipe_made_to_harm_is_refused(refused, ae, values, words):
    change(ae / "recipe.json", **values)
    message = refused("evaluate ae")
    assert "ae/recipe.json" in message
    assert all(word in message for word in words), message
    assert len(message) < 500


def test_a_recipe_too_large_for_any_machine(refused, ae):
    change(ae / "recipe.json", network__args={"hidden": [10**6, 10**6]})
    assert "parameters" in refused("evaluate ae", code=4)


@pytest.mark.parametrize("name", ["run.json", "recipe.json"])
@pytest.mark.parametrize(
    "content",
    [None, b"", b'{"format": 1, "sizes"', b"[1]", b"\xff\xfe", b'{"a":' * 50_000, b"9" * 5000],
    ids=["missing", "empty", "cut", "list", "bytes", "deep", "long"],
)
def test_half_written_json_is_refused(refused, ae, name, content):
    if content is None:
        (ae / name).unlink()
    else:
        (ae / name).write_bytes(content)
    for verb in ("evaluate", "resume", "generate"):
        assert f"ae/{name}" in refused(f"{verb} ae")


def test_an_empty_folder_and_a_file_are_no_runs(refused, folder):
    (folder / "empty").mkdir()
    (folder / "file").write_text("")
    for verb in ("evaluate", "resume", "generate", "reconstruct", "interpolate"):
        assert "empty/run.json is missing" in refused(f"{verb} empty")
        assert "no run at file" in refused(f"{verb} file")


class Trap:
    """Makes the folder "ran" when it is unpickled."""

    def __reduce__(self):
        return os.mkdir, ("ran",)


def flip(path):
    content = bytearray(path.read_bytes())
    content[-10] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize(
    ("harm", "words"),
    [
        (flip, "is damaged: its checksum does not match"),
        (lambda path: path.write_bytes(path.read_bytes()[:-5]), "is damaged"),
        (lambda path: path.write_bytes(path.read_bytes() + b"more"), "is damaged"),
        (lambda path: path.write_bytes(b""), "is damaged"),
        (lambda path: path.write_bytes(pickle.dumps(Trap())), "is damaged"),
        (lambda path: torch.save({"a": Trap()}, path), "is damaged"),
        (lambda path: path.unlink(), "is missing"),
    ],
    ids=["flipped", "cut", "longer", "empty", "pickle", "torch", "missing"],
)
def test_damaged_weights_are_refused_by_every_verb(refused, ae, harm, words):
    harm(ae / "weights.safetensors")
    for verb in ("evaluate", "generate", "reconstruct", "interpolate"):
        message = refused(f"{verb} ae")
        assert f"ae/weights.safetensors {words}" in message
    assert not (ae.parent / "ran").exists()


def test_weights_of_other_shapes_are_listed(refused, ae):
    change(ae / "recipe.json", network__args={"hidden": [17]})
    message = refused("evaluate ae")
    assert "ae/weights.safetensors do not fit the recipe" in message
    assert "encoder.network.body.0.weight is [16, 64] and not [17, 64]" in message


def test_weights_that_lack_a_tensor_or_have_one_more_are_refused(refused, ae):
    tensors, meta = read_tensors(ae / "weights.safetensors")
    lost = tensors.pop("decoder.network.out.bias")
    write_tensors(ae / "weights.safetensors", tensors | {"stray": lost}, meta)
    message = refused("evaluate ae")
    assert "decoder.network.out.bias is missing" in message
    assert "stray is unknown" in message


def test_weights_of_a_newer_format(refused, ae, monkeypatch):
    tensors, meta = read_tensors(ae / "weights.safetensors")
    monkeypatch.setattr(tensors_io, "FORMAT", 99)
    write_tensors(ae / "weights.safetensors", tensors, meta)
    monkeypatch.undo()
    monkeypatch.chdir(ae.parent)
    message = refused("evaluate ae")
    assert "format 99" in message
    assert "pip install --upgrade" in message


def test_weights_that_are_not_a_number_are_no_figures(refused, ae):
    tensors, meta = read_tensors(ae / "weights.safetensors")
    tensors["decoder.network.out.bias"][0] = torch.nan
    write_tensors(ae / "weights.safetensors", tensors, meta)
    assert "not a finite number" in refused("evaluate ae", code=3)


def test_an_unfinished_run_says_how_to_go_on(refused, half):
    for verb in ("evaluate", "generate", "reconstruct", "interpolate"):
        message = refused(f"{verb} half")
        assert "half has no trained weights yet: its status is interrupted" in message
        assert "autoencode resume half" in message


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"settings__stps": 3}, ["half/run.json", '"stps"', 'Did you mean "steps"']),
        ({"settings__lr": "fast"}, ["half/run.json", "lr must be"]),
        ({"data__options__sed": 3}, ["half/run.json", '"sed"', 'Did you mean "seed"']),
        ({"data__source": "gone.npy"}, ["gone.npy does not exist"]),
        ({"data__fingerprint": "0" * 64}, ["digits", "fingerprint has changed"]),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_a_run_that_asks_for_what_is_not_there_cannot_be_resumed(run, half, values, words):
    change(half / "run.json", **values)
    outcome = run("resume half")
    assert outcome.code == 2
    assert all(word in outcome.error for word in words), outcome
    assert not (half / "weights.safetensors").exists()
    assert checkpoints(half / "state"), "what could be continued is still there"


def test_a_damaged_log_is_cut_where_it_is_damaged(run, half):
    lines = (half / "log.jsonl").read_bytes().splitlines(keepends=True)
    (half / "log.jsonl").write_bytes(lines[0] + b"[1]\n\xff\xfe\n" + lines[1])
    assert run("resume half --no-report").code == 0
    steps = [line["step"] for line in open_run(half).log()]
    assert steps[0] == 1
    assert steps[-1] == 20


def test_resume_refuses_images_that_have_changed(run, images, folder):
    """Even a JPEG with one flipped byte, which decodes without a word."""
    for path in images.rglob("*.png"):
        Image.open(path).save(path.with_suffix(".jpg"))
        path.unlink()
    quick = "--steps 4 --batch-size 10 --set network.hidden=[8] --no-report"
    assert run(f"train ae --data images {quick} --out r").code == 0
    path = images / "a" / "04.jpg"
    before = np.asarray(Image.open(path))
    content = bytearray(path.read_bytes())
    place = next(n for n in range(len(content) - 30, 0, -1) if differs(content, n, path, before))
    outcome = run("evaluate r --measures quick")
    assert outcome.code == 2, place
    assert "images are not those that r was trained on" in outcome.error
    change(folder / "r" / "run.json", status="interrupted")
    assert "fingerprint has changed" in run("resume r").error


def differs(content, place, path, before):
    """Flips a byte, and says whether the file still decodes, to other pixels."""
    altered = bytearray(content)
    altered[place] ^= 0x10
    path.write_bytes(altered)
    try:
        after = np.asarray(Image.open(path))
    except OSError:
        return False
    return after.shape == before.shape and not (after == before).all()


@pytest.mark.long
def test_a_run_on_arrays_in_memory_asks_for_them(run, refused, folder, unfinished):
    x = np.random.default_rng(0).random((60, 6))
    np.save("x.npy", x)
    np.save("y.npy", x[::-1])
    fit("ae", x, out="r", steps=4, batch_size=10)
    for verb in ("evaluate", "generate", "reconstruct", "interpolate"):
        assert "--data SOURCE" in refused(f"{verb} r")
    assert run("evaluate r --data x.npy --measures quick").code == 0
    assert open_run("r").metrics()["data"] == "x"

    shutil.rmtree("r")
    unfinished(2, "ae", x, out="r", steps=4, batch_size=10)
    assert "--data SOURCE" in refused("resume r")
    assert "not those that r was trained on" in refused("resume r --data y.npy")
    outcome = run("resume r --data x.npy")
    assert outcome.code == 0, outcome.err
    assert (folder / "r" / "report.html").exists()
    load("r")
