import io
import os
import shutil
import subprocess
import sys
import tempfile
from collections import namedtuple
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from autoencode.data import load_data
from autoencode.errors import DataError, ResourceError

disk_usage = namedtuple("disk_usage", "total used free")


def refusal(source, **options):
    with pytest.raises(DataError) as caught:
        load_data(source, **options)
    return str(caught.value)


def test_sub_folders_are_classes(images):
    data = load_data(images)
    assert data.classes == ("a", "b")
    assert (data.name, data.source, data.shape) == ("set", str(images), (6, 8))
    of = {
        np.asarray(Image.open(path)).tobytes(): data.classes.index(path.parent.name)
        for path in images.glob("*/*.png")
    }
    parts = (data.train, data.validation, data.test)
    found = {x.tobytes(): y for p in parts for x, y in zip(p.x.numpy(), p.y.tolist(), strict=True)}
    assert found == of
    assert data.notices == ()
    assert load_data(data.source, **data.options).fingerprint == data.fingerprint


def test_images_directly_inside_have_no_labels(images):
    data = load_data(images / "a")
    assert data.train.y is None
    assert data.classes == ()
    assert sum(map(len, (data.train, data.validation, data.test))) == 10


def test_train_and_test_folders_are_the_sources_own_parts(images, picture, tmp_path):
    for part in ("train", "test"):
        shutil.copytree(images, tmp_path / "own" / part)
    shutil.rmtree(tmp_path / "own" / "test" / "b")
    data = load_data(tmp_path / "own")
    assert data.classes == ("a", "b")
    assert len(data.train) + len(data.validation) == 20
    assert data.test.y.tolist() == [0] * 10
    assert any("test examples also appear" in notice for notice in data.notices)
    for path in (tmp_path / "own" / "test" / "a").iterdir():
        path.rename(tmp_path / "own" / "test" / path.name)
    assert "train has class folders and test has none" in refusal(tmp_path / "own")


def test_images_beside_class_folders_are_refused(images, picture):
    picture(images / "x.png")
    assert "the classes are not clear" in refusal(images)


def test_names_of_any_kind_work(images):
    source = (images / "a" / "0.png").read_bytes()
    odd = [
        b"caf\xe9.png",
        b"two\nlines.png",
        b"x" * 251 + b".png",
        "ünï→.PNG".encode(),
        b"-a b.png",
    ]
    for name in odd:
        Path(os.fsdecode(os.fsencode(images) + b"/a/" + name)).write_bytes(source)
    os.rename(os.fsencode(images / "b"), os.fsencode(images) + b"/cl\xe9ss\n")
    data = load_data(images)
    assert sum(map(len, (data.train, data.validation, data.test))) == 25
    assert data.classes == ("a", "cl\\xe9ss\\n")
    "".join(data.notices).encode()
    (images / os.fsdecode(b"a/caf\xe9.png")).write_bytes(b"")
    told = refusal(images)
    assert "caf\\xe9.png" in told
    told.encode()


def test_hidden_and_other_files_are_passed_over(images):
    (images / "a" / ".hidden.png").write_text("no image")
    (images / ".git").mkdir()
    (images / "a" / "notes.txt").write_text("no image")
    (images / "a" / "readme").write_text("no image")
    (notice,) = load_data(images).notices
    assert notice.startswith("2 files")


@pytest.mark.parametrize("content", [{}, {"notes.txt": "text"}, {".x.png": "hidden"}])
def test_a_folder_without_images_is_refused(tmp_path, content):
    (tmp_path / "sub").mkdir()
    for name, text in content.items():
        (tmp_path / "sub" / name).write_text(text)
    assert "contains no images" in refusal(tmp_path)


def test_few_images_work_down_to_a_clear_refusal(images):
    for path in sorted(images.glob("*/*.png"))[2:-1]:
        path.unlink()
    assert len(load_data(images).train) == 1
    (images / "a" / "0.png").unlink()
    assert "only 2 examples" in refusal(images)
    (images / "a" / "1.png").unlink()
    assert "only 1 example," in refusal(images, no_labels=True)


