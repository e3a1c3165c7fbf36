"""What the folders of images mean: parts, classes, or only a place."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

from autoencode.data.options import ReadOptions
from autoencode.data.read.keys import PARTS
from autoencode.data.read.names import (
    ignore_text,
    is_place,
    like_parts,
    natural_key,
    not_classes,
    options_text,
    parts_of,
    path_key,
    patterns,
)
from autoencode.errors import DataError
from autoencode.io.files import shown

_PART_NAMES = {"train": "training", "validation": "validation", "test": "test", "all": "all"}


class ImageFile(NamedTuple):
    """An image with its part and its class; path: relative to the source."""

    path: str
    part: str
    label: str


@dataclass(frozen=True)
class _Branch:
    """A folder and the paths of all images below it, as tuples of names."""

    prefix: tuple[str, ...]
    paths: tuple[tuple[str, ...], ...]

    @cached_property
    def folders(self) -> dict[str, _Branch]:
        """The folders directly in this one that contain images, by name, in natural order."""
        depth = len(self.prefix)
        found: dict[str, list[tuple[str, ...]]] = {}
        for path in self.paths:
            if len(path) > depth + 1:
                found.setdefault(path[depth], []).append(path)
        names = sorted(found, key=natural_key)
        return {name: _Branch((*self.prefix, name), tuple(found[name])) for name in names}

    @cached_property
    def files(self) -> list[str]:
        """The names of the images directly in the folder."""
        return [path[-1] for path in self.paths if len(path) == len(self.prefix) + 1]

    @property
    def title(self) -> str:
        return shown("/".join(self.prefix)) or "."

    @property
    def only(self) -> _Branch | None:
        """The folder that contains all images of this one; None without it."""
        return None if self.files or len(self.folders) != 1 else next(iter(self.folders.values()))

    def without(self, other: _Branch | None) -> _Branch:
        """This folder without another one."""
        if other is None:
            return self
        n = len(other.prefix)
        return _Branch(self.prefix, tuple(p for p in self.paths if p[:n] != other.prefix))

    def below(self, prefix: tuple[str, ...]) -> _Branch:
        """The folder at a path."""
        return _Branch(prefix, tuple(p for p in self.paths if p[: len(prefix)] == prefix))


def arrange(
    paths: Iterable[str], options: ReadOptions, source: Path | str
) -> tuple[list[ImageFile], list[str]]:
    """The part and the class of each image, sorted by both and in natural order, and notices.

    paths: of the images, relative to the source, separated by "/".

    Raises:
        DataError: the meaning of the folders is not clear; the message says how to state it.
    """
    root = _Branch((), tuple(tuple(path.split("/")) for path in paths))
    notices: list[str] = []
    if options.train_dir or options.test_dir:
        parts = _given_parts(root, options, source, notices)
    else:
        parts = _found_parts(root, options, source, notices)
    labelled = not options.no_labels and options.labels is None
    if labelled:
        files = _with_classes(parts, options, source, notices)
    else:
        files = [ImageFile("/".join(p), part, "") for part, b in parts.items() for p in b.paths]
        if options.labels is not None and any(branch.folders for branch in parts.values()):
            notices.append("Labels are given, so the folders are not used as labels.")
    order = {part: i for i, part in enumerate(parts)}
    labels = {label: natural_key(label) for label in {file.label for file in files}}
    files.sort(key=lambda f: (order[f.part], labels[f.label], path_key(f.path)))
    if [*parts] != ["all"]:
        count = {part: sum(file.part == part for file in files) for part in parts}
        listed = ", ".join(
            f"{branch.title} is the {_PART_NAMES[part]} part ({count[part]:,} images)"
            for part, branch in parts.items()
        )
        notices.insert(0, f"Folders are parts: {listed}.")
    return files, notices


def _given_parts(
    root: _Branch, options: ReadOptions, source: Path | str, notices: list[str]
) -> dict[str, _Branch]:
    """The parts that train_dir and test_dir name."""
    test = _given(root, options.test_dir, "test_dir", source)
    train = _given(root, options.train_dir, "train_dir", source)
    if train is None:
        rest = root.without(root.below(("..",))).without(test)
        if not rest.paths:
            raise DataError(
                f"All images of {shown(source)} are in the test folder", "Give --train-dir too."
            )
        parts = _found_parts(rest, options, source, notices)
        if "test" in parts:
            raise DataError(
                f"The test folder is given, and {parts['test'].title} is a test folder too",
                f"Leave it out: {ignore_text([parts['test'].prefix[-1]])}.",
            )
        parts["train"] = parts.pop("all") if "all" in parts else parts["train"]
    else:
        train = train.without(test)
        if not train.paths:
            raise DataError(
                "The folders of training and test images are the same", "Give two folders."
            )
        parts = {"train" if test else "all": train}
        other = len(root.paths) - len(train.paths) - (len(test.paths) if test else 0)
        if other:
            notices.append(f"{other:,} images in other folders are not used.")
        if test is None:
            notices.append(f"{train.title} is the training part; the test part is drawn from it.")
    if test is not None:
        parts["test"] = test
    return _inner({part: parts[part] for part in _PART_NAMES if part in parts})


def _given(root: _Branch, folder: str | None, option: str, source: Path | str) -> _Branch | None:
    if folder is None:
        return None
    branch = root.below(relative(folder, source))
    if not branch.paths:
        names = ", ".join(map(shown, list(root.folders)[:10])) or "none"
        flag = option.replace("_", "-")
        raise DataError(
            f"--{flag} ({option}) is {shown(folder)!r}, and {shown(source)} has no images there",
            f"Give a folder in it; the folders with images are: {names}.",
        )
    return branch


def relative(folder: str, source: Path | str) -> tuple[str, ...]:
    """The names on the way from the source to a folder, given as a path from there or absolute."""
    path = os.path.relpath(os.path.join(source, os.path.expanduser(folder)), source)
    return () if path == "." else tuple(Path(path).parts)


def _found_parts(
    root: _Branch, options: ReadOptions, source: Path | str, notices: list[str]
) -> dict[str, _Branch]:
    """The parts that the names of folders tell; "all" if they tell none."""
    branch = root
    while branch.only is not None and branch.only.folders:
        branch = branch.only
    part_of = parts_of(branch.folders)
    if part_of:
        beside = [name for name in branch.folders if name not in part_of]
        if beside or branch.files:
            raise _beside(branch, part_of, beside, source)
        parts = {part: branch.folders[name] for name, part in part_of.items()}
        parts = {part: parts[part] for part in _PART_NAMES if part in parts}
        if "test" not in parts:
            notices.append("There is no test folder, so the test part is drawn from the training.")
        return _inner(parts)
    only = branch.only
    if only is not None and not options.no_labels and options.labels is None:
        # Below it are only files, so that it could be a class.
        if only.prefix[-1].lower() in PARTS or is_place(only.prefix[-1]):
            branch = only
        else:
            raise _one_class(only, source)
    if branch is not root:
        if any(PARTS.get(name.lower()) == "train" for name in branch.prefix):
            drawn = "; it is the training part, and the test part is drawn from it"
        else:
            drawn = "; its folders are the classes" if branch.folders else ""
        notices.append(f"All images are in the folder {branch.title}{drawn}.")
    return {"all": branch}


def _inner(parts: Mapping[str, _Branch]) -> dict[str, _Branch]:
    """The parts without folders that only contain the folders of the classes."""
    found = {}
    for part, branch in parts.items():
        others = {name for other in parts.values() if other is not branch for name in other.folders}
        only = branch.only
        while only is not None and only.folders and only.prefix[-1] not in others:
            branch = only
            only = branch.only
        found[part] = branch
    return found


def _with_classes(
    parts: Mapping[str, _Branch], options: ReadOptions, source: Path | str, notices: list[str]
) -> list[ImageFile]:
    """The images with the folders as their classes, if there are any."""
    names: dict[str, None] = {}
    for branch in parts.values():
        if branch.files and branch.folders:
            raise _files_beside(branch, source)
        names.update(dict.fromkeys(branch.folders))
    if not names:
        return [ImageFile("/".join(p), part, "") for part, b in parts.items() for p in b.paths]
    if any(branch.files for branch in parts.values()):
        with_classes = [branch.title for branch in parts.values() if branch.folders]
        without = {part: branch for part, branch in parts.items() if branch.files}
        fix = "Read all without labels: --no-labels (no_labels=True)."
        if "train" not in without and not (options.train_dir or options.test_dir):
            out = ignore_text([branch.prefix[-1] for branch in without.values()])
            fix += f" Or leave out what has no classes: {out}."
        raise DataError(
            f"In {shown(source)}, {' and '.join(with_classes)} has class folders and "
            f"{' and '.join(branch.title for branch in without.values())} has none",
            fix,
        )
    if len(names) == 1:
        (name,) = names
        deeper = any(branch.folders[name].folders for branch in parts.values() if branch.folders)
        if not is_place(name) or deeper:
            raise _one_class(next(iter(parts.values())).folders[name], source)
        notices.append(f"All images of each part are in a folder {shown(name)}, so have no labels.")
        return [ImageFile("/".join(p), part, "") for part, b in parts.items() for p in b.paths]
    _refuse_doubtful(parts, [*names], source)
    inner = []
    for branch in parts.values():
        for folder in branch.folders.values():
            below = folder
            while below.only is not None:
                below = below.only
            if below.folders:
                raise _nested(folder, below, source)
            if below is not folder:
                inner.append(below.title)
    if inner:
        notices.append(
            f"The images of {len(inner):,} classes are in a folder inside, such as {inner[0]}."
        )
    return [
        ImageFile("/".join(path), part, label)
        for part, branch in parts.items()
        for label, folder in branch.folders.items()
        for path in folder.paths
    ]


def _refuse_doubtful(
    parts: Mapping[str, _Branch], names: Sequence[str], source: Path | str
) -> None:
    """Refuse folders that would be classes, and by their names are parts, masks or the like."""
    alike = like_parts(names)
    left = [*alike, *(name for name in not_classes(names) if name not in alike)]
    if not left:
        return
    doubtful = left
    fixes = {}
    if len(parts) == 1:
        (branch,) = parts.values()
        first = {part: name for name, part in reversed(alike.items())}
        if "train" not in first and len(doubtful) == len(names):
            first["train"] = first.pop("validation", first.get("test", ""))
        for part in ("train", "test"):
            if name := first.get(part):
                fixes[f"{part}_dir"] = "/".join((*branch.prefix, name))
                left = [] if "train_dir" in fixes else [each for each in left if each != name]
    if left:
        fixes["ignore"] = patterns(left)
    others = [shown(name) for name in names if name not in doubtful]
    one = len(doubtful) == 1
    what = "a class" if one else "classes"
    name_is_not = "its name is not that of a class" if one else "their names are not of classes"
    beside = f" next to {', '.join(others[:5])}{' …' if len(others) > 5 else ''}" if others else ""
    raise DataError(
        f"In {shown(source)}, {', '.join(map(shown, doubtful))} would become {what}{beside}, but "
        f"{name_is_not}",
        f"State what they are: {options_text(fixes)}. If one is a class, rename its folder.",
    )


def _one_class(only: _Branch, source: Path | str) -> DataError:
    return DataError(
        f"In {shown(source)}, all {len(only.paths):,} images are in the one folder {only.title}, "
        "and one class teaches nothing",
        "Read them without labels: --no-labels (no_labels=True). If there are other classes, "
        "give the folder that contains them all.",
    )


def _files_beside(branch: _Branch, source: Path | str) -> DataError:
    inside = len(branch.paths) - len(branch.files)
    where = shown(os.path.join(source, *branch.prefix))
    few = len(branch.files) <= 3
    out = f" Or leave the loose ones out: {ignore_text(branch.files)}." if few else ""
    return DataError(
        f"{where} has {len(branch.files):,} images next to sub-folders with {inside:,} images, so "
        "the classes are not clear",
        f"Read all without labels: --no-labels (no_labels=True).{out}",
    )


def _nested(folder: _Branch, below: _Branch, source: Path | str) -> DataError:
    inner = ", ".join(map(shown, list(below.folders)[:5]))
    one = shlex.quote(shown(os.path.join(source, *below.prefix)))
    more = " …" if len(below.folders) > 5 else ""
    return DataError(
        f"In {shown(source)}, the class folder {folder.title} contains folders with images "
        f"({inner}{more}), so the classes are not clear",
        "Read all without labels: --no-labels (no_labels=True). If the inner folders are the "
        f"classes, give one such folder: {one}.",
    )


def _beside(
    branch: _Branch, part_of: Mapping[str, str], beside: list[str], source: Path | str
) -> DataError:
    """The error that folders or images are beside the parts."""
    left = [*beside, *branch.files]
    listed = ", ".join(map(shown, left[:5])) + (" …" if len(left) > 5 else "")
    if len(left) <= 20:
        fix = f"Leave them out: {ignore_text(left)}."
    else:
        dirs = {
            f"{part}_dir": "/".join((*branch.prefix, name))
            for name, part in part_of.items()
            if part in ("train", "test")
        }
        fix = f"Read only the parts: {options_text(dirs)}."
    return DataError(
        f"In {shown(source)}, {', '.join(map(shown, part_of))} are parts, and {listed} "
        "in the same folder is none",
        fix,
    )
