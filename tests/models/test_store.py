import errno
import json
import os
import socket
import struct
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from autoencode.errors import ResourceError, RunError
from autoencode.io import store
from autoencode.io import tensors as tensors_io
from autoencode.io.files import Unusable, open_file


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
    tensors_io.write_tensors(path, tensors, {"step": 3, "name": "é"})
    read, meta = tensors_io.read_tensors(path)
    assert meta == {"step": 3, "name": "é"}
    assert read.keys() == tensors.keys()
    assert all(torch.equal(read[name], tensors[name]) for name in tensors)
    assert [p.name for p in tmp_path.iterdir()] == ["t.safetensors"]


WRITER = """
import sys
from pathlib import Path
import torch
from autoencode.io.tensors import write_tensors
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
    assert tensors_io.read_tensors(path)[1] == {"é": 1, "b": [2.5], "a": None}


def test_the_header_is_sorted_and_the_tensors_are_aligned(tmp_path, tensors):
    path = tmp_path / "t.safetensors"
    tensors_io.write_tensors(path, tensors, {"step": 3})
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
    tensors_io.write_tensors(path, tensors, {"step": 3})
    whole = path.read_bytes()
    for place in range(0, len(whole), 7):
        altered = bytearray(whole)
        altered[place] ^= 0x04
        path.write_bytes(altered)
        with pytest.raises(RunError):
            tensors_io.read_tensors(path)


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
        tensors_io.read_tensors(path)


def test_truncated_file_is_refused(tmp_path, tensors):
    path = tmp_path / "t.safetensors"
    tensors_io.write_tensors(path, tensors, {})
    path.write_bytes(path.read_bytes()[:-5])
    with pytest.raises(RunError, match="damaged"):
        tensors_io.read_tensors(path)


def test_newer_format_says_so(tmp_path, tensors, monkeypatch):
    path = tmp_path / "t.safetensors"
    monkeypatch.setattr(tensors_io, "FORMAT", 99)
    tensors_io.write_tensors(path, tensors, {})
    monkeypatch.undo()
    with pytest.raises(RunError, match="format 99"):
        tensors_io.read_tensors(path)


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


def pipe(path):
    os.mkfifo(path)


def socket_at(path):
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))


def endless(path):
    path.symlink_to("/dev/zero")


KINDS = [pipe, socket_at, endless, Path.mkdir, lambda path: path.symlink_to(path.name)]
READERS = [
    *(store.read_json, store.read_lines, tensors_io.read_tensors),
    *(lambda path: store.read_bytes(path, 10), lambda path: store.reading(path).__enter__()),
]


@pytest.mark.parametrize("make", KINDS, ids=["pipe", "socket", "device", "folder", "loop"])
@pytest.mark.parametrize("read", READERS, ids=["json", "lines", "tensors", "bytes", "open"])
def test_what_is_no_regular_file_is_not_read(tmp_path, monkeypatch, make, read):
    monkeypatch.chdir(tmp_path)  # the address of a socket is short
    make(Path("a"))
    with pytest.raises(RunError, match=r"^a cannot be read: "):
        read(Path("a"))


@pytest.mark.parametrize("make", KINDS[:4], ids=["pipe", "socket", "device", "folder"])
def test_what_is_no_regular_file_is_not_opened(tmp_path, monkeypatch, make):
    monkeypatch.chdir(tmp_path)
    make(Path("a"))
    Path("b").symlink_to("a")
    monkeypatch.setattr(os, "open", None)  # would fail if it were called
    for path in ("a", "b"):
        with pytest.raises(Unusable, match="it is not a regular file"):
            open_file(path)


def test_files_are_read_through_links(tmp_path, tensors):
    (tmp_path / "elsewhere").mkdir()
    for name, write, content in (
        ("a.json", store.write_json, {"a": 1}),
        ("b.jsonl", store.add_line, {"b": 2}),
        (
            "c.safetensors",
            lambda path, meta: tensors_io.write_tensors(path, tensors, meta),
            {"c": 3},
        ),
    ):
        write(tmp_path / "elsewhere" / name, content)
        (tmp_path / name).symlink_to(tmp_path / "elsewhere" / name)
    assert store.read_json(tmp_path / "a.json") == {"a": 1}
    assert store.read_lines(tmp_path / "b.jsonl") == [{"b": 2}]
    assert tensors_io.read_tensors(tmp_path / "c.safetensors")[1] == {"c": 3}


@pytest.mark.parametrize(
    "write",
    [
        lambda path: store.write_json(path, {"new": 1}),
        lambda path: store.write_text(path, "new"),
        lambda path: tensors_io.write_tensors(path, {}, {}),
        lambda path: store.write_bytes(path, b"n", b"ew"),
    ],
    ids=["json", "text", "tensors", "bytes"],
)
@pytest.mark.parametrize("target", ["file", "nothing"])
def test_a_link_is_replaced_and_not_written_through(tmp_path, write, target):
    if target == "file":
        (tmp_path / "file").write_text("old")
    path = tmp_path / "a"
    path.symlink_to(tmp_path / target)
    # What a killed process of the same number may have left, or someone has prepared.
    (tmp_path / f"a.{os.getpid()}.tmp").symlink_to(tmp_path / target)
    write(path)
    assert path.is_file()
    assert not path.is_symlink()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a", *(["file"] * (target == "file"))]
    assert target == "nothing" or (tmp_path / "file").read_text() == "old"


def test_no_line_is_added_through_a_link(tmp_path):
    (tmp_path / "file").write_text("old")
    (tmp_path / "a").symlink_to(tmp_path / "file")
    with pytest.raises(RunError, match="cannot be written"):
        store.add_line(tmp_path / "a", {"new": 1})
    assert (tmp_path / "file").read_text() == "old"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b'{"a": NaN}', "not JSON compliant"),
        (b'{"a": -Infinity}', "not JSON compliant"),
        (b'{"a": 1e999}', "not JSON compliant"),
        (b'{"a": "\\ud800"}', "surrogates not allowed"),
        (b'{"\\udfff\\ud800": 1}', "surrogates not allowed"),
        (b'{"a": "\xff"}', "can't decode"),
        (b'{"a": "\xed\xa0\x80"}', "surrogates not allowed"),
        (b'{"a": ' + b"[" * 60 + b"]" * 60 + b"}", "nested more than 50"),
        (b'{"a":' * 60 + b"1" + b"}" * 60, "nested more than 50"),
        (b'{"a": ' + b"1" * 5000 + b"}", "digits"),
        (b'{"a": 1} {"b": 2}', "Extra data"),
        (b"null", "is a NoneType"),
        (b'"text"', "is a str"),
    ],
)
def test_json_that_is_never_written_is_not_read(tmp_path, content, reason):
    path = tmp_path / "a.json"
    path.write_bytes(content)
    with pytest.raises(RunError, match=rf"a\.json cannot be read as JSON \(.*{reason}"):
        store.read_json(path)
    if b"NaN" not in content and b"I" not in content and b"e9" not in content:
        (tmp_path / "b.jsonl").write_bytes(b'{"step": 1}\n' + content + b'\n{"step": 2}\n')
        assert store.read_lines(tmp_path / "b.jsonl") == [{"step": 1}]


def test_nesting_and_file_names_that_are_written_are_read(tmp_path):
    content = {"path": "caf\udce9", "a": {}}
    inner = content["a"]
    for _ in range(47):
        inner["a"] = {}
        inner = inner["a"]
    store.write_json(tmp_path / "a.json", content)
    assert store.read_json(tmp_path / "a.json") == content


@pytest.mark.parametrize("name", ["run.json", "log.jsonl"])
def test_giant_files_are_refused_before_they_are_read(tmp_path, name):
    path = tmp_path / name
    with path.open("wb") as file:
        file.truncate(5 * 2**30)  # sparse
    with pytest.raises(RunError, match=rf"{name} is larger than \d+ MB"):
        (store.read_json if name == "run.json" else store.read_lines)(path)


def test_tensors_beyond_the_memory_are_refused_before_they_are_read(tmp_path):
    path = tmp_path / "a.safetensors"
    header = b'{"a":{"dtype":"U8","shape":[%d],"data_offsets":[0,%d]}}' % (2**42, 2**42)
    with path.open("wb") as file:
        file.write(struct.pack("<Q", len(header)) + header)
        file.truncate(8 + len(header) + 2**42)
    with pytest.raises(ResourceError, match=r"a\.safetensors has 4398\.0 GB"):
        tensors_io.read_tensors(path)


def test_json_too_large_to_be_read_again_is_not_written(tmp_path, monkeypatch):
    monkeypatch.setattr(store, "MAX_JSON_BYTES", 100)
    store.write_json(tmp_path / "a.json", {"a": "x" * 80})
    assert store.read_json(tmp_path / "a.json")
    with pytest.raises(RunError, match="would be larger"):
        store.write_json(tmp_path / "b.json", {"a": "é" * 80})
    assert not (tmp_path / "b.json").exists()
