import os
import signal
import subprocess
import sys
import threading

import pytest

from autoencode.data.cache import exclusive_folder
from autoencode.errors import AutoencodeError, RunError
from autoencode.train.run_folder import locked

HOLDER = """
import sys
from pathlib import Path
from autoencode.data.cache import exclusive_folder
from autoencode.train.run_folder import locked
folder = Path(sys.argv[1])
with locked(folder), exclusive_folder(folder, "mnist", "something"):
    print("locked", flush=True)
    sys.stdin.readline()
"""


@pytest.fixture
def holder(tmp_path):
    """A process that holds both locks of tmp_path until a line is written to it."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == "locked\n"
    yield process
    process.kill()
    process.stdin.close()
    process.stdout.close()
    process.wait()


@pytest.mark.slow  # processes of their own
def test_a_held_lock_is_refused_at_once_and_free_after_a_kill(tmp_path, holder):
    with pytest.raises(RunError, match="training in"), locked(tmp_path):
        pass
    os.kill(holder.pid, signal.SIGKILL)
    holder.wait()
    with locked(tmp_path):
        pass
    assert any(tmp_path.glob(".mnist-*.part"))
    with exclusive_folder(tmp_path, "mnist", "fetching mnist") as folder:
        assert list(tmp_path.glob(".mnist-*.part")) == [folder]
    assert not any(tmp_path.glob(".mnist-*.part"))


@pytest.mark.slow  # processes of their own
def test_a_waiting_process_says_once_for_what(tmp_path, holder, capfd):
    release = threading.Timer(0.5, holder.stdin.close)
    release.start()
    with exclusive_folder(tmp_path, "mnist", "fetching mnist"):
        release.join()
    message = capfd.readouterr().err
    assert message == "autoencode: waiting for another process, which is fetching mnist\n"


def test_two_locks_in_one_process_exclude_each_other(tmp_path):
    with locked(tmp_path), pytest.raises(RunError, match="training in"), locked(tmp_path):
        pass
    with locked(tmp_path):
        pass


def test_errors_of_the_block_pass_and_release_the_lock(tmp_path):
    with pytest.raises(ZeroDivisionError), locked(tmp_path):
        _ = 1 / 0
    with locked(tmp_path):
        pass
    with pytest.raises(ZeroDivisionError), exclusive_folder(tmp_path, "mnist", ""):
        _ = 1 / 0
    with exclusive_folder(tmp_path, "mnist", ""):
        pass


@pytest.mark.parametrize(
    ("name", "opened"),
    [("run.lock", locked), (".mnist.lock", lambda folder: exclusive_folder(folder, "mnist", ""))],
)
def test_a_link_is_not_followed(tmp_path, name, opened):
    (tmp_path / name).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(AutoencodeError), opened(tmp_path):
        pass
    assert not (tmp_path / "elsewhere").exists()
    (tmp_path / "elsewhere").write_text("content")
    with pytest.raises(AutoencodeError), opened(tmp_path):
        pass
    assert (tmp_path / "elsewhere").read_text() == "content"
