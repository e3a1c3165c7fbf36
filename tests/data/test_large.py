import json
import os
import resource
import shutil
import signal
import subprocess
import sys
from collections import namedtuple

import numpy as np
import pytest
import torch

from autoencode.data import check_source, load_data
from autoencode.data.records import PARTS
from autoencode.data.storage import NpyWriter
from autoencode.errors import DataError, ResourceError
from autoencode.train import fit

R = np.random.default_rng(0)
GREY = R.integers(0, 256, (60, 6, 8), np.uint8)
LABELS = np.arange(60) % 3
disk_usage = namedtuple("disk_usage", "total used free")


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("AUTOENCODE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "mapped"


@pytest.fixture
def little_memory(monkeypatch):
    monkeypatch.setattr("autoencode.io.memory.available", lambda: 1000)


def left(cache):
    return sorted(path.name for path in cache.iterdir() if path.name != ".data.lock")


def check_same(mapped, held):
    assert mapped.fingerprint == held.fingerprint
    assert (mapped.name, mapped.source, mapped.classes) == (held.name, held.source, held.classes)
    assert mapped.notices[:-1] == held.notices
    assert "not in memory" in mapped.notices[-1]
    for part in PARTS:
        one, other = getattr(mapped, part), getattr(held, part)
        assert one.random == other.random
        for what in ("x", "y", "context", "factors"):
            a, b = getattr(one, what), getattr(other, what)
            assert (a is None) == (b is None)
            assert a is None or (a.dtype == b.dtype and torch.equal(a, b))


@pytest.mark.parametrize(
    ("x", "options"),
    [
        (GREY, {}),
        (GREY, {"labels": LABELS, "labelled": 20, "seed": 3, "validation": 0.2}),
        (GREY, {"vectors": R.random((60, 2))}),
        (GREY, {"size": (3, 3)}),
        (GREY, {"binarise": "static"}),
        (GREY / 255, {"binarise": "dynamic"}),
        (GREY.astype(np.int16), {"value_range": (-10, 300)}),
        (GREY.astype(">f8"), {"value_range": (0, 255)}),
        (np.asfortranarray(GREY), {}),
        (R.integers(0, 256, (40, 6, 8, 3), np.uint8), {}),
        (R.random((40, 5), np.float32), {}),
    ],
)
def test_a_file_gives_the_same_mapped_and_in_memory(tmp_path, cache, monkeypatch, x, options):
    monkeypatch.setattr("autoencode.data.storage.BLOCK", 500)
    np.save(tmp_path / "x.npy", x)
    check_same(
        load_data(tmp_path / "x.npy", **options, memory="map"),
        load_data(tmp_path / "x.npy", **options),
    )


def test_arrays_sets_with_names_and_archives_can_be_mapped(tmp_path, cache):
    np.savez(tmp_path / "x.npz", x=GREY, y=LABELS)
    for source in ((GREY, LABELS), {"x_train": GREY, "x_test": GREY[:9]}, "digits"):
        check_same(load_data(source, memory="map"), load_data(source))
    check_same(load_data(tmp_path / "x.npz", memory="map"), load_data(tmp_path / "x.npz"))
    assert len(left(cache)) == 3  # the archive holds what the first source does


def test_a_folder_is_decoded_into_files_once(images, picture, cache, little_memory, monkeypatch):
    picture(images / "b" / "colour.png", "RGB")
    (images / "a" / "bad.png").write_bytes((images / "a" / "1.png").read_bytes()[:90])
    options = {"on_bad": "skip", "max_bad": 0.1}
    mapped = load_data(images, **options)
    monkeypatch.undo()
    monkeypatch.setenv("AUTOENCODE_CACHE", str(cache.parent))
    check_same(mapped, load_data(images, **options))
    (made,) = left(cache)
    assert not (cache / made / "rows.npy").exists()
    monkeypatch.setattr("autoencode.data.read.decoding._decoded", None)
    again = load_data(images, **options, memory="map")
    assert again.fingerprint == mapped.fingerprint
    assert again.options == {**mapped.options, "memory": "map"}
    # The same content elsewhere is the same, and notices name where it is now.
    shutil.move(images, images.parent / "moved")
    moved = load_data(images.parent / "moved", **options, memory="map")
    assert moved.fingerprint == mapped.fingerprint
    assert any("moved/a/bad.png" in notice for notice in moved.notices)
    assert left(cache) == [made]


def test_a_folder_with_parts_of_its_own(images, tmp_path, cache):
    for part in ("train", "test"):
        shutil.copytree(images, tmp_path / "own" / part)
    check_same(load_data(tmp_path / "own", memory="map"), load_data(tmp_path / "own"))


def test_large_data_are_mapped_and_load_again_from_their_options(tmp_path, cache, little_memory):
    np.save(tmp_path / "x.npy", GREY)
    data = load_data(tmp_path / "x.npy", seed=4)
    assert "2,880 bytes" in data.notices[-1]
    assert str(cache) in data.notices[-1]
    assert data.train.x.dtype == torch.uint8
    assert "memory" not in data.options
    again = load_data(data.source, **data.options)
    assert again.fingerprint == data.fingerprint
    forced = load_data(data.source, seed=4, memory="map")
    assert load_data(forced.source, **forced.options).fingerprint == data.fingerprint
    assert len(left(cache)) == 1


def test_changed_content_and_other_options_are_other_data(tmp_path, cache):
    np.save(tmp_path / "x.npy", GREY)
    first = load_data(tmp_path / "x.npy", memory="map")
    seeded = load_data(tmp_path / "x.npy", memory="map", seed=1)
    np.save(tmp_path / "x.npy", GREY + 1)
    changed = load_data(tmp_path / "x.npy", memory="map")
    assert len({d.fingerprint for d in (first, seeded, changed)}) == len(left(cache)) == 3
    np.save(tmp_path / "y.npy", LABELS)
    labelled = load_data(tmp_path / "x.npy", memory="map", labels=tmp_path / "y.npy")
    np.save(tmp_path / "y.npy", LABELS[::-1])
    turned = load_data(tmp_path / "x.npy", memory="map", labels=tmp_path / "y.npy")
    assert labelled.fingerprint != turned.fingerprint


def test_what_is_written_to_mapped_data_stays_in_memory(tmp_path, cache):
    np.save(tmp_path / "x.npy", GREY)
    data = load_data(tmp_path / "x.npy", memory="map")
    data.train.x.zero_()
    assert load_data(tmp_path / "x.npy", memory="map").train.x.any()


@pytest.mark.parametrize("name", ["train.npy", "data.json", "test.npy"])
@pytest.mark.parametrize("how", ["cut", "gone"])
def test_damaged_files_are_made_again(tmp_path, cache, name, how):
    np.save(tmp_path / "x.npy", GREY)
    train = load_data(tmp_path / "x.npy", memory="map").train.x.clone()
    (made,) = left(cache)
    file = cache / made / name
    if how == "gone":
        file.unlink()
    else:
        file.write_bytes(file.read_bytes()[:-20])
    assert torch.equal(load_data(tmp_path / "x.npy", memory="map").train.x, train)
    assert left(cache) == [made]


def test_refusals_are_those_of_data_in_memory(tmp_path, cache):
    np.save(tmp_path / "x.npy", GREY / 100)
    with pytest.raises(DataError, match=r"x\.npy: the values are floats .* --range"):
        load_data(tmp_path / "x.npy", memory="map")
    (tmp_path / "x.npy").write_bytes((tmp_path / "x.npy").read_bytes()[:300])
    with pytest.raises(DataError, match="cut short"):
        load_data(tmp_path / "x.npy", memory="map")
    assert left(cache) == []
    with pytest.raises(DataError, match=r"memory must be one of .* and is 'disc'"):
        load_data(GREY, memory="disc")


def test_a_disk_without_room_is_refused_with_both_figures(tmp_path, cache, monkeypatch):
    np.save(tmp_path / "x.npy", GREY)
    monkeypatch.setattr("autoencode.data.cache.shutil.disk_usage", lambda _: disk_usage(0, 0, 99))
    with pytest.raises(
        ResourceError, match=r"room for the data \(2,880 bytes\).*99 bytes are free.*CACHE"
    ):
        load_data(tmp_path / "x.npy", memory="map")
    assert left(cache) == []


def test_a_disk_that_fills_up_leaves_nothing(tmp_path, cache):
    np.save(tmp_path / "x.npy", GREY)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, before[1]))
        with pytest.raises(ResourceError, match=r"disk is full.*data \(.*free"):
            load_data(tmp_path / "x.npy", memory="map")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
    assert left(cache) == []


