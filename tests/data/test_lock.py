import os
import signal
import subprocess
import sys
import threading

import pytest

from autoencode.errors import RunError
from autoencode.io.lock import locked

HOLDER = """
import sys
from pathlib import Path
from autoencode.io.lock import locked
with locked(Path(sys.argv[1]), doing="something"):
    print("locked", flush=True)
    sys.stdin.readline()
"""


@pytest.fixture
def holder(tmp_path):
    """A process that holds tmp_path / "lock" until a line is written to it."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(tmp_path / "lock")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == "locked\n"
    yield process
    process.kill()
    process.stdout.close()
    process.wait()


REFUSAL = RunError("Another process is training here", "Wait for it.")


@pytest.mark.slow  # processes of their own
def test_a_held_lock_is_refused_at_once_and_free_after_a_kill(tmp_path, holder):
    with pytest.raises(RunError, match="training here"), locked(tmp_path / "lock", refusal=REFUSAL):
        pass
    os.kill(holder.pid, signal.SIGKILL)
    holder.wait()
    with locked(tmp_path / "lock", refusal=REFUSAL):
        pass


@pytest.mark.slow  # processes of their own
def test_a_waiting_process_says_once_for_what(tmp_path, holder, capfd):
    release = threading.Timer(0.5, holder.stdin.close)
    release.start()
    with locked(tmp_path / "lock", doing="fetching mnist"):
        release.join()
    told = capfd.readouterr().err
    assert told == "autoencode: waiting for another process, which is fetching mnist\n"


def test_two_locks_in_one_process_exclude_each_other(tmp_path):
    first, second = (locked(tmp_path / "lock", refusal=REFUSAL) for _ in range(2))
    with first, pytest.raises(RunError), second:
        pass
    with locked(tmp_path / "lock", refusal=REFUSAL):
        pass


def test_errors_of_the_block_pass_and_release_the_lock(tmp_path):
    with pytest.raises(ZeroDivisionError), locked(tmp_path / "lock"):
        _ = 1 / 0
    with locked(tmp_path / "lock", refusal=REFUSAL):
        pass


def test_a_link_is_not_followed(tmp_path):
    (tmp_path / "lock").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OSError, match="symbolic link"), locked(tmp_path / "lock"):
        pass
    assert not (tmp_path / "elsewhere").exists()
    (tmp_path / "elsewhere").write_text("content")
    with pytest.raises(OSError, match="symbolic link"), locked(tmp_path / "lock"):
        pass
    assert (tmp_path / "elsewhere").read_text() == "content"
