"""How folders of images are laid out in practice, and what each of them is read as."""

import ast
import io
import re
import shlex
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from autoencode.data import load_data
from autoencode.data.load import read
from autoencode.data.options import Options
from autoencode.data.storage import MemoryStorage
from autoencode.errors import DataError


def made(folder, layout):
    """Writes the files of a layout: "a/{}.png 3" is a/0.png to a/2.png."""
    value = 0
    for line in layout.split(";"):
        path, _, count = line.strip().rpartition(" ")
        for i in range(int(count)):
            file = folder / path.format(i)
            file.parent.mkdir(parents=True, exist_ok=True)
            if file.suffix in (".png", ".PNG", ".JPEG", ".jpg"):
                value += 1
                image = Image.fromarray(np.full((2, 3), value, np.uint8))
                content = io.BytesIO()
                image.save(content, "PNG")
                file.write_bytes(content.getvalue())
            else:
                file.write_text("text")
    return folder


def content(folder, **options):
    """What is read, as "train: cat 3, dog 4; test: 2", and the notices in one text."""
    raw = read(folder, Options(**options), MemoryStorage(reuse=True))
    parts = []
    for part, (x, y) in raw.parts.items():
        names = raw.names[part]
        assert len(names) == len(x)
        for name, image in zip(names, x, strict=True):
            assert (np.asarray(Image.open(folder / name)) == image).all()
        counts = Counter() if y is None else Counter(raw.classes[i] for i in y)
        listed = ", ".join(f"{name} {counts[name]}" for name in raw.classes if counts[name])
        parts.append(f"{part}: {listed or len(x)}")
    return "; ".join(parts), " ".join(raw.notices)


