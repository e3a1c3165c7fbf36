"""Large collections: each image has one row, whichever workers die."""

import json
import os
import pickle
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import autoencode as ae
from autoencode.errors import AutoencodeError, Interrupted
from autoencode.io.store import read_json
from autoencode.scale.collection import collection
from autoencode.scale.collections import write_codes_in_parts
from autoencode.scale.tasks import run_tasks
from autoencode.use.codes import write_codes

parquet = pytest.importorskip("pyarrow.parquet")
pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    """A folder of 330 grey images, in folders by class, one of them damaged."""
    folder = tmp_path_factory.mktemp("images")
    draw = np.random.default_rng(0)
    for i in range(330):
        (folder / f"{i % 3}").mkdir(exist_ok=True)
        pixels = draw.integers(0, 256, (8, 8)).astype(np.uint8)
        Image.fromarray(pixels).save(folder / f"{i % 3}" / f"{i:04d}.png")
    return folder


@pytest.fixture(scope="module")
def run(images, tmp_path_factory):
    out = tmp_path_factory.mktemp("run") / "vae"
    ae.fit("vae", images, latent=3, steps=3, out=out, progress=False)
    return out


@pytest.fixture(scope="module")
def whole(run, images, tmp_path_factory):
    """The codes that one process writes into one file."""
    out = tmp_path_factory.mktemp("whole") / "codes.parquet"
    write_codes(ae.load(run), images, out)
    return parquet.read_table(out).to_pydict()


def check(out, whole, parts):
    manifest = read_json(out / "_manifest.json")
    assert manifest["images"] == manifest["rows"] == len(whole["name"])
    assert len(manifest["parts"]) == parts
    names = {each["file"] for each in manifest["parts"]}
    assert {path.name for path in out.iterdir()} == names | {"_manifest.json", "_plan.json"}
    table = parquet.read_table(out).to_pydict()  # the folder, as any reader of Parquet takes it
    assert table["name"] == whole["name"], "each once, in order"
    assert table["label"] == whole["label"]
    for column in ("z1", "z2", "z3"):
        np.testing.assert_allclose(table[column], whole[column], rtol=1e-5, atol=1e-6)


class Killer(threading.Thread):
    """Kills worker processes of this process, one after each of the first `times` complete parts.

    killed: the processes.
    """

    def __init__(self, folder, times):
        super().__init__(daemon=True)
        self.folder, self.times, self.killed = folder, times, []

    def run(self):
        while len(self.killed) < self.times:
            time.sleep(0.1)
            lines = self.folder / "_parts.jsonl"
            if lines.exists() and len(lines.read_bytes().splitlines()) > 2 * len(self.killed):
                new = [pid for pid in workers_of(os.getpid()) if pid not in self.killed]
                if new:
                    os.kill(new[0], signal.SIGKILL)
                    self.killed.append(new[0])


def workers_of(pid):
    """The processes that a process has started to work for it."""
    listed = subprocess.run(
        ["ps", "-ww", "--ppid", str(pid), "-o", "pid=,args="], capture_output=True, text=True
    )
    return [int(pid) for pid in re.findall(r"(\d+) .*spawn_main", listed.stdout)]


def memory_of(pid):
    """The most memory that a process has had so far, in bytes."""
    status = Path(f"/proc/{pid}/status").read_text()
    return 1024 * int(re.search(r"VmHWM:\s+(\d+) kB", status)[1])


def test_parts_are_the_whole_and_a_part_that_is_lost_is_written_again(
    run, images, whole, tmp_path, cluster
):
    out = tmp_path / "codes"
    rows, _ = write_codes_in_parts(run, images, out, cluster=cluster, part_size=50)
    assert rows == 330
    check(out, whole, 7)
    kept = {path.name: path.stat().st_mtime_ns for path in out.glob("part-*")}
    (out / "part-00003.parquet").unlink()
    (out / "_manifest.json").rename(out / "manifest")
    with (out / "_parts.jsonl").open("wb") as file:  # as a call that was killed leaves it
        for line in read_json(out / "manifest")["parts"]:
            file.write(json.dumps(line).encode() + b"\n")
        file.write(b'{"part": 6, "sta')
    (out / "manifest").unlink()
    write_codes_in_parts(run, images, out, cluster=cluster, part_size=50)
    check(out, whole, 7)
    again = {path.name: path.stat().st_mtime_ns for path in out.glob("part-*")}
    assert {name for name in kept if kept[name] != again[name]} == {"part-00003.parquet"}


def length_of(content, more):
    return len(content) + more


def test_a_large_model_goes_to_the_workers_without_a_warning(cluster):
    found = {}
    run_tasks(cluster, partial(length_of, b"x" * 20_000_000), [1, 2], found.__setitem__, "asking")
    assert found == {1: 20_000_001, 2: 20_000_002}


