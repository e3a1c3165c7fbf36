"""`autoencode explore`: a file, or a page on loopback."""

import os
import signal
import subprocess
import sys
import time
from urllib.request import urlopen

import pytest


@pytest.mark.long
def test_writes_one_file(run, ae, folder):
    outcome = run("explore ae --html page.html --points 50")
    assert outcome.code == 0, outcome.err
    assert outcome.out.startswith("explorer page.html, 0.")
    assert 'id="content"' in (folder / "page.html").read_text(encoding="utf-8")


def test_refuses_in_a_sentence(refused, ae, folder):
    (folder / "there.html").touch()
    assert "there.html exists" in refused("explore ae --html there.html")
    assert "not the name of a page" in refused("explore ae --html page.txt")
    assert "no run" in refused("explore nothing --html page.html").lower()
    assert "No run fits" in refused('explore "x*" --html page.html')


def test_follows_a_training_that_keeps_snapshots(refused, ae):
    assert "has no snapshots of its training" in refused("explore ae --watch --no-browser")
    assert "cannot follow a training run" in refused("explore ae --watch --html page.html")


@pytest.mark.slow  # processes of their own
@pytest.mark.parametrize("words", [[], ["--watch"]])
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_serves_until_it_is_stopped(run, folder, words, number, code):
    trained = run("train ae --data digits --latent 2 --steps 20 --snapshots 2 --out run")
    assert trained.code == 0, trained.err
    command = [sys.executable, "-m", "autoencode", "explore", "run", "--no-browser", *words]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, cwd=folder, **pipes) as server:
        first = server.stdout.readline()
        address = first.split()[-1]
        assert address.startswith("http://127.0.0.1:")
        with urlopen(address, timeout=10) as page:
            assert b'id="content"' in page.read()
        started = time.monotonic()
        os.kill(server.pid, number)
        _, err = server.communicate(timeout=20)
        assert time.monotonic() - started < 2
    assert server.returncode == code, err
    assert err == "note: The explorer has stopped\n"
