import errno
import json
import os
import struct
import subprocess
import sys

import pytest
import torch
from safetensors.torch import load_file

from autoencode.errors import ResourceError, RunError
from autoencode.io import store


@pytest.fixture
def tensors():
    torch.manual_seed(0)
    base = torch.randn(4, 6)
    return {
        "weight": base,
        "shared": base.view(6, 4),
        "gaps": base.t(),
        "scalar": torch.tensor(3.0),
        "flags": torch.tensor([True, False]),
        "half": torch.randn(3).bfloat16(),
        "bytes": torch.arange(7, dtype=torch.uint8),
    }


def test_comes_back_bit_for_bit(tmp_path, tensors):
    path = tmp_path / "t.safetensors"
    store.write_tensors(path, tensors, {"step": 3, "name": "é"})
    read, meta = store.read_tensors(path)
    assert meta == {"step": 3, "name": "é"}
    assert read.keys() == tensors.keys()
    assert all(torch.equal(read[name], tensors[name]) for name in tensors)
    assert [p.name for p in tmp_path.iterdir()] == ["t.safetensors"]


WRITER = """
import sys
from pathlib import Path
import torch
from autoencode.io.store import write_tensors
names = sys.argv[2].split(",")
tensors = {name: torch.arange(len(name)) / 7 for name in names}
write_tensors(Path(sys.argv[1]), tensors, {"é": 1, "b": [2.5], "a": None})
"""


@pytest.mark.slow  # processes of their own
def test_equal_tensors_give_equal_bytes_in_every_process(tmp_path):
    names = ["weight", "bias", "größe", 'a "quoted" name', "z"]
    contents = set()
    for i in range(4):  # a header in random order would differ with a chance of 5 in 6 each time
        path = tmp_path / f"{i}.safetensors"
        arguments = [sys.executable, "-c", WRITER, str(path), ",".join(names[i:] + names[:i])]
        subprocess.run(arguments, check=True)
        contents.add(path.read_bytes())
    assert len(contents) == 1
    loaded = load_file(path)
    assert loaded.keys() == set(names)
    assert all(torch.equal(loaded[name], torch.arange(len(name)) / 7) for name in names)
    assert store.read_tensors(path)[1] == {"é": 1, "b": [2.5], "a": None}


def test_the_header_is_sorted_and_the_tensors_are_aligned(tmp_path, tensors):
    path = tmp_path / "t.safetensors"
    store.write_tensors(path, tensors, {"step": 3})
    content = path.read_bytes()
    (length,) = struct.unpack("<Q", content[:8])
    header = json.loads(content[8 : 8 + length])
    assert length % 8 == 0
    assert list(header) == sorted(header)
    assert list(header["__metadata__"]) == ["format", "meta", "sha256"]
    loaded = load_file(path)
    assert all(torch.equal(loaded[name], tensors[name]) for name in tensors)


def test_every_flipped_byte_is_found(tmp_path, tensors):
    path = tmp_path / "t.safetensors"
    store.write_tensors(path, tensors, {"step": 3})
    whole = path.read_bytes()
    for place in range(0, len(whole), 7):
        altered = bytearray(whole)
        altered[place] ^= 0x04
        path.write_bytes(altered)
        with pytest.raises(RunError):
            store.read_tensors(path)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"not a model",
        struct.pack("<Q", 2**40) + b"{}",
        struct.pack("<Q", 2) + b"{}" + b"trailing",
        struct.pack("<Q", 58)
        + b'{"a":{"dtype":"F32","shape":[9],"data_offsets":[0,4]}}    '
        + bytes(4),
    ],
    ids=["empty", "text", "huge header", "trailing bytes", "false shape"],
)
def test_hostile_files_are_refused(tmp_path, content):
    path = tmp_path / "t.safetensors"
    path.write_bytes(content)
    with pytest.raises(RunError, match=str(path)):
        store.read_tensors(path)


def test_truncated_file_is_refused(tmp_path, tensors):
    path = tmp_path / "t.safetensors"
    store.write_tensors(path, tensors, {})
    path.write_bytes(path.read_bytes()[:-5])
    with pytest.raises(RunError, match="damaged"):
        store.read_tensors(path)


def test_newer_format_says_so(tmp_path, tensors, monkeypatch):
    path = tmp_path / "t.safetensors"
    monkeypatch.setattr(store, "FORMAT", 99)
    store.write_tensors(path, tensors, {})
    monkeypatch.undo()
    with pytest.raises(RunError, match="format 99"):
        store.read_tensors(path)


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_full_disk_leaves_the_old_file(tmp_path, monkeypatch, number):
    path = tmp_path / "a.json"
    store.write_json(path, {"old": 1})

    def full(descriptor):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(store.os, "fsync", full)
    with pytest.raises(ResourceError, match="no room"):
        store.write_json(path, {"new": 2})
    assert json.loads(path.read_text()) == {"old": 1}
    assert [p.name for p in tmp_path.iterdir()] == ["a.json"]


def test_a_file_is_synced_before_it_has_its_name_and_its_folder_after(tmp_path, monkeypatch):
    path, seen = tmp_path / "a.json", []
    monkeypatch.setattr(
        store.os, "fsync", lambda number: seen.append((os.fstat(number).st_ino, path.exists()))
    )
    store.write_json(path, {"new": 2})
    assert seen == [(path.stat().st_ino, False), (tmp_path.stat().st_ino, True)]


def test_json_that_is_none_is_refused(tmp_path):
    path = tmp_path / "a.json"
    for content in ("", "{", "[1]", "[" * 100_000, "\udcff"):
        path.write_bytes(content.encode(errors="surrogateescape"))
        with pytest.raises(RunError, match=r"a\.json"):
            store.read_json(path)


def test_stale_temporary_files_are_swept(tmp_path):
    (tmp_path / "x.safetensors.123.tmp").write_bytes(b"half")
    (tmp_path / "kept").write_bytes(b"whole")
    store.sweep(tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["kept"]
