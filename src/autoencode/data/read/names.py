"""What the names of folders mean, and options as text."""

from __future__ import annotations

import glob
import os
import re
import shlex
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache

from autoencode.data.read.keys import IMAGES, PARTS
from autoencode.io.files import shown

# Names of a folder that holds all images and is no class.
PLACES = IMAGES | {"pictures", "photos", "pics", "jpg", "jpeg", "jpegs", "png", "pngs", "frames"}
PLACES |= {"all", "raw", "dataset", "unlabeled", "unlabelled", "input", "inputs", "files"}
IMAGE_FOLDERS = frozenset(["image", "images", "img", "imgs", "jpegimages"])
# Names of folders of what belongs to images and is no class.
TRUTH = frozenset(["gt", "gts", "groundtruth", "groundtruths", "truth", "bbox", "bboxes"])
TRUTH |= {"annotation", "annotations", "label", "labels", "mask", "masks", "segmap", "segmaps"}
TRUTH |= {"segmentation", "segmentations", "segmentationclass", "segmentationobject"}


_NUMBERS = re.compile(r"([0-9]+)")


def natural_key(text: str) -> tuple[object, ...]:
    """A key that sorts names with numbers by these numbers, else by bytes.

    >>> sorted(["10.png", "9.png", "a2", "a10"], key=natural_key)
    ['9.png', '10.png', 'a2', 'a10']
    """
    whole = text.encode() if text.isascii() else os.fsencode(text)
    key: list[object] = []
    for i, word in enumerate(_NUMBERS.split(text)):
        if i % 2:
            number = word.lstrip("0")
            key.append((len(number), number))
        else:
            key.append(word.encode() if word.isascii() else os.fsencode(word))
    return tuple(key), whole


def path_key(path: str) -> tuple[object, ...]:
    """The `natural_key` of each name of a path."""
    folder, _, name = path.rpartition("/")
    return (*_folder_key(folder), natural_key(name)) if folder else (natural_key(name),)


@lru_cache(maxsize=2048)  # a folder comes with each of its files
def _folder_key(folder: str) -> tuple[object, ...]:
    return tuple(map(natural_key, folder.split("/")))


def parts_of(names: Iterable[str]) -> dict[str, str]:
    """The folders that are parts, by their names: train and another, with a common affix or none.

    >>> parts_of(["seg_train", "seg_test", "notes"])
    {'seg_train': 'train', 'seg_test': 'test'}
    >>> parts_of(["train_station", "test_tube"])
    {}
    """
    groups = _part_groups(names)
    if () in groups:
        return groups[()]
    good = [group for rest, group in groups.items() if not any(map(is_truth, rest))]
    return good[0] if len(good) == 1 else {}


def like_parts(names: Sequence[str]) -> dict[str, str]:
    """The names that look like those of parts, with their part.

    >>> like_parts(["cat", "trainA", "test", "test_tube"])
    {'trainA': 'train', 'test': 'test'}
    """
    found = {name: part for group in _part_groups(names).values() for name, part in group.items()}
    for name in names:
        part, rest = _part_and_rest(name)
        if part and all(len(word) == 1 for word in rest):
            found[name] = part
    return {name: found[name] for name in names if name in found}


def _part_groups(names: Iterable[str]) -> dict[tuple[str, ...], dict[str, str]]:
    """The names of parts by the words that they have beside; train, and no part twice."""
    groups: dict[tuple[str, ...], dict[str, str]] = {}
    for name in names:
        part, rest = _part_and_rest(name)
        if part:
            groups.setdefault(rest, {})[name] = part
    return {
        rest: group
        for rest, group in groups.items()
        if "train" in group.values() and 1 < len(group) == len({*group.values()})
    }


def _part_and_rest(name: str) -> tuple[str, tuple[str, ...]]:
    """The part in a name, "" without one, and the other words of the name."""
    part, rest = "", list[str]()
    for word in re.split(r"[\W_]+", name):
        stem = re.fullmatch(r"(.+?)([0-9]*|[A-D])", word)  # train2017, trainA
        found = PARTS.get(word.lower()) or PARTS.get(stem[1].lower() if stem else "")
        if found and not part:
            part = found
            if stem and word.lower() not in PARTS and stem[2].isalpha():
                rest.append(stem[2])
        elif word:
            rest.append(word.lower())
    return part, tuple(rest)


def is_place(name: str) -> bool:
    """Whether a folder that contains all images is no class, by its name.

    >>> is_place("img_align_celeba"), is_place("dog")
    (True, False)
    """
    words = re.split(r"[\W_0-9]+", name.lower())
    return name.lower() in PLACES or any(word in IMAGE_FOLDERS for word in words)


def is_truth(name: str) -> bool:
    """Whether a folder contains masks or the like, by its name.

    >>> is_truth("Ground_Truth"), is_truth("with_mask")
    (True, False)
    """
    return re.sub(r"[\W_]", "", name.lower()) in TRUTH


def not_classes(names: Sequence[str]) -> list[str]:
    """The folders that by their names are masks or the like, and not classes beside the others.

    >>> not_classes(["cat", "dog", "masks"]), not_classes(["mask", "no_mask"])
    (['masks'], [])
    >>> not_classes(["images", "1st_manual"])
    ['1st_manual']
    """
    if any(name.lower() in IMAGE_FOLDERS for name in names):
        return [name for name in names if name.lower() not in IMAGE_FOLDERS]
    # With and without a mask are two classes.
    about_masks = sum("mask" in name.lower() for name in names) > 1
    return [n for n in names if is_truth(n) and not (about_masks and "mask" in n.lower())]


def ignore_text(names: Sequence[str]) -> str:
    """The option that leaves out what has these names.

    >>> ignore_text(["a,b", "[1]"])
    "--ignore 'a?b,[[]1]' (ignore='a?b,[[]1]')"
    """
    return options_text({"ignore": patterns(names)})


def patterns(names: Sequence[str]) -> str:
    """Patterns that match these names, in one text; what an option cannot hold becomes "?"."""
    texts = []
    for name in names:
        text = "".join(c if c.isprintable() and c != "," else "?" for c in glob.escape(name))
        texts.append(re.sub(r"^\s|\s$", "?", text))
    return ",".join(texts)


def options_text(values: Mapping[str, str]) -> str:
    """Options as on the command line and in Python.

    >>> options_text({"test_dir": "my test"})
    "--test-dir 'my test' (test_dir='my test')"
    """
    flags = [f"--{n.replace('_', '-')} {shlex.quote(shown(v))}" for n, v in values.items()]
    python = ", ".join(f"{n}={shown(v)!r}" for n, v in values.items())
    return f"{' '.join(flags)} ({python})"