# Layout, what it is read as, what the notices state ("" for no notice).
READ = {
    "classes": ("cat/{}.png 3; dog/{}.png 2", "all: cat 3, dog 2", ""),
    "flat": ("{}.png 5", "all: 5", ""),
    "numbers": ("{}/0.png 12", "all: " + ", ".join(f"{i} 1" for i in range(12)), ""),
    "capital endings": ("cat/{}.PNG 2; dog/{}.JPEG 2", "all: cat 2, dog 2", ""),
    "train and test": (
        "train/cat/{}.png 3; train/dog/{}.png 3; test/cat/{}.png 1; test/dog/{}.png 2",
        "train: cat 3, dog 3; test: cat 1, dog 2",
        "train is the training part (6 images), test is the test part (3 images)",
    ),
    "three parts in capitals": (
        "Training/a/{}.png 2; Training/b/{}.png 2; Valid/a/0.png 1; Valid/b/0.png 1; "
        "TEST/a/0.png 1; TEST/b/0.png 1",
        "train: a 2, b 2; validation: a 1, b 1; test: a 1, b 1",
        "Valid is the validation part",
    ),
    "flat parts": ("train/{}.png 4; test/{}.png 2", "train: 4; test: 2", "Folders are parts"),
    "dev and eval": (
        "train/{}.png 4; dev/{}.png 1; eval/{}.png 2",
        "train: 4; validation: 1; test: 2",
        "eval is the test part",
    ),
    "train and val": (
        "train/a/{}.png 3; train/b/0.png 1; val/a/0.png 1; val/b/0.png 1",
        "train: a 3, b 1; validation: a 1, b 1",
        "the test part is drawn",
    ),
    "nested below a wrapper": (
        "cifar/train/a/{}.png 2; cifar/train/b/0.png 1; cifar/test/a/0.png 1; cifar/README.md 1",
        "train: a 2, b 1; test: a 1",
        "cifar/train is the training part (3 images)",
    ),
    "two wrappers": (
        "archive/photos/cat/{}.png 2; archive/photos/dog/{}.png 2",
        "all: cat 2, dog 2",
        "All images are in the folder archive/photos; its folders are the classes.",
    ),
    "only train is unpacked": (
        "train/cat/{}.png 2; train/dog/{}.png 2",
        "all: cat 2, dog 2",
        "it is the training part, and the test part is drawn from it",
    ),
    "only a flat train": ("train/{}.png 4", "all: 4", "it is the training part"),
    "common prefix": (
        "seg_train/seg_train/sea/{}.png 2; seg_train/seg_train/ice/0.png 1; "
        "seg_test/seg_test/sea/0.png 1; seg_test/seg_test/ice/0.png 1",
        "train: ice 1, sea 2; test: ice 1, sea 1",
        "seg_train/seg_train is the training part",
    ),
    "common suffix": ("train_images/{}.png 3; test_images/{}.png 2", "train: 3; test: 2", ""),
    "with a hyphen": ("mnist-train/{}.png 3; mnist-test/{}.png 2", "train: 3; test: 2", ""),
    "years": ("train2017/{}.jpg 3; val2017/{}.jpg 1", "train: 3; validation: 1", "val2017 is"),
    "long names": (
        "ISIC_Task3_Training_Input/{}.jpg 3; ISIC_Task3_Test_Input/{}.jpg 1; "
        "ISIC_Task3_Training_GroundTruth/labels.csv 1",
        "train: 3; test: 1",
        "1 file was not read: 1 .csv",
    ),
    "names that only begin like parts": (
        "train_station/{}.png 2; test_tube/{}.png 2; bus/0.png 1",
        "all: bus 1, test_tube 2, train_station 2",
        "",
    ),
    "images in a folder images": ("images/{}.png 4", "all: 4", "in the folder images."),
    "one img folder twice": (
        "img_align_celeba/img_align_celeba/{}.jpg 4",
        "all: 4",
        "in the folder img_align_celeba/img_align_celeba.",
    ),
    "parts with images folders": (
        "train/images/{}.png 3; test/images/{}.png 1; train/labels/{}.txt 3",
        "train: 3; test: 1",
        "folder images, so have no labels",
    ),
    "images then parts": (
        "images/train/{}.png 3; images/val/0.png 1; labels/train/{}.txt 3",
        "train: 3; validation: 1",
        "images/train is the training part",
    ),
    "images inside each class": (
        "n01/images/{}.JPEG 2; n02/images/{}.JPEG 2",
        "all: n01 2, n02 2",
        "2 classes are in a folder inside, such as n01/images",
    ),
    "masks as classes": (
        "with_mask/{}.png 2; without_mask/{}.png 2",
        "all: with_mask 2, without_mask 2",
        "",
    ),
    "mask and no mask": ("mask/{}.png 2; no_mask/{}.png 2", "all: mask 2, no_mask 2", ""),
    "leftovers of systems": (
        "cat/{}.png 2; dog/{}.png 2; __MACOSX/cat/._0.png 1; __MACOSX/x.png 1; cat/Thumbs.db 1; "
        "dog/desktop.ini 1; .DS_Store 1; @eaDir/cat/0.png 1; lost+found/0.png 1; "
        ".ipynb_checkpoints/0.png 1; __pycache__/a.png 1; cat/.hidden/0.png 1",
        "all: cat 2, dog 2",
        "",
    ),
    "files of other types": (
        "cat/{}.png 2; dog/{}.png 2; cat/{}.txt 10; info.json 1; dog/meta.json 1; LICENSE 1",
        "all: cat 2, dog 2",
        "13 files were not read: 10 .txt, 2 .json, 1 without ending.",
    ),
    "empty folders and texts are no classes": (
        "cat/{}.png 2; dog/{}.png 2; annotations/{}.xml 4; bird/note.txt 1",
        "all: cat 2, dog 2",
        "5 files were not read",
    ),
    "a class only in the test part": (
        "train/a/{}.png 2; train/b/{}.png 2; test/a/0.png 1; test/c/0.png 1",
        "train: a 2, b 2; test: a 1, c 1",
        "",
    ),
}

