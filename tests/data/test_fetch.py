"""Fetching, from a server on this machine that is spoken to as any mirror is."""

import gzip
import hashlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest

from autoencode.data import SOURCES, fetch, load_data, located
from autoencode.data.named.catalogue import File, Source
from autoencode.data.named.fetch import read_files
from autoencode.data.read.idx import idx_bytes
from autoencode.errors import DataError, ResourceError

R = np.random.default_rng(0)
ARRAYS = {
    "train-images-idx3-ubyte": R.integers(0, 256, (60, 28, 28), np.uint8),
    "train-labels-idx1-ubyte": (np.arange(60) % 10).astype(np.uint8),
    "t10k-images-idx3-ubyte": R.integers(0, 256, (20, 28, 28), np.uint8),
    "t10k-labels-idx1-ubyte": (np.arange(20) % 10).astype(np.uint8),
}
CONTENT = {name: idx_bytes(array) for name, array in ARRAYS.items()}
FILES = tuple(File(n, hashlib.sha256(c).hexdigest(), len(c)) for n, c in CONTENT.items())


class Mirror(ThreadingHTTPServer):
    """Serves CONTENT gzipped below /good, and below other names in other ways."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked = []
        self.slow = 0.0
        self.ended = threading.Event()

    def handle_error(self, *_):
        pass  # a client that has seen enough

    def address(self, way="good"):
        return f"http://127.0.0.1:{self.server_port}/{way}"


class Handler(BaseHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def do_HEAD(self):
        self.answer(body=False)

    def do_GET(self):
        self.server.asked.append(self.path)
        time.sleep(self.server.slow)
        self.answer(body=True)

    def answer(self, body):
        way, name = self.path.strip("/").split("/")
        if way == "missing" or (way == "partly" and body and "labels" in name):
            self.send_error(404)
            return
        content = gzip.compress(CONTENT[name.removesuffix(".gz")])
        if way == "altered":
            content = gzip.compress(CONTENT[name.removesuffix(".gz")][:-1] + b"?")
        if way == "bomb":
            content = bytes(200_000) if "labels" in name else bytes(2_000_000)
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        if way == "encoded":  # some servers say so, and requests then unpacks
            self.send_header("Content-Encoding", "gzip")
        self.end_headers()
        if not body:
            return
        half = len(content) // 2
        self.wfile.write(content[:half])
        if way == "stalling":
            self.server.ended.wait(20)
        if way != "broken":
            self.wfile.write(content[half:])


@pytest.fixture
def mirror():
    server = Mirror()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.ended.set()
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("AUTOENCODE_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("AUTOENCODE_OFFLINE")
    monkeypatch.setenv("NO_PROXY", "*")
    return tmp_path / "cache"


def made(*mirrors, **changes):
    return Source(
        "made", "test", 80, (28, 28), tuple("0123456789"), "none", "", FILES, mirrors, True,
        **{"download": 1000, **changes},
    )  # fmt: skip


def is_whole(files):
    return {name: content.tobytes() for name, content in files.items()} == CONTENT


def left_over(cache):
    return [p.name for p in cache.iterdir() if p.name not in ("made", ".made.lock")]


def test_a_set_is_fetched_once_and_kept_unpacked(mirror, cache, capfd):
    source = made(mirror.address())
    assert is_whole(read_files(source))
    assert len(mirror.asked) == 4
    message = capfd.readouterr().err.splitlines()
    assert len(message) == 1
    assert "127.0.0.1" in message[0]
    assert str(cache / "made") in message[0]
    assert {p.name: p.read_bytes() for p in (cache / "made").iterdir()} == CONTENT
    assert left_over(cache) == []
    assert is_whole(read_files(source))
    assert len(mirror.asked) == 4
    assert capfd.readouterr().err == ""


def test_a_named_set_loads_through_the_table(mirror, cache, monkeypatch):
    monkeypatch.setitem(SOURCES, "made", made(mirror.address()))
    assert located("made") == ""
    assert fetch("made") == str(cache / "made") == located("made")
    data = load_data("made")
    assert (data.test.x.numpy() == ARRAYS["t10k-images-idx3-ubyte"]).all()
    assert (data.test.y.numpy() == ARRAYS["t10k-labels-idx1-ubyte"]).all()
    assert len(data.train) + len(data.validation) == 60
    assert data.classes == tuple("0123456789")
    data.train.x[:] = 0  # may be written to, and touches no cache
    assert load_data("made").train.x.any()


@pytest.mark.parametrize("way", ["missing", "partly", "altered", "broken", "bomb"])
def test_the_next_mirror_is_asked_when_one_fails(mirror, cache, way):
    assert is_whole(read_files(made(mirror.address(way), mirror.address())))
    assert left_over(cache) == []


def test_a_file_that_is_far_too_long_is_not_taken_to_its_end(mirror, cache):
    with pytest.raises(DataError, match="is larger than it should be"):
        read_files(made(mirror.address("bomb")))


def test_a_mirror_that_unpacks_on_the_way_is_understood(mirror, cache):
    assert is_whole(read_files(made(mirror.address("encoded"))))


def test_when_all_fail_one_sentence_tells_what_was_tried(mirror, cache):
    gone = "http://127.0.0.1:9/nothing"
    source = made(gone, mirror.address("missing"), mirror.address("altered"))
    with pytest.raises(DataError) as caught:
        read_files(source)
    message = str(caught.value)
    for word in ("no connection", "404", "train-images-idx3-ubyte.gz is damaged"):
        assert word in message
    assert "--data FOLDER with train-images-idx3-ubyte" in message
    assert "AUTOENCODE_DATA" in message
    assert "\n" not in message
    assert not (cache / "made").exists()
    assert left_over(cache) == []


def test_mirrors_that_do_not_answer_cost_a_bounded_time(cache, monkeypatch):
    import socket

    monkeypatch.setattr("autoencode.data.named.download.MAX_ANSWER_SECONDS", 0.3)
    with socket.socket() as mute:  # takes connections and says nothing
        mute.bind(("127.0.0.1", 0))
        mute.listen(8)
        address = f"http://127.0.0.1:{mute.getsockname()[1]}/x"
        begun = time.monotonic()
        with pytest.raises(DataError, match="no answer"):
            read_files(made(address, address + "2", address + "3"))
        assert time.monotonic() - begun < 1.5


def test_a_mirror_that_stalls_is_left_in_a_bounded_time(mirror, cache, monkeypatch):
    monkeypatch.setattr("autoencode.data.named.download.STALL_SECONDS", 0.3)
    begun = time.monotonic()
    assert is_whole(read_files(made(mirror.address("stalling"), mirror.address())))
    assert time.monotonic() - begun < 3


def test_a_file_has_a_limited_time(mirror, cache, monkeypatch):
    monkeypatch.setattr("autoencode.data.named.download.MAX_FILE_SECONDS", -1.0)
    with pytest.raises(DataError, match="takes longer"):
        read_files(made(mirror.address()))


def test_a_look_up_of_a_name_that_hangs_costs_a_bounded_time(cache, monkeypatch):
    hang = threading.Event()
    monkeypatch.setattr("socket.getaddrinfo", lambda *_, **__: hang.wait(20) or [])
    monkeypatch.setattr("autoencode.data.named.download.MAX_ANSWER_SECONDS", 0.3)
    begun = time.monotonic()
    with pytest.raises(DataError, match=r"one.example \(no answer\); two.example \(no answer\)"):
        read_files(made("https://one.example", "https://two.example"))
    assert time.monotonic() - begun < 3
    hang.set()


def test_offline_means_no_request(mirror, cache, monkeypatch, capfd):
    monkeypatch.setenv("AUTOENCODE_OFFLINE", "1")
    with pytest.raises(DataError, match="AUTOENCODE_OFFLINE is set"):
        read_files(made(mirror.address()))
    assert mirror.asked == []
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("harm", ["truncated", "altered", "emptied", "removed", "lengthened"])
def test_a_damaged_cache_is_detected_and_mended(mirror, cache, capfd, harm):
    source = made(mirror.address())
    read_files(source)
    path = cache / "made" / "train-images-idx3-ubyte"
    content = bytearray(path.read_bytes())
    if harm == "removed":
        path.unlink()
    else:
        content[1000] ^= 1
        harmed = {"truncated": content[:999], "altered": content, "emptied": b""}
        path.write_bytes(harmed.get(harm, path.read_bytes() + b"x"))
    capfd.readouterr()
    assert is_whole(read_files(source))
    assert len(mirror.asked) == 8
    assert ("is damaged; fetching made again" in capfd.readouterr().err) == (harm != "removed")
    assert path.read_bytes() == CONTENT[path.name]


def lay(folder, zipped):
    folder.mkdir(parents=True)
    for name, content in CONTENT.items():
        (folder / (name + ".gz" * zipped)).write_bytes(
            gzip.compress(content) if zipped else content
        )


@pytest.mark.parametrize("zipped", [False, True])
@pytest.mark.parametrize("inner", ["made", ""])
def test_a_local_copy_goes_before_everything(tmp_path, monkeypatch, cache, zipped, inner):
    lay(tmp_path / "mine" / inner, zipped)
    monkeypatch.setenv("AUTOENCODE_DATA", str(tmp_path / "mine"))
    monkeypatch.setitem(SOURCES, "made", made())
    assert is_whole(read_files(made()))
    assert located("made") == str(tmp_path / "mine" / inner)
    assert not cache.exists()


def test_a_local_copy_that_is_another_is_told_by_name(tmp_path, monkeypatch, mirror, cache):
    lay(tmp_path / "mine" / "made", False)
    (tmp_path / "mine" / "made" / "t10k-labels-idx1-ubyte").write_bytes(b"other")
    monkeypatch.setenv("AUTOENCODE_DATA", str(tmp_path / "mine"))
    with pytest.raises(DataError, match=r"t10k-labels-idx1-ubyte is not the file of made"):
        read_files(made(mirror.address()))
    # Directly inside, the file may well belong to another set of the same layout.
    lay(tmp_path / "flat", False)
    (tmp_path / "flat" / "t10k-labels-idx1-ubyte").write_bytes(b"other")
    monkeypatch.setenv("AUTOENCODE_DATA", str(tmp_path / "flat"))
    assert is_whole(read_files(made(mirror.address())))
    monkeypatch.setenv("AUTOENCODE_DATA", str(tmp_path / "nowhere"))
    with pytest.raises(DataError, match=r"AUTOENCODE_DATA names .*nowhere"):
        read_files(made(mirror.address()))


def test_files_of_the_operating_system_are_taken_without_network(tmp_path, cache, capfd):
    lay(tmp_path / "system", True)
    assert is_whole(read_files(made("http://127.0.0.1:9", folders=(str(tmp_path / "system"),))))
    assert capfd.readouterr().err == ""
    assert not cache.exists()


def test_a_cache_that_cannot_be_written_is_told(tmp_path, cache, mirror):
    cache.write_text("a file where the folder should be")
    with pytest.raises(DataError, match=r"cache.*AUTOENCODE_CACHE"):
        read_files(made(mirror.address()))


def test_a_full_disk_is_a_matter_of_resources(cache, mirror):
    import resource

    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, before[1]))
        with pytest.raises(ResourceError, match="full"):
            read_files(made(mirror.address()))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
    assert not (cache / "made").exists()
    assert left_over(cache) == []


def test_unknown_names_are_refused():
    for call in (fetch, located):
        with pytest.raises(DataError, match='Did you mean "mnist"'):
            call("mnits")
    assert located("digits") == fetch("digits") == "installed"


WORKER = """
import json, sys, hashlib
from autoencode.data.named.catalogue import File, Source
from autoencode.data.named.fetch import read_files
mirror, files = json.loads(sys.argv[1])
print("ready", flush=True)
sys.stdin.readline()
source = Source("made", "test", 80, (28, 28), tuple("0123456789"), "none", "",
                tuple(File(*f) for f in files), (mirror,), True)