def test_a_cache_that_cannot_be_written_is_told(tmp_path, cache):
    cache.parent.write_text("a file where the folder should be")
    with pytest.raises(DataError, match=r"cache.*AUTOENCODE_CACHE"):
        load_data(GREY, memory="map")


@pytest.mark.long
def test_what_a_kill_leaves_is_swept_and_the_data_are_made(tmp_path, cache):
    np.save(tmp_path / "x.npy", GREY)
    code = (
        "import os, sys, autoencode.data as d\n"
        "from autoencode.data.storage import NpyWriter\n"
        "NpyWriter.result = lambda self: os.kill(os.getpid(), 9)\n"
        "d.load_data(sys.argv[1], memory='map')\n"
    )
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path / "x.npy")], check=False)
    assert done.returncode == -signal.SIGKILL
    (partial,) = left(cache)
    assert partial.endswith(".part")
    check_same(load_data(tmp_path / "x.npy", memory="map"), load_data(tmp_path / "x.npy"))
    assert not any(name.endswith(".part") for name in left(cache))


def test_an_interruption_leaves_nothing(tmp_path, cache, monkeypatch):
    def stop(self):
        raise KeyboardInterrupt

    monkeypatch.setattr(NpyWriter, "result", stop)
    with pytest.raises(KeyboardInterrupt):
        load_data(GREY, memory="map")
    assert left(cache) == []