def test_workers_need_not_see_the_run(run, images, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(run, copy)
    sent = pickle.loads(pickle.dumps(collection(copy, images, {})))
    shutil.rmtree(copy)
    write_codes(sent.model(), images, tmp_path / "there.csv")
    write_codes(ae.load(run), images, tmp_path / "here.csv")
    assert (tmp_path / "there.csv").read_bytes() == (tmp_path / "here.csv").read_bytes()


def test_files_that_are_added_or_renamed_are_not_mixed_with_parts(run, images, tmp_path, cluster):
    copy = tmp_path / "copy"
    shutil.copytree(images, copy)
    for change in (
        lambda: shutil.copy(copy / "1" / "0001.png", copy / "1" / "9999.png"),
        lambda: (copy / "1" / "9999.png").rename(copy / "1" / "9998.png"),
    ):
        out = tmp_path / f"codes-{len(list(tmp_path.iterdir()))}"
        write_codes_in_parts(run, copy, out, cluster=cluster)
        change()
        with pytest.raises(AutoencodeError, match="files were added, deleted or renamed"):
            write_codes_in_parts(run, copy, out, cluster=cluster)
        rows, _ = write_codes_in_parts(run, copy, tmp_path / f"{out.name}-2", cluster=cluster)
        assert rows == 331, "as the error says"


@pytest.mark.slow
def test_workers_that_are_killed_cost_no_row_and_double_none(run, tmp_path):
    """200,000 images, two workers killed."""
    folder = tmp_path / "many"
    draw = np.random.default_rng(0)
    contents = []
    for _ in range(500):
        path = tmp_path / "one.png"
        Image.fromarray(draw.integers(0, 256, (8, 8)).astype(np.uint8)).save(path)
        contents.append(path.read_bytes())
    for i in range(200):
        (folder / f"{i:03d}").mkdir(parents=True)
        for k in range(1000):
            (folder / f"{i:03d}" / f"{k:04d}.png").write_bytes(contents[(i + k) % 500])
    killer, most = Killer(tmp_path / "codes", 2), []
    killer.start()

    def watch():
        while not (tmp_path / "codes" / "_manifest.json").exists():
            for pid in [os.getpid(), *workers_of(os.getpid())]:
                with suppress(OSError, TypeError):  # it has just ended
                    most.append(memory_of(pid))
            time.sleep(1)

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    rows, _ = write_codes_in_parts(
        run, folder, tmp_path / "codes", workers=2, part_size=5_000, no_labels=True
    )
    assert rows == 200_000
    assert len(set(killer.killed)) == 2
    assert max(most) < 1e9
    files = sorted((tmp_path / "codes").glob("part-*"))
    assert len(files) == 40
    names = parquet.read_table([str(path) for path in files]).column("name").to_pylist()
    assert len(set(names)) == len(names) == 200_000


def test_ctrl_c_keeps_complete_parts(run, images, whole, tmp_path):
    out = tmp_path / "codes"

    def stop():
        end = time.monotonic() + 60
        while time.monotonic() < end and not list(out.glob("part-*.parquet")):
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=stop)
    thread.start()
    with pytest.raises(Interrupted, match="of 66 done") as caught:
        write_codes_in_parts(run, images, out, workers=2, part_size=5)
    thread.join()
    assert caught.value.exit_code == 130
    assert not (out / "_manifest.json").exists()
    write_codes_in_parts(run, images, out, workers=2, part_size=5)
    check(out, whole, 66)


def test_what_is_refused(run, images, tmp_path, cluster):
    out = tmp_path / "codes"
    np.save(tmp_path / "array.npy", np.zeros((4, 8, 8), np.uint8))
    with pytest.raises(AutoencodeError, match="is no folder or archive of images"):
        write_codes_in_parts(run, tmp_path / "array.npy", out)
    assert not out.exists()
    out.mkdir()
    (out / "letter.txt").write_text("dear")
    with pytest.raises(AutoencodeError, match="has files of another kind"):
        write_codes_in_parts(run, images, out)
    (out / "letter.txt").unlink()
    write_codes_in_parts(run, images, out, cluster=cluster, part_size=200)
    for changes, what in (
        ({"part_size": 100}, "part size: 200, and 100"),
        ({"part_size": 200, "scale": True}, "scale"),
        ({"part_size": 200, "size": (8, 8)}, "options"),
    ):
        with pytest.raises(AutoencodeError, match=what):
            write_codes_in_parts(run, images, out, cluster=cluster, **changes)
    copy = tmp_path / "copy"
    shutil.copytree(images, copy)
    with pytest.raises(AutoencodeError, match="another source"):
        write_codes_in_parts(run, copy, out, cluster=cluster, part_size=200)


def test_the_command(run, images, tmp_path):
    words = [sys.executable, "-m", "autoencode", "embed", str(run), "--data", str(images)]

    def said(*more):
        done = subprocess.run([*words, *more], capture_output=True, text=True, cwd=tmp_path)
        return done.returncode, done.stdout + done.stderr

    code, text = said("--out", "codes", "--workers", "2")
    assert code == 0
    assert "codes: codes of 330 examples, in parts" in text
    for more, what in (
        (["--out", "codes.parquet", "--workers", "2"], "Give a folder: --out codes."),
        (["--out", "more", "--workers", "2", "--overwrite"], "Leave out --overwrite"),
        (["--out", "more", "--cluster", "tcp://127.0.0.1:1"], "No Dask scheduler answers"),
    ):
        code, text = said(*more)
        assert code == 2
        assert what in text
    assert Path(tmp_path / "codes" / "_manifest.json").exists()
