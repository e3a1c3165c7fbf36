"""`autoencode explore`: a file, or a page on loopback."""

import os
import signal
import subprocess
import sys
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


def test_follows_a_training_that_keeps_a_film(refused, ae):
    assert "keeps no film" in refused("explore ae --watch --no-browser")
    assert "cannot follow a training run" in refused("explore ae --watch --html page.html")


@pytest.mark.slow  # a process of its own
def test_serves_until_it_is_stopped(ae, folder):
    command = [sys.executable, "-m", "autoencode", "explore", "ae", "--no-browser"]
    with subprocess.Popen(
        command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as server:
        first = server.stdout.readline()
        address = first.split()[-1]
        assert address.startswith("http://127.0.0.1:")
        with urlopen(address, timeout=10) as page:
            assert b'id="content"' in page.read()
        os.kill(server.pid, signal.SIGTERM)
        out, err = server.communicate(timeout=20)
    assert server.returncode == 0, err
    assert out.splitlines()[-1] == "stopped"
    assert err == ""
