import os
import subprocess
import sys

import numpy as np
import pytest
import torch

from autoencode.data import SOURCES, load_data, sample_train
from autoencode.errors import DataError, ResourceError


def refusal(source, **options):
    with pytest.raises(DataError) as caught:
        load_data(source, **options)
    return str(caught.value)


@pytest.mark.parametrize(
    ("name", "near"),
    [("mnits", "mnist"), ("fashion_mnist", "fashion-mnist"), ("cifar-10", "cifar10")],
)
def test_a_name_that_is_none_gets_the_nearest(name, near):
    assert f'Did you mean "{near}"?' in refusal(name)


@pytest.mark.parametrize("path", ["./set", "some/where", "x.npy", "~/nowhere-at-all", "/none"])
def test_a_path_that_is_none_is_said_to_be_none(path):
    assert f"{path} does not exist" in refusal(path)


def test_odd_names_are_refused(tmp_path):
    assert "empty" in refusal("")
    refusal("a\0b")
    refusal("x" * 5000)
    assert "x.npy does not exist" in refusal(tmp_path / "x.npy", labels=np.zeros(2))
    np.save(tmp_path / "x.npy", np.zeros((4, 2)))
    assert "labels.npy does not exist" in refusal(tmp_path / "x.npy", labels="labels.npy")


def test_files_of_no_known_kind_are_refused_with_what_is_known(tmp_path):
    for name, content, word in (
        ("table.bin", b"1,2\n3,4\n", ".npz or IDX"),
        ("one.png", b"\x89PNG\r\n\x1a\n", "not an image"),
        ("nothing.dat", b"", "is empty"),
    ):
        (tmp_path / name).write_bytes(content)
        told = refusal(tmp_path / name)
        assert word in told
        assert name in told


@pytest.mark.usefixtures("in_time")
def test_pipes_devices_and_links_to_nothing_are_refused(tmp_path):
    os.mkfifo(tmp_path / "pipe.npy")
    assert "not a regular file" in refusal(tmp_path / "pipe.npy")
    assert "not a regular file" in refusal("/dev/zero")
    (tmp_path / "gone.npy").symlink_to(tmp_path / "nowhere")
    assert "link to nothing" in refusal(tmp_path / "gone.npy")
    (tmp_path / "loop.npy").symlink_to(tmp_path / "loop.npy")
    assert "loop.npy cannot be read" in refusal(tmp_path / "loop.npy")


def test_digits_are_scaled_by_their_own_range():
    data = load_data("digits")
    assert data.shape == (8, 8)
    assert data.train.x.max() == 1
    assert data.train.x.dtype == torch.float32
    assert (len(data.train), len(data.validation), len(data.test)) == (1294, 144, 359)
    assert data.classes == tuple("0123456789")
    assert torch.equal((data.train.x * 16).round(), data.train.x * 16)


def test_the_table_describes_each_set():
    for name, source in SOURCES.items():
        assert source.name == name
        record = source.to_dict()
        assert all(record[key] for key in ("about", "images", "shape", "classes", "licence"))
        assert all(len(file.sha256) == 64 and file.size > 0 for file in source.files)
        assert all(mirror.startswith("https://") for mirror in source.mirrors)


def test_samples_for_the_course():
    x = sample_train(20, source="digits", seed=0)
    assert x.shape == (20, 8, 8)
    assert x.dtype == torch.float32
    assert x.max() <= 1
    again, y = sample_train(20, return_labels=True, source="digits", seed=0)
    assert torch.equal(x, again)
    assert y.shape == (20,)
    assert not torch.equal(x, sample_train(20, source="digits", seed=1))
    assert not torch.equal(*(sample_train(20, source="digits") for _ in "ab"))


def test_samples_are_of_the_training_part_and_distinct():
    train = load_data("digits").train
    x, y = sample_train(len(train), True, "digits")
    key = lambda a, b: sorted(zip(map(tuple, a.flatten(1).tolist()), b.tolist(), strict=True))  # noqa: E731
    assert key(x, y) == key(train.x, train.y)


@pytest.mark.parametrize("n", [0, -1, 1295])
def test_more_samples_than_there_are_is_refused(n):
    with pytest.raises(DataError, match="1,294"):
        sample_train(n, source="digits")


def test_labels_of_data_without_labels_are_refused():
    with pytest.raises(DataError, match="none"):
        sample_train(1, True, np.random.default_rng(0).random((9, 2)))


def test_memory_that_runs_out_is_told_as_such():
    class Greedy(torch.utils.data.Dataset):
        def __len__(self):
            return 5

        def __getitem__(self, i):
            return torch.empty(2**55)

    with pytest.raises((ResourceError, DataError), match="emory"):
        load_data(Greedy())


@pytest.mark.slow  # processes of their own
def test_a_limit_on_the_process_bounds_what_is_loaded(tmp_path):
    np.save(tmp_path / "x.npy", np.zeros((500, 1), np.uint8))
    head = (tmp_path / "x.npy").read_bytes()[:128].replace(b"(500, 1), }", b"(500, 1048576), }")
    with (tmp_path / "x.npy").open("wb") as file:
        file.write(head[:127].rstrip().ljust(127) + b"\n")
        file.truncate(128 + 500 * 2**20)  # sparse: no disk is used
    code = (
        "import resource, sys, autoencode.data as d, autoencode.errors as e\n"
        "used = int(open('/proc/self/statm').read().split()[0]) * resource.getpagesize()\n"
        "resource.setrlimit(resource.RLIMIT_AS, (used + 700_000_000,) * 2)\n"
        "try: d.load_data(sys.argv[1])\n"
        "except e.ResourceError as error: print(error.exit_code, error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "x.npy")], capture_output=True, text=True
    )
    assert done.stdout.startswith("4 "), done.stderr
    assert "limits on this process" in done.stdout
