"""Collections in a store of objects: a server with the interface of S3, in a process of its own."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import autoencode as ae
from autoencode.errors import AutoencodeError, DataError, RunError
from autoencode.scale.cluster import connected
from autoencode.scale.collections import (
    write_anomalies_in_parts,
    write_codes_in_parts,
    write_reconstructions_in_parts,
)
from autoencode.use.codes import write_codes

parquet = pytest.importorskip("pyarrow.parquet")
s3fs = pytest.importorskip("s3fs")
pytest.importorskip("moto.server")
pytestmark = pytest.mark.long


def free_port():
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return listening.getsockname()[1]


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """The client of an empty store; processes that are started find it by their environment."""
    port = free_port()
    log = (tmp_path_factory.mktemp("store") / "log").open("wb")
    server = subprocess.Popen(
        [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)],
        stdout=log,
        stderr=log,
    )
    address = f"http://127.0.0.1:{port}"
    given = {
        "FSSPEC_S3_ENDPOINT_URL": address,
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_DEFAULT_REGION": "us-east-1",
    }
    before = dict(os.environ)
    os.environ |= given
    try:
        for _ in range(300):
            try:
                urllib.request.urlopen(address, timeout=5).close()
                break
            except OSError:
                assert server.poll() is None, "the server has ended"
                time.sleep(0.1)
        client = s3fs.S3FileSystem(endpoint_url=address)
        client.mkdir("lake")
        # fsspec has read its settings from the environment when it was imported.
        from fsspec.config import conf, set_conf_env

        set_conf_env(conf)
        yield client
    finally:
        os.environ.clear()
        os.environ |= before
        conf.pop("s3", None)
        server.terminate()
        server.wait()
        log.close()


@pytest.fixture(scope="module")
def parts(store):
    """Two workers that find the store."""
    with connected(None, 2) as client:
        yield {"cluster": client, "part_size": 40}


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    """A folder of 150 images in two classes, JPEG and PNG, one of them damaged, and a note."""
    folder = tmp_path_factory.mktemp("images")
    draw = np.random.default_rng(0)
    for i in range(150):
        (folder / f"{i % 2}").mkdir(exist_ok=True)
        pixels = draw.integers(0, 256, (8, 8)).astype(np.uint8)
        Image.fromarray(pixels).save(folder / f"{i % 2}" / f"{i:04d}.{'png' if i % 3 else 'jpg'}")
    (folder / "note.txt").write_text("of two classes")
    return folder


@pytest.fixture(scope="module")
def at(store, images):
    """The URL of the same images, as a folder and as an archive beside it."""
    store.put(str(images), "lake/images", recursive=True)
    with store.open("lake/images.zip", "wb") as file, zipfile.ZipFile(file, "w") as archive:
        for path in sorted(images.rglob("*.*")):
            archive.write(path, path.relative_to(images))
    return "s3://lake/images"


@pytest.fixture(scope="module")
def run(images, tmp_path_factory):
    out = tmp_path_factory.mktemp("run") / "vae"
    ae.fit("vae", images, latent=3, steps=3, out=out, progress=False)
    return out


@pytest.fixture(scope="module")
def whole(run, images, tmp_path_factory):
    """The codes that one process writes into one file."""
    out = tmp_path_factory.mktemp("whole") / "codes.parquet"
    _, notices = write_codes(ae.load(run), images, out)
    return parquet.read_table(out).to_pydict(), notices


def table(store, folder):
    """All rows of the parts of a folder, as pyarrow reads them through fsspec."""
    names = [name for name in store.ls(folder) if "/_" not in name]
    found = [parquet.read_table(name, filesystem=store).to_pydict() for name in sorted(names)]
    return {key: [value for each in found for value in each[key]] for key in found[0]}


def same(found, whole):
    assert found["name"] == whole["name"]
    assert found["label"] == whole["label"]
    np.testing.assert_allclose(found["z1"], whole["z1"], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("ending", ["", "/", ".zip"])
def test_codes_from_a_url_into_a_url(store, at, run, whole, ending, parts):
    store.invalidate_cache()
    out = f"s3://lake/codes{ending.strip('/') or len(ending)}"
    for _ in range(2):  # the second call finds all parts
        rows, notices = write_codes_in_parts(run, at + ending, out, **parts)
        assert (rows, notices) == (150, whole[1])
    store.invalidate_cache()
    same(table(store, out.removeprefix("s3://")), whole[0])
    assert {name.rpartition("/")[2] for name in store.ls(out)} == {
        *("_plan.json", "_manifest.json"),
        *(f"part-{i:05d}.parquet" for i in range(4)),
    }
    manifest = json.loads(store.cat(f"{out}/_manifest.json"))
    assert [part["rows"] for part in manifest["parts"]] == [40, 40, 40, 30]


def test_one_process_reads_from_a_url(at, run, whole, tmp_path):
    write_codes(ae.load(run), at, tmp_path / "codes.parquet")
    same(parquet.read_table(tmp_path / "codes.parquet").to_pydict(), whole[0])


def test_scores_with_decisions_and_maps(store, at, run, images, tmp_path, parts):
    how = {"contamination": 0.1}
    here = write_anomalies_in_parts(run, images, tmp_path / "scores", **how, **parts)
    there = write_anomalies_in_parts(run, at, "s3://lake/scores", **how, **parts)
    assert there.flagged == here.flagged == 15
    assert there.threshold == pytest.approx(here.threshold, rel=1e-5)
    store.invalidate_cache()
    assert sum(table(store, "lake/scores")["anomaly"]) == 15
    training = ae.load_data(images)
    how = {"maps": "s3://lake/maps"}
    write_anomalies_in_parts(run, at, "s3://lake/more", training, **how, **parts)
    store.invalidate_cache()
    assert len(store.find("lake/maps")) == 150
    with pytest.raises(AutoencodeError, match="s3://lake/maps exists"):
        write_anomalies_in_parts(run, at, "s3://lake/again", training, **how, **parts)


def test_reconstructions(store, at, run, images, tmp_path, parts):
    here = write_reconstructions_in_parts(run, images, tmp_path / "new", **parts)
    there = write_reconstructions_in_parts(run, at, "s3://lake/new", **parts)
    assert (there.n, there.notices) == (here.n, here.notices)
    assert there.error == pytest.approx(here.error, rel=1e-5)
    names = {path.relative_to(tmp_path / "new").as_posix() for path in tmp_path.rglob("*.*")}
    store.invalidate_cache()
    assert {name.removeprefix("lake/new/") for name in store.find("lake/new")} == names


def test_a_call_that_is_killed_goes_on(store, at, run, whole, parts):
    words = ["embed", str(run), "--data", at, "--out", "s3://lake/killed", "--workers", "1"]
    script = "import autoencode.scale.collections as c; c.write_codes_in_parts.__kwdefaults__"
    script += "['part_size'] = 5; from autoencode.cli.main import main; main()"
    command = subprocess.Popen([sys.executable, "-c", script, *words], start_new_session=True)
    for _ in range(600):
        store.invalidate_cache()
        if store.exists("lake/killed/_parts") and len(store.ls("lake/killed/_parts")) > 2:
            break
        assert command.poll() is None
        time.sleep(0.05)
    os.killpg(command.pid, signal.SIGKILL)
    command.wait()
    store.invalidate_cache()
    assert not store.exists("lake/killed/_manifest.json")
    done = {name: store.info(name)["ETag"] for name in store.glob("lake/killed/part-*")}
    modified = {name: store.modified(name) for name in done}
    rows, _ = write_codes_in_parts(run, at, "s3://lake/killed", **{**parts, "part_size": 5})
    assert rows == 150
    store.invalidate_cache()
    same(table(store, "lake/killed"), whole[0])
    kept = [name for name in done if store.modified(name) == modified[name]]
    assert len(kept) >= len(done) - 1, "one may have been written and not recorded"
    assert not store.exists("lake/killed/_parts")


def test_a_damaged_object_and_one_that_is_deleted_while_it_is_read(store, run, images, parts):
    store.put(str(images / "0"), "lake/odd", recursive=True)
    store.pipe_file("lake/odd/0000.jpg", b"\xff\xd8 nothing more")
    with pytest.raises(DataError, match=r"s3://lake/odd/0000\.jpg cannot be used"):
        write_codes_in_parts(run, "s3://lake/odd", "s3://lake/odd-codes", **parts)
    more = {"on_bad": "skip", "max_bad": 0.1}
    rows, notices = write_codes_in_parts(run, "s3://lake/odd", "s3://lake/odd-2", **more, **parts)
    assert rows == 74
    assert any(
        "1 of 75 files in s3://lake/odd cannot be used and were skipped" in n for n in notices
    )
    store.rm("lake/odd/0002.png")
    with pytest.raises(AutoencodeError, match="files were added, deleted or renamed"):
        write_codes_in_parts(run, "s3://lake/odd", "s3://lake/odd-2", **more, **parts)


def test_what_is_refused(store, at, run, tmp_path, parts):
    for source, out, error, what in (
        ("s3://lake/none", "s3://lake/a", DataError, "s3://lake/none contains no images"),
        ("s3://none/images", "s3://lake/a", DataError, "contains no images|does not exist"),
        (at, "s3://none/a", RunError, "s3://none/a"),
        ("gopher://lake/a", "s3://lake/a", RunError, "gopher://lake/a cannot be used"),
        ("s3://lake/none.zip", "s3://lake/a", RunError, "s3://lake/none.zip does not exist"),
    ):
        with pytest.raises(error, match=what):
            write_codes_in_parts(run, source, out, **parts)
    with pytest.raises(DataError, match="is a URL, from which only embed") as caught:
        ae.load_data(at)
    assert caught.value.fix == "Copy it to this computer first, and give the path."
    store.get("lake/images", str(tmp_path / "images"), recursive=True)
    assert ae.load_data(tmp_path / "images").shape == (8, 8)


def test_the_commands(store, at, run, tmp_path):
    def said(*words):
        done = subprocess.run(
            [sys.executable, "-m", "autoencode", *map(str, words)],
            capture_output=True,
            text=True,
            cwd=tmp_path,
        )
        return done.returncode, done.stdout + done.stderr

    code, text = said("embed", run, "--data", at, "--out", "s3://lake/by-command")
    assert code == 2
    assert "is a URL, and only parts are written to URLs" in text
    assert "Give --workers too." in text
    code, text = said("embed", run, "--data", at, "--out", "s3://lake/by-command", "--workers", "1")
    assert code == 0, text
    assert "s3://lake/by-command: codes of 150 examples, in parts" in text
    code, text = said("reconstruct", run, "--data", at, "--out", "pairs.png")
    assert code == 0, text
    code, text = said("embed", run, "--data", at, "--out", "s3://lake/a.parquet", "--workers", "1")
    assert "Give a folder: --out s3://lake/a." in text
    assert not Path(tmp_path / "s3:").exists()


def test_a_store_that_does_not_answer(run, store, monkeypatch):
    from fsspec.config import conf

    monkeypatch.setitem(conf, "s3", {"endpoint_url": f"http://127.0.0.1:{free_port()}"})
    done = []
    thread = threading.Thread(target=lambda: done.append(refused(run)))
    thread.start()
    thread.join(120)
    assert done, "it waits for ever"
    assert "s3://lake/images" in done[0]


def refused(run):
    with pytest.raises(AutoencodeError) as caught:
        write_codes_in_parts(run, "s3://lake/images", "s3://lake/x")
    return str(caught.value)
