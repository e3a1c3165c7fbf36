"""New data in chunks: the same as at once, in every form."""

import numpy as np
import pytest
import torch
from PIL import Image

from autoencode.data import load_data, load_new
from autoencode.data.ranges import notices_of_chunks
from autoencode.data.read import decoding
from autoencode.data.stream import DataStream
from autoencode.errors import DataError, ResourceError


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch):
    monkeypatch.setattr(decoding, "TASK_FILES", 7)
    monkeypatch.setattr("autoencode.data.stream.CHUNK", 7)


def write(folder, shape=(6, 5), n=40, classes=("a", "b"), ending="png", high=256, dtype=np.uint8):
    draw = np.random.default_rng(0)
    for i in range(n):
        path = folder / classes[i % len(classes)] / f"{i}.{ending}"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(draw.integers(0, high, shape).astype(dtype)).save(path)
    return folder


def same(source, preprocessing, **options):
    """The chunks of a source, after a check that they are what is loaded at once."""
    stream = DataStream(source, preprocessing, **options)
    chunks = [data.test for data in stream]
    whole = load_new(source, preprocessing, **options)
    assert torch.equal(torch.cat([chunk.x for chunk in chunks]), whole.test.x)
    if whole.test.y is not None:
        assert torch.equal(torch.cat([chunk.y for chunk in chunks]), whole.test.y)
    if whole.test.names is not None:
        assert [name for chunk in chunks for name in chunk.names] == [*whole.test.names]
    assert max(map(len, chunks)) <= 7
    return stream, whole


CASES = {
    "grey": {},
    "colour": {"shape": (6, 5, 3)},
    "jpeg": {"shape": (8, 8, 3), "ending": "jpg"},
    "sixteen bits": {"dtype": np.uint16, "high": 2**16},
    "many classes": {"classes": tuple("abcdefgh")},
    "bmp": {"ending": "bmp"},
}


@pytest.mark.parametrize("case", CASES)
def test_chunks_are_what_is_loaded_at_once(tmp_path, case):
    folder = write(tmp_path / "d", **CASES[case])
    stream, whole = same(folder, load_data(folder).preprocessing)
    assert stream.notices == whole.notices


def test_archives_arrays_and_tables_come_in_chunks_too(tmp_path):
    import shutil

    folder = write(tmp_path / "d")
    preprocessing = load_data(folder).preprocessing
    for kind in ("zip", "gztar"):
        same(shutil.make_archive(str(tmp_path / "a"), kind, folder), preprocessing)
    x = np.random.default_rng(0).integers(0, 256, (40, 6, 5), np.uint8)
    np.save(tmp_path / "x.npy", x)
    for source in (tmp_path / "x.npy", x):
        same(source, load_data(x).preprocessing)
    lines = ["a,b", *(f"{i},{i * i}" for i in range(40))]
    (tmp_path / "t.csv").write_text("\n".join(lines))
    same(tmp_path / "t.csv", load_data(tmp_path / "t.csv").preprocessing)


def test_files_of_several_kinds_keep_their_order(tmp_path):
    """Plain files are decoded together, and others between them one by one."""
    folder = write(tmp_path / "d", n=20)
    for i in range(20, 40):
        image = Image.fromarray(np.full((6, 5, 4), i * 5, np.uint8))
        image.convert(("RGBA", "P", "LA", "RGB")[i % 4]).save(folder / "a" / f"{i}.png")
    same(folder, load_data(folder, no_labels=True).preprocessing, no_labels=True)


def test_chunks_of_grey_and_of_colour_get_the_channels_of_the_model(tmp_path):
    folder = write(tmp_path / "d", n=20, classes=("a",))
    write(folder, shape=(6, 5, 3), n=20, classes=("b",))
    stream, whole = same(folder, load_data(folder).preprocessing)
    assert any("grey" in notice for notice in stream.notices)
    assert any("grey" in notice for notice in whole.notices)