@pytest.mark.parametrize("scale", [1, 255])
def test_training_is_the_same_bit_for_bit(tmp_path, cache, scale):
    np.save(tmp_path / "x.npy", GREY if scale == 1 else (GREY / scale).astype(np.float32))
    weights = []
    for memory in ("auto", "map"):
        data = load_data(tmp_path / "x.npy", memory=memory)
        model = fit("vae", data, latent=2, steps=6, batch_size=8, seed=1, progress=False).model
        weights.append(model.state_dict())
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])


FLAT = """
import json, sys, threading, time
from pathlib import Path
import torch
from autoencode.data import check_source, load_data
from autoencode.models.recipes.table import recipe_named
from autoencode.train import fit

def own():
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024 * int(next(line for line in lines if line.startswith("RssAnon")).split()[1])

def watch():
    while True:
        seen.append(own())
        time.sleep(0.002)

small = recipe_named("ae").set("network.hidden", (8,))
how = {"latent": 2, "steps": 10, "batch_size": 8, "compile": "off", "progress": False}
fit(small, load_data("digits", validation=8), **how)
seen = [own()]
before = seen[0]
threading.Thread(target=watch, daemon=True).start()
fit(small, load_data(sys.argv[1], memory=sys.argv[2], validation=8), **how)
print(max(seen) - before)
"""


@pytest.mark.slow  # processes of their own
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_memory_stays_flat_while_mapped_data_are_prepared_and_trained_on(tmp_path, cache):
    n, side = 15_000, 64
    x = np.lib.format.open_memmap(tmp_path / "x.npy", "w+", np.uint8, (n, side, side))
    for start in range(0, n, 5000):
        x[start : start + 5000] = R.integers(0, 256, (5000, side, side), np.uint8)
    x.flush()
    grown = {}
    for memory in ("auto", "map", "map"):  # prepared, then only mapped
        done = subprocess.run(
            [sys.executable, "-c", FLAT, str(tmp_path / "x.npy"), memory],
            capture_output=True,
            text=True,
            check=True,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )
        grown.setdefault(memory, []).append(json.loads(done.stdout))
    size = (tmp_path / "x.npy").stat().st_size
    assert grown["auto"][0] > 0.9 * size
    assert max(grown["map"]) < 0.4 * size


def test_data_larger_than_memory_are_checked_too(cache, tmp_path, monkeypatch):
    np.save(tmp_path / "x.npy", np.concatenate([GREY, GREY[:2], np.zeros_like(GREY[:1])]))
    expected = check_source(tmp_path / "x.npy")
    assert expected.constant == 1
    assert sum(part.repeated + part.in_train for part in expected.parts) == 2
    monkeypatch.setattr("autoencode.io.memory.available", lambda: 1000)
    assert check_source(tmp_path / "x.npy") == expected
    assert left(cache) == []