read = read_files(source)
print(all(hashlib.sha256(read[n]).hexdigest() == h for n, h, _ in files), flush=True)
"""


def workers(mirror, count):
    message = json.dumps([mirror.address(), [[f.name, f.sha256, f.size] for f in FILES]])
    started = [
        subprocess.Popen(
            [sys.executable, "-c", WORKER, message],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        for _ in range(count)
    ]  # fmt: skip
    for worker in started:
        assert worker.stdout.readline() == "ready\n"
    return started


@pytest.mark.slow  # processes of their own
def test_processes_that_want_the_same_set_at_once_share_one_download(mirror, cache, capfd):
    mirror.slow = 0.15
    running = workers(mirror, 2)
    for worker in running:
        worker.stdin.write("\n")
        worker.stdin.flush()
    while not mirror.asked:  # so that this process, the third, comes while one is fetching
        time.sleep(0.01)
    assert is_whole(read_files(made(mirror.address())))
    results = [worker.communicate(timeout=60) for worker in running]
    assert [out for out, _ in results] == ["True\n"] * 2
    assert len(mirror.asked) == 4
    message = [err for _, err in results] + [capfd.readouterr().err]
    assert sum("waiting for another process" in err for err in message) == 2
    assert {p.name: p.read_bytes() for p in (cache / "made").iterdir()} == CONTENT


@pytest.mark.slow  # processes of their own
def test_a_process_killed_in_the_middle_blocks_nobody(mirror, cache):
    mirror.slow = 0.5
    (worker,) = workers(mirror, 1)
    worker.stdin.write("\n")
    worker.stdin.flush()
    while not mirror.asked:
        time.sleep(0.01)
    os.kill(worker.pid, signal.SIGKILL)
    worker.communicate()
    assert any(name.endswith(".part") for name in left_over(cache))
    mirror.slow = 0
    assert is_whole(read_files(made(mirror.address())))
    assert left_over(cache) == []