def test_mixed_sizes_are_listed_and_refused_or_resized(images, picture):
    picture(images / "a" / "odd.png", size=(7, 9))
    picture(images / "b" / "turned.png", size=(8, 6))
    told = refusal(images)
    assert all(w in told for w in ("6×8 (20)", "7×9 (1)", "8×6 (1)", "odd.png", "--size 6 8")), told
    data = load_data(images, size=(6, 8))
    assert data.shape == (6, 8)
    assert data.notices[0].startswith("2 of 22 images were resized to 6×8")
    plain = load_data(images, size=(4, 5))
    assert plain.shape == (4, 5)
    assert load_data(plain.source, **plain.options).fingerprint == plain.fingerprint


def test_many_sizes_are_not_all_listed(images, picture):
    for i in range(10, 30):
        picture(images / "a" / f"s{i}.png", size=(i, 5))
    assert "16 more sizes" in refusal(images)


def test_grey_among_colour_becomes_colour(images, picture):
    picture(images / "b" / "c.png", "RGB")
    data = load_data(images)
    assert data.shape == (3, 6, 8)
    assert "1 images are in colour and 20 grey" in data.notices[0]
    grey = [x for x in data.train.x if (x[0] == x[1]).all() and (x[1] == x[2]).all()]
    assert len(grey) >= len(data.train) - 1


