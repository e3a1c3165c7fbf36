"""The folder of temporary files, in which data lie that several trainings share."""

import os
import platform
import tempfile

import pytest

from autoencode.scale.shared import scratch_folder


@pytest.fixture
def temporary(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


@pytest.mark.parametrize("suffix", ["abc_1xyz", "0", "ABC", "a1b2c3d4", "____"])
def test_shared_data_of_dead_processes_are_removed(temporary, dead, suffix):
    left = temporary / f"autoencode-{platform.node()}-{dead}-{suffix}" / "0"
    left.mkdir(parents=True)
    (left / "train.x").write_bytes(b"data")
    with scratch_folder() as scratch:
        assert [path.name for path in temporary.iterdir()] == [os.path.basename(scratch)]
    assert list(temporary.iterdir()) == []


def test_folders_of_others_stay(temporary, dead):
    node = platform.node()
    names = {
        f"autoencode-{node}-{os.getpid()}-abc",
        f"autoencode-{node}-1-abc",
        f"autoencode-another{node}-{dead}-abc",
        f"autoencode-{node}-{dead}",
        f"autoencode-{node}-x-abc",
        f"other-{node}-{dead}-abc",
    }
    for name in names:
        (temporary / name).mkdir()
    with scratch_folder():
        pass
    assert {path.name for path in temporary.iterdir()} == names