# Layout, words of the refusal, and what is read after each of its fixes.
REFUSED = {
    "test beside classes": (
        "cat/{}.png 3; dog/{}.png 3; test/cat/0.png 1; test/dog/0.png 1",
        "test would become a class next to cat, dog",
        ["train: cat 3, dog 3; test: cat 1, dog 1"],
    ),
    "flat test beside classes": (
        "cat/{}.png 3; dog/{}.png 3; test/{}.png 2",
        "next to cat, dog",
        [None],  # the second refusal: the test part has no classes
    ),
    "val beside classes": (
        "cat/{}.png 3; dog/{}.png 3; val/a/0.png 1",
        "val would become",
        ["all: cat 3, dog 3"],
    ),
    "masks beside classes": (
        "cat/{}.png 3; dog/{}.png 3; masks/{}.png 3",
        "masks would become",
        ["all: cat 3, dog 3"],
    ),
    "images and masks": ("images/{}.png 3; masks/{}.png 3", "masks would become", ["all: 3"]),
    "images and a folder of any name": (
        "images/{}.png 3; 1st_manual/{}.png 3; mask/{}.png 3",
        "1st_manual, mask would become",
        ["all: 3"],
    ),
    "images and masks in parts": (
        "train/images/{}.png 3; train/masks/{}.png 3; test/images/0.png 1; test/masks/0.png 1",
        "masks would become",
        ["train: 3; test: 1"],
    ),
    "parts of images and of masks": (
        "train_images/{}.png 3; train_masks/{}.png 3; test_images/0.png 1; test_masks/0.png 1",
        "train_masks in the same folder",
        ["train: 3; test: 1"],
    ),
    "Pascal": (
        "VOC/JPEGImages/{}.jpg 3; VOC/SegmentationClass/{}.png 3; VOC/Annotations/{}.xml 3",
        "SegmentationClass would become",
        ["all: 3"],
    ),
    "MVTec": (
        "bottle/train/good/{}.png 4; bottle/test/good/{}.png 2; bottle/test/broken/{}.png 2; "
        "bottle/ground_truth/broken/{}.png 2",
        "test, train are parts, and ground_truth in the same folder is none",
        ["train: good 4; test: broken 2, good 2"],
    ),
    "another folder beside parts": (
        "train/a/0.png 1; train/b/0.png 1; test/a/0.png 1; my extras, more/{}.png 2",
        "my extras, more in the same folder",
        ["train: a 1, b 1; test: a 1"],
    ),
    "an image beside parts": (
        "train/{}.png 3; test/{}.png 2; [logo].png 1",
        "[logo].png in the same folder",
        ["train: 3; test: 2"],
    ),
    "many images beside parts": (
        "train/{}.png 3; test/{}.png 2; {}.png 30",
        "in the same folder",
        ["train: 3; test: 2"],
    ),
    "val and test without train": (
        "val/a/{}.png 2; val/b/{}.png 2; test/a/0.png 1; test/b/0.png 1",
        "test, val would become classes",
        ["train: a 2, b 2; test: a 1, b 1"],
    ),
    "two domains": (
        "trainA/{}.jpg 3; testA/{}.jpg 2; trainB/{}.jpg 3; testB/{}.jpg 2",
        "would become classes",
        ["train: 3; test: 2"],
    ),
    "two folders of one part": (
        "train/{}.jpg 3; training/{}.jpg 2; test/{}.jpg 2",
        "would become classes",
        ["train: 3; test: 2"],
    ),
    "train is a class": (
        "train/{}.png 3; bus/{}.png 2; car/{}.png 2",
        "train would become a class next to bus, car",
        ["all: 3"],
    ),
    "deep classes": (
        "2019/cat/{}.png 2; 2019/dog/0.png 1; 2020/cat/{}.png 2",
        "class folder 2019 contains folders with images (cat, dog)",
        ["all: 5"],
    ),
    "images and folders in a class": (
        "cat/{}.png 2; cat/more/{}.png 2; dog/{}.png 2",
        "class folder cat contains folders",
        ["all: 6"],
    ),
    "parts inside classes": (
        "cat/train/{}.png 2; cat/test/0.png 1; dog/train/{}.png 2; dog/test/0.png 1",
        "cat contains folders with images (test, train)",
        ["all: 6"],
    ),
    "one class": ("cat/{}.png 4", "all 4 images are in the one folder cat", ["all: 4"]),
    "one class in parts": (
        "train/good/{}.png 4; test/good/{}.png 2",
        "one class",
        ["train: 4; test: 2"],
    ),
    "images beside classes": (
        "cat/{}.png 3; dog/{}.png 3; cover, new.png 1",
        "1 images next to sub-folders with 6 images",
        ["all: 7", "all: cat 3, dog 3"],
    ),
    "many images beside classes": (
        "cat/{}.png 3; dog/{}.png 3; {}.png 9",
        "9 images next to sub-folders",
        ["all: 15"],
    ),
    "unlabelled test": (
        "train/cat/{}.png 3; train/dog/{}.png 3; test/{}.png 4",
        "train has class folders and test has none",
        ["train: 6; test: 4", "all: cat 3, dog 3"],
    ),
    "a third folder beside prefixes": (
        "seg_train/a/0.png 1; seg_train/b/0.png 1; seg_test/a/0.png 1; seg_pred/{}.png 3",
        "seg_pred in the same folder",
        ["train: a 1, b 1; test: a 1"],
    ),
}


