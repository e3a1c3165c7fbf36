"""Data that cannot be used, through the command: the sentence names the file and what to do."""

import os
import pickle
import zipfile

import numpy as np
import pytest
import torch
from PIL import Image

from autoencode.models.run import open_run

QUICK = "--steps 4 --batch-size 10 --set network.hidden=[8] --no-report"


class Trap:
    """Makes the folder "ran" when it is unpickled."""

    def __reduce__(self):
        return os.mkdir, ("ran",)


def arrays(name, x, y=None):
    np.save(f"{name}.npy", x)
    if y is not None:
        np.save(f"{name}-labels.npy", y)


def cut(path):
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])


def spoil(how, images):
    """Makes the source "bad", or spoils the folder "images"."""
    first = images / "a" / "00.png"
    grey = np.random.default_rng(0).integers(0, 256, (30, 6, 6), np.uint8)
    if how == "truncated PNG":
        cut(first)
    elif how == "flipped byte in a PNG":
        content = bytearray(first.read_bytes())
        content[len(content) // 2] ^= 255
        first.write_bytes(content)
    elif how == "no image":
        first.write_text("<html>404")
    elif how == "nothing in it":
        first.write_bytes(b"")
    elif how == "bomb":
        Image.new("1", (9000, 9000)).save(first)  # 81 million pixels in 10 KB
    elif how == "mixed sizes":
        Image.new("L", (9, 7)).save(first)
    elif how == "pipe":
        first.unlink()
        os.mkfifo(first)
    elif how == "link to nothing":
        first.unlink()
        first.symlink_to("nowhere")
    elif how == "empty folder":
        (images.parent / "bad").mkdir()
    elif how == "one image only":
        (images.parent / "bad").mkdir()
        first.rename(images.parent / "bad" / "x.png")
    elif how == "one example only":
        arrays("bad", grey[:1])
    elif how == "0..255 as floats":
        arrays("bad", grey.astype(np.float32))
    elif how == "0 and 1 as bytes":
        arrays("bad", grey // 128)
    elif how == "NaN":
        x = grey / 255
        x[7, 1, 1] = np.nan
        arrays("bad", x)
    elif how == "infinity":
        x = grey / 255
        x[9, 1, 1] = np.inf
        arrays("bad", x)
    elif how == "wrong rank":
        arrays("bad", grey[0, 0])
    elif how == "no rows":
        arrays("bad", grey[:0])
    elif how == "truncated array":
        arrays("bad", grey)
        cut(images.parent / "bad.npy")
    elif how == "Python objects":
        np.save("bad.npy", np.array([Trap()] * 9, object), allow_pickle=True)
    elif how == "a pickle":
        (images.parent / "bad.npy").write_bytes(pickle.dumps(Trap()))
    elif how == "zip bomb":
        with zipfile.ZipFile("bad.npz", "w", zipfile.ZIP_DEFLATED) as archive:
            head = f"{{'descr': '|u1', 'fortran_order': False, 'shape': (1, {2**45})}}".encode()
            archive.writestr("x.npy", b"\x93NUMPY\x01\x00" + len(head).to_bytes(2, "little") + head)
    else:
        raise AssertionError(how)


@pytest.mark.parametrize(
    ("how", "source", "words"),
    [
        ("truncated PNG", "images", ["images/a/00.png cannot be used", "--on-bad skip"]),
        ("flipped byte in a PNG", "images", ["images/a/00.png cannot be used: it is damaged"]),
        ("no image", "images", ["images/a/00.png", "it is not an image", "<html>404"]),
        ("nothing in it", "images", ["images/a/00.png", "it is empty"]),
        ("bomb", "images", ["images/a/00.png", "50 million pixels"]),
        ("mixed sizes", "images", ["8×8 (39)", "7×9 (1)", "a/00.png", "--size 8 8"]),
        ("pipe", "images", ["images/a/00.png", "not a regular file"]),
        ("link to nothing", "images", ["images/a/00.png", "link to nothing"]),
        ("empty folder", "bad", ["bad contains no images", ".png"]),
        ("one image only", "bad", ["only 1 example", "Give more data"]),
        ("one example only", "bad.npy", ["only 1 example", "Give more data"]),
        ("0..255 as floats", "bad.npy", ["--range 0 255"]),
        ("0 and 1 as bytes", "bad.npy", ["only 0 and 1", "--range 0 1"]),
        ("NaN", "bad.npy", ["bad.npy", "example 7 contains NaN or infinity", "1 of 30"]),
        ("infinity", "bad.npy", ["bad.npy", "example 9 contains NaN or infinity"]),
        ("wrong rank", "bad.npy", ["bad.npy", "shape (6,)", "[N, D]"]),
        ("no rows", "bad.npy", ["bad.npy", "(0, 6, 6)"]),
        ("truncated array", "bad.npy", ["bad.npy is cut short", "(30, 6, 6)"]),
        ("Python objects", "bad.npy", ["bad.npy contains Python objects", "np.save"]),
        ("a pickle", "bad.npy", ["contains a pickled Python object, which is never opened"]),
        ("zip bomb", "bad.npz", ["bad.npz: array x is cut short"]),
    ],
)
def test_bad_data_are_refused_by_name(refused, images, how, source, words):
    spoil(how, images)
    message = refused(f"train ae --data {source} {QUICK}")
    assert all(word in message for word in words), message
    assert not (images.parent / "ran").exists()


def test_labels_of_another_length_are_refused(refused, folder):
    arrays("x", np.zeros((12, 4)), np.zeros(11, int))
    message = refused(f"train ae --data x.npy --labels x-labels.npy {QUICK}")
    assert "12 examples and 11 labels" in message


def test_values_beyond_a_range_that_was_given(refused, folder):
    arrays("x", np.full((12, 4), 300.0))
    assert "300" in refused(f"train ae --data x.npy --range 0 255 {QUICK}")


def test_a_range_says_what_floats_mean(run, folder):
    arrays("x", np.random.default_rng(0).integers(0, 256, (40, 6, 6)).astype(np.float32))
    assert run(f"train ae --data x.npy --range 0 255 {QUICK} --out r").code == 0
    assert open_run("r").load_data().train.x.dtype == torch.uint8


def test_bad_files_are_skipped_with_a_notice_when_asked(run, refused, images):
    cut(images / "a" / "03.png")
    skip = f"train ae --data images --on-bad skip {QUICK} --out r"
    message = refused(skip)
    assert "1 of 40 files" in message
    assert "--max-bad" in message
    outcome = run(f"{skip} --max-bad 0.05")
    assert outcome.code == 0
    assert outcome.err.startswith("note: 1 of 40 files in ")
    assert "images/a/03.png" in outcome.err
    assert run("evaluate r --measures quick").code == 0, "the run knows that it skips"


def test_modes_mixed_in_a_folder_become_one_with_a_notice(run, images):
    Image.open(images / "a" / "00.png").convert("RGBA").save(images / "a" / "00.png")
    Image.open(images / "a" / "01.png").convert("P").save(images / "a" / "01.png")
    outcome = run(f"train conv-ae --data images {QUICK.replace('hidden=[8]', 'width=4')} --out r")
    assert outcome.code == 0, outcome.err
    assert "all became colour" in outcome.err
    assert open_run("r").sizes.x == (3, 8, 8)


@pytest.mark.long
@pytest.mark.parametrize("recipe", ["ae-deep --no-report", "vae"])
def test_few_alike_images_of_one_class_are_no_fault(run, folder, recipe):
    """Constant images, one class, fewer than a batch: nothing to learn, and nothing fails."""
    arrays("x", np.full((24, 5, 7), 80, np.uint8), np.zeros(24, int))
    quick = "--steps 4 --set network.hidden=[8] --labels x-labels.npy --out r"
    outcome = run(f"train {recipe} --data x.npy {quick}")
    assert outcome.code == 0, outcome.err
    assert (folder / "r" / "report.html").exists() == (recipe == "vae")
    assert run("generate r --n 4 --label 0").code == 0


def test_batch_normalisation_never_meets_a_batch_of_one(run, folder):
    """Forty examples leave 29 to train on: one more than two batches."""
    arrays("x", np.random.default_rng(0).random((40, 9)))
    quick = "--steps 9 --batch-size 14 --set network.hidden=[8] --no-report --out r"
    assert run(f"train ae-deep --data x.npy {quick}").code == 0
    assert open_run("r").sizes.n == 29


def test_a_divided_source_with_the_same_examples_in_both_parts_gets_a_notice(run, folder):
    x = np.random.default_rng(0).random((40, 9))
    np.savez("x.npz", x_train=x[:30], x_test=x[25:])
    outcome = run(f"train ae --data x.npz {QUICK} --out r")
    assert outcome.code == 0
    assert "of 15 test examples also appear in the training part" in outcome.err


def test_names_that_are_no_utf_8(run, folder):
    name = os.fsdecode(b"caf\xe9.npy")
    np.save(name, np.random.default_rng(0).random((40, 9)))
    outcome = run(f"train ae --data '{name}' {QUICK} --out r --json")
    assert outcome.code == 0, outcome.err
    assert run("evaluate r --measures quick --json").json["data"] == "caf\\xe9"
    assert run(f"train ae --data '{name}' {QUICK}").code == 0
    assert (folder / "runs" / "ae-caf-xe9").is_dir()