def spoil(path, how):
    content = bytearray(path.read_bytes())
    if how == "truncated":
        path.write_bytes(content[: len(content) // 2])
    elif how == "flipped":
        content[len(content) // 2] ^= 255
        path.write_bytes(content)
    else:
        path.write_bytes({"empty": b"", "text": b"hello", "html": b"<html><body>404"}[how])


@pytest.mark.parametrize("how", ["truncated", "flipped", "empty", "text", "html"])
def test_a_bad_png_fails_by_name_or_is_skipped(images, how):
    spoil(images / "a" / "3.png", how)
    told = refusal(images)
    assert f"{images}/a/3.png cannot be used" in told
    assert "--on-bad skip" in told
    told = refusal(images, on_bad="skip")
    assert "1 of 20 files" in told
    assert "--max-bad" in told
    data = load_data(images, on_bad="skip", max_bad=0.05)
    assert sum(map(len, (data.train, data.validation, data.test))) == 19
    assert "a/3.png" in data.notices[0]
    assert load_data(data.source, **data.options).fingerprint == data.fingerprint


def test_a_jpeg_cut_in_half_is_found_by_decoding(images):
    # Its header is whole, so that looking at it only would pass.
    for path in images.glob("a/*.png"):
        Image.open(path).resize((80, 60)).save(path.with_suffix(".jpg"))
        path.unlink()
    shutil.rmtree(images / "b")
    images = images / "a"
    spoil(images / "5.jpg", "truncated")
    assert "a/5.jpg cannot be used: it is damaged: image file is truncated" in refusal(images)


def test_five_of_a_hundred_bad_are_too_many(tmp_path):
    kept = io.BytesIO()
    for i in range(100):
        kept.seek(0)
        Image.fromarray(np.full((4, 4), i, np.uint8)).save(kept, "PNG")
        (tmp_path / f"{i:03}.png").write_bytes(b"" if i % 20 == 0 else kept.getvalue())
    assert "(and 4 more of 100 files)" in refusal(tmp_path)
    assert "5 of 100 files" in refusal(tmp_path, on_bad="skip")
    assert "5 of 100 files" in refusal(tmp_path, on_bad="skip", max_bad=0.04)
    data = load_data(tmp_path, on_bad="skip", max_bad=0.05)
    assert sum(map(len, (data.train, data.validation, data.test))) == 95


def test_no_good_image_at_all_is_refused(images):
    for path in images.glob("*/*.png"):
        spoil(path, "truncated")
    assert "20" in refusal(images, on_bad="skip", max_bad=1)
    for path in images.glob("*/*.png"):
        spoil(path, "text")
    told = refusal(images, on_bad="skip", max_bad=1)
    assert "None of the 20 files" in told
    assert "begins with 'hello'" in told


def test_bombs_are_refused_by_their_header(images, png_header):
    for i, size in enumerate([(9000, 9000), (10_000, 10_000), (20_000, 20_000), (2**31 - 1, 2)]):
        path = png_header(images / "a" / f"bomb{i}.png", size)
        assert "bomb" in refusal(images)
        assert "50 million pixels" in refusal(images)
        path.unlink()


@pytest.mark.usefixtures("in_time")
def test_a_real_bomb_is_not_decoded(images):
    Image.new("1", (9000, 9000)).save(images / "a" / "bomb.png")  # 81 Mpx in 10 KB
    assert (images / "a" / "bomb.png").stat().st_size < 100_000
    assert "50 million pixels" in refusal(images)
    data = load_data(images, on_bad="skip", max_bad=0.1)
    assert sum(map(len, (data.train, data.validation, data.test))) == 20


def test_images_that_exceed_memory_and_disk_are_refused_before_they_are_decoded(
    images, monkeypatch
):
    monkeypatch.setattr("autoencode.io.memory.available", lambda: 1500)
    monkeypatch.setattr("autoencode.data.cache.shutil.disk_usage", lambda _: disk_usage(0, 0, 900))
    monkeypatch.setattr("autoencode.data.read.decoding.decode", None)
    monkeypatch.setattr("autoencode.data.read.decoding.pixels_of", None)
    with pytest.raises(ResourceError, match=r"disk.*\(960 bytes\).*900 bytes are free"):
        load_data(images)


@pytest.mark.usefixtures("in_time")
def test_links_and_pipes_are_reported_and_never_hang(images):
    (images / "a" / "gone.png").symlink_to(images / "nowhere.png")
    assert "a/gone.png cannot be used: it does not exist, or is a link to nothing" in refusal(
        images
    )
    (images / "a" / "gone.png").unlink()
    os.mkfifo(images / "a" / "pipe.png")
    assert "a/pipe.png cannot be used: it is not a regular file" in refusal(images)
    (images / "a" / "pipe.png").unlink()
    (images / "a" / "self.png").symlink_to("self.png")
    assert "a/self.png cannot be used" in refusal(images)
    (images / "a" / "self.png").unlink()
    (images / "a" / "up").symlink_to(images)
    assert "a/up cannot be used: it is a link to a folder that was read" in refusal(images)
    data = load_data(images, on_bad="skip", max_bad=0.5)
    assert sum(map(len, (data.train, data.validation, data.test))) == 20


def test_a_good_link_is_followed(images, tmp_path):
    (tmp_path / "linked").symlink_to(images)
    assert load_data(tmp_path / "linked").fingerprint == load_data(images).fingerprint


@pytest.mark.slow  # processes of their own
def test_files_and_folders_without_permission_are_reported():
    code = (
        "import os, sys, PIL.Image, autoencode.data as d, autoencode.data.read.folder\n"
        "import autoencode.data.load\n"
        "import autoencode.errors as e\n"
        "PIL.Image.init()\n"  # while modules can still be read
        "if not os.geteuid(): os.setgid(65534); os.setuid(65534)\n"
        "for path in sys.argv[1:]:\n"
        "    try: d.load_data(path)\n"
        "    except e.DataError as error: print(error)\n"
    )
    with tempfile.TemporaryDirectory() as name:
        whole, closed = Path(name), Path(name, "whole", "closed")
        closed.mkdir(parents=True)
        for i in range(4):
            Image.fromarray(np.full((4, 4), i, np.uint8)).save(whole / "whole" / f"{i}.png")
        files = shutil.copytree(whole / "whole", whole / "files")
        (files / "closed").rmdir()
        (files / "2.png").chmod(0)
        whole.chmod(0o755)
        closed.chmod(0)
        done = subprocess.run(
            [sys.executable, "-c", code, str(files), str(whole / "whole"), str(closed)],
            capture_output=True,
            text=True,
        )
    told = done.stdout.splitlines()
    assert len(told) == 3, done.stderr
    assert f"{files}/2.png cannot be used: you have no permission." in told[0]
    assert f"{closed} cannot be used: you have no permission." in told[1]
    assert f"{closed} cannot be read: you have no permission" in told[2]


def test_a_copied_file_in_two_parts_gets_a_notice(images):
    shutil.copy(images / "a" / "1.png", images / "a" / "1 copy.png")
    found = [load_data(images, seed=seed).notices for seed in range(12)]
    assert any(any("also appear" in notice for notice in notices) for notices in found)
    assert any(not notices for notices in found)


def test_process_wide_settings_of_pillow_are_left_alone(images):
    import warnings

    before = (Image.MAX_IMAGE_PIXELS, list(warnings.filters))
    load_data(images)
    assert (Image.MAX_IMAGE_PIXELS, list(warnings.filters)) == before