@pytest.mark.parametrize("name", READ)
def test_common_layouts_are_read(tmp_path, name):
    layout, wanted, stated = READ[name]
    found, notices = content(made(tmp_path, layout))
    assert found == wanted
    assert stated in notices
    assert bool(notices) or not stated


@pytest.mark.parametrize("name", [name for name, (_, _, stated) in READ.items() if not stated])
def test_plain_layouts_need_no_notice_but_of_parts(tmp_path, name):
    _, notices = content(made(tmp_path, READ[name][0]))
    assert not notices.replace("Folders are parts: ", "", 1) or "is the training part" in notices


def fixes(error):
    """The options that a message names, in its Python form, which the command line's equals."""
    pattern = r"(--[^()]*) \(((?:\w+=(?:'[^']*'|True|\"[^\"]*\")(?:, )?)+)\)"
    for command, python in re.findall(pattern, error):
        call = ast.parse(f"f({python})", mode="eval").body
        options = {each.arg: ast.literal_eval(each.value) for each in call.keywords}
        words = shlex.split(command)
        flags = [f"--{name.replace('_', '-')}" for name in options]
        assert [word for word in words if word.startswith("--")] == flags
        values = [value for value in options.values() if value is not True]
        assert [word for word in words if not word.startswith("--")] == values
        yield options


@pytest.mark.parametrize("name", REFUSED)
def test_doubtful_layouts_are_refused_with_fixes_that_work(tmp_path, name):
    layout, words, wanted = REFUSED[name]
    folder = made(tmp_path / "my data", layout)
    with pytest.raises(DataError) as caught:
        content(folder)
    assert words in str(caught.value)
    assert str(folder) in str(caught.value)
    found = [*fixes(caught.value.fix)]
    assert len(found) == len(wanted), caught.value
    for options, result in zip(found, wanted, strict=True):
        if result is None:  # the next message leads further
            with pytest.raises(DataError) as again:
                content(folder, **options)
            more = [content(folder, **options, **fix)[0] for fix in fixes(again.value.fix)]
            assert more[0] == "train: 6; test: 2"
        else:
            assert content(folder, **options)[0] == result


def test_every_refusal_can_be_read_without_labels_or_says_what_to_leave_out(tmp_path):
    for name, (layout, words, _) in REFUSED.items():
        folder = made(tmp_path / name, layout)
        images = sum(path.suffix in (".png", ".jpg") for path in folder.rglob("*"))
        if "in the same folder" in words:  # parts, and something that belongs to no part
            with pytest.raises(DataError, match=r"--ignore|--train-dir"):
                content(folder, no_labels=True)
        else:
            found, _ = content(folder, no_labels=True)
            assert sum(map(int, re.findall(r": (\d+)", found))) == images


def test_the_layouts_are_loaded_to_the_end(tmp_path):
    layout = "train/a/{}.png 4; train/b/{}.png 4; test/a/0.png 1; test/c/0.png 1"
    data = load_data(made(tmp_path, layout))
    assert data.test.names == ["test/a/0.png", "test/c/0.png"]
    assert any(
        "1 class is in the test part and not in the training part: c." in n for n in data.notices
    )
    assert any("not in the test part: b." in n for n in data.notices)


LAYOUT = "cat/{}.png 4; dog/{}.png 4; bad/{}.png 4; cat/copy_{}.png 2; old/cat/0.png 1"


@pytest.mark.parametrize(
    ("ignore", "wanted"),
    [
        ("bad,old", "all: cat 6, dog 4"),
        (["b?d", "old"], "all: cat 6, dog 4"),
        ("bad, old, copy_*", "all: cat 4, dog 4"),
        ("bad/,./old,cat/[!c]*", "all: cat 2, dog 4"),
        ("bad,old/cat", "all: cat 6, dog 4"),
        ("bad,*.png", "contains no images"),
    ],
)
def test_patterns_leave_out_names_and_paths(tmp_path, ignore, wanted):
    folder = made(tmp_path, LAYOUT)
    if "no images" in wanted:
        with pytest.raises(DataError, match=wanted):
            content(folder, ignore=ignore)
    else:
        found, notices = content(folder, ignore=ignore)
        assert found == wanted
        assert notices.count("files or folders, which are left out") == len(
            list(Options(ignore=ignore).ignore)
        )


