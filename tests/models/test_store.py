import errno
import json
import os
import struct

import pytest
import torch

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
