"""Data that were sent to a host: one copy, for as long as a worker there uses it."""

import pytest

from autoencode.scale.sent import LOCK, SentData


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "host" / "autoencode-client-1-a"


@pytest.fixture
def content(folder):
    return {str(folder / "0" / "train.x"): b"x", str(folder / "0" / "test.x"): b"y"}


def test_a_worker_that_ends_leaves_the_data_to_the_others(folder, content):
    workers = [SentData(folder, dict(content)) for _ in range(3)]
    for each in workers:
        each.setup(None)
        assert not each.content, "not in the memory of each worker"
    for each in workers[:2]:
        each.teardown(None)
        assert (folder / "0" / "train.x").read_bytes() == b"x"
    late = SentData(folder, dict(content))
    late.setup(None)
    workers[2].teardown(None)
    assert (folder / "0" / "test.x").read_bytes() == b"y"
    late.teardown(None)
    assert list(folder.parent.iterdir()) == []


def test_data_of_workers_that_were_all_killed_go_with_the_next_ones(folder, content):
    killed = SentData(folder, dict(content))
    killed.setup(None)
    killed._lock.close()  # as the system does
    used = folder.with_name("autoencode-client-2-b")
    other = SentData(used, {str(used / "x"): b"z"})
    other.setup(None)
    assert not folder.exists()
    again = SentData(folder, dict(content))
    again.setup(None)
    assert (used / "x").exists(), "they are in use"
    for each in (other, again):
        each.teardown(None)
    assert list(folder.parent.iterdir()) == []


def test_the_files_of_the_client_stay(folder, content):
    (folder / "0").mkdir(parents=True)
    for path, text in content.items():
        (folder / "0" / path.rpartition("/")[2]).write_bytes(text)
    here = SentData(folder, dict(content))
    here.setup(None)
    here.teardown(None)
    assert len(list((folder / "0").iterdir())) == 2
    assert not (folder / LOCK).exists()