def test_a_pattern_that_matches_nothing_is_stated(tmp_path):
    _, notices = content(made(tmp_path, "a/0.png 1; b/0.png 1"), ignore="c")
    assert "The pattern c of --ignore matches nothing." in notices


@pytest.mark.parametrize(
    ("train", "test", "wanted"),
    [
        ("here", "there", "train: a 2, b 2; test: a 1, b 1"),
        ("./here/", "there/.", "train: a 2, b 2; test: a 1, b 1"),
        ("{}/here", "{}/there", "train: a 2, b 2; test: a 1, b 1"),
        ("here", None, "all: a 2, b 2"),
        ("here", "../beside", "train: a 2, b 2; test: a 1, b 1"),
        ("here", "{}/../beside", "train: a 2, b 2; test: a 1, b 1"),
        (None, "there", "train: a 2, b 2; test: a 1, b 1"),
    ],
)
def test_parts_are_named_by_options(tmp_path, train, test, wanted):
    made(tmp_path / "beside", "a/0.png 1; b/0.png 1")
    folder = made(
        tmp_path / "set", "here/a/{}.png 2; here/b/{}.png 2; there/a/0.png 1; there/b/0.png 1"
    )
    given = {"train_dir": train, "test_dir": test}
    given = {name: value.format(folder) for name, value in given.items() if value}
    raw = read(folder, Options(**given), MemoryStorage(reuse=True))
    counts = {
        part: Counter(raw.classes[i] for i in y.tolist()) for part, (_, y) in raw.parts.items()
    }
    listed = "; ".join(
        f"{part}: {', '.join(f'{k} {v}' for k, v in sorted(c.items()))}"
        for part, c in counts.items()
    )
    assert listed == wanted


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"train_dir": "nowhere"}, "the folders with images are: here, there"),
        ({"test_dir": "her"}, "--test-dir (test_dir) is 'her'"),
        ({"train_dir": "here", "test_dir": "here"}, "are the same"),
        ({"test_dir": "."}, "Give --train-dir too"),
        ({"train_dir": "/nowhere/at/all"}, "cannot be used"),
    ],
)
def test_named_parts_that_are_not_there_are_refused(tmp_path, options, words):
    folder = made(tmp_path, "here/{}.png 3; there/{}.png 2")
    with pytest.raises(DataError) as caught:
        content(folder, **options)
    assert words in str(caught.value)


def test_files_are_in_natural_order(tmp_path):
    names = ["0", "1", "2", "10", "11", "a2", "a10", "b1.5", "b1.10", "img 07", "img 7", "img 8"]
    for i, name in enumerate(names):
        Image.fromarray(np.full((2, 2), i, np.uint8)).save(tmp_path / f"{name}.png")
    raw = read(tmp_path, Options(), MemoryStorage(reuse=True))
    assert raw.names["all"] == [f"{name}.png" for name in names]
    assert raw.parts["all"][0][:, 0, 0].tolist() == [*range(len(names))]


def test_classes_are_in_natural_order(tmp_path):
    folder = made(tmp_path, "{}/0.png 12; Class 3/0.png 1; Class 20/0.png 1")
    raw = read(folder, Options(), MemoryStorage(reuse=True))
    assert raw.classes == (*map(str, range(12)), "Class 3", "Class 20")


def test_names_with_digits_of_any_length_work(tmp_path):
    for name in ("1" * 200, "0" * 100 + "2", "٣", "1²"):
        Path(tmp_path, f"{name}.png").write_bytes(
            made(tmp_path / "x", "0.png 1").joinpath("0.png").read_bytes()
        )
    (tmp_path / "x" / "0.png").unlink()
    raw = read(tmp_path, Options(), MemoryStorage(reuse=True))
    assert raw.names["all"] == [f"{n}.png" for n in ("1²", "0" * 100 + "2", "1" * 200, "٣")]