def test_parts_are_used_together(tmp_path):
    for part in ("train", "test"):
        write(tmp_path / "d" / part)
    stream, _ = same(tmp_path / "d", load_data(tmp_path / "d").preprocessing)
    assert any(notice.startswith("All parts of the data") for notice in stream.notices)


def test_other_sizes_are_resized_or_refused(tmp_path):
    preprocessing = load_data(write(tmp_path / "d")).preprocessing
    other = write(tmp_path / "other", shape=(9, 9))
    with pytest.raises(DataError, match="--size 6 5"):
        list(DataStream(other, preprocessing))
    stream, _ = same(other, preprocessing, size=(6, 5))
    assert any("resized" in notice for notice in stream.notices)


def test_bad_files_are_refused_or_skipped(tmp_path):
    folder = write(tmp_path / "d")
    preprocessing = load_data(folder).preprocessing
    for i in (3, 18):
        (folder / "b" / f"{i}.png").write_bytes(b"no image")
    (folder / "a" / "99.png").write_bytes((folder / "a" / "0.png").read_bytes()[:-20])
    with pytest.raises(DataError, match=r"cannot be used"):
        list(DataStream(folder, preprocessing))
    with pytest.raises(DataError, match=r"more than the 0\.01 that max_bad allows"):
        list(DataStream(folder, preprocessing, on_bad="skip"))
    stream, whole = same(folder, preprocessing, on_bad="skip", max_bad=0.3)
    assert sorted(stream.notices) == sorted(whole.notices)
    assert stream.total == 42


def test_no_good_image_at_all_is_refused(tmp_path):
    preprocessing = load_data(write(tmp_path / "d")).preprocessing
    (tmp_path / "bad").mkdir()
    for i in range(3):
        (tmp_path / "bad" / f"{i}.png").write_bytes(b"no image")
    for source in (tmp_path / "bad", tmp_path):
        with pytest.raises(DataError):
            list(DataStream(source, preprocessing, on_bad="skip", max_bad=1.0))


@pytest.mark.long
def test_processes_decode_what_threads_decode(tmp_path, monkeypatch):
    folder = write(tmp_path / "d", n=60)
    Image.fromarray(np.zeros((6, 5), np.uint8)).save(folder / "b" / "x.gif")
    (folder / "b" / "y.png").write_bytes(b"no image")
    options = {"on_bad": "skip", "max_bad": 0.1}
    alone = load_data(folder, **options)
    monkeypatch.setattr(decoding, "MANY_FILES", 10)
    many = load_data(folder, **options)
    assert many.fingerprint == alone.fingerprint
    assert many.notices == alone.notices
    same(folder, alone.preprocessing, **options)


@pytest.mark.long
def test_a_killed_process_is_a_sentence(tmp_path, monkeypatch):
    import os
    import signal

    folder = write(tmp_path / "d", n=60)
    preprocessing = load_data(folder).preprocessing
    monkeypatch.setattr(decoding, "MANY_FILES", 10)
    main, plain = os.getpid(), decoding.plain_png

    def kill(content):
        if os.getpid() != main:
            os.kill(os.getpid(), signal.SIGKILL)
        return plain(content)

    monkeypatch.setattr(decoding, "plain_png", kill)
    with pytest.raises(ResourceError, match="was killed"):
        list(DataStream(folder, preprocessing))


def test_what_all_values_have_in_common_is_not_said_of_one_chunk():
    narrow = "The values are from {} to {}, a small part of the range"
    grey = "{} grey images were repeated in 3 channels, such as {}."
    first = (narrow.format(0, 40), grey.format(3, "a.png"))
    assert notices_of_chunks([first, (grey.format(9, "b.png"),)]) == (first[1],)
    assert notices_of_chunks([first, (narrow.format(2, 41),)]) == first
    assert notices_of_chunks([("All values are 7",), ("All values are 9",)]) == (
        "All values are 7",
    )
    assert notices_of_chunks([("All values are 7",), ()]) == ()
    assert notices_of_chunks([]) == ()
