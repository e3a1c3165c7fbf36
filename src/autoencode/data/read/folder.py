"""Images in a folder or an archive, decoded; `read_folder` says what their folders mean."""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from collections.abc import Mapping, Sequence, Sized
from contextlib import closing
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from autoencode.data.options import ReadOptions
from autoencode.data.raw import BadFile, RawData
from autoencode.data.read.archive import TarTree, ZipTree, is_tar, is_zip
from autoencode.data.read.decoding import decode_files, for_each, read_headers
from autoencode.data.read.depth import CommonType, common_type, odd_bands
from autoencode.data.read.image import ENDINGS, UNREAD, Header, quiet_pillow
from autoencode.data.read.layout import ImageFile, arrange, relative
from autoencode.data.read.names import natural_key
from autoencode.data.read.remote import UrlTree
from autoencode.data.read.resize import resized
from autoencode.data.read.scan import FileTree, FolderTree, IgnoreRules, ImageTree, Opened, counted
from autoencode.errors import DataError
from autoencode.io.files import shown
from autoencode.io.urls import is_url

if TYPE_CHECKING:
    from autoencode.data.storage import Storage


def read_folder(folder: Path, options: ReadOptions, storage: Storage) -> RawData:
    """All images of a folder, or of a .zip or .tar archive of it, decoded, in natural order.

    A path to one image file gives this image.

    What the folders mean:

    - Folders named train, val and test (or the like, also seg_train and seg_test) are parts. They
      may be inside one other folder. `train_dir` and `test_dir` name them instead.
    - Other folders are the classes of the images in them. One folder is a class only beside
      another; a folder such as images, which contains all, only is their place.
    - Images directly in the folder, or in that of a part, have no labels. With `no_labels`, and
      with `labels` of their own, the images at any depth are read.
    - Hidden files and leftovers of systems (see `JUNK`) are passed over, and so is what matches
      `ignore`. Files of other types are counted.

    Folders that are no classes by their names, such as masks, or classes with folders inside, are
    refused, because a model would learn the wrong classes.

    Images of one type of values keep it; of several types, each is divided by its white; mixed
    grey and colour images become colour; images with another number of bands than most are bad.

    Raises:
        DataError: no images, images of several sizes without `size`, folders whose meaning is not
            clear, or bad files, according to `on_bad` and `max_bad`.
        ResourceError: the images do not fit into memory, or on the disk.
    """
    with open_tree(folder, options) as tree:
        return read_tree(tree, options, storage)


def open_tree(source: Path | str, options: ReadOptions, search: bool = True) -> ImageTree:
    """The image files of a folder or of an archive, found and not yet read.

    source: a path or a URL.
    search: look for the images of a folder; without it they are opened by known paths.

    Raises:
        DataError: an archive that is damaged or encrypted.
        AutoencodeError, RunError: a URL cannot be used.
    """
    rules = IgnoreRules(options.ignore)
    if isinstance(source, str) and is_url(source):
        if is_tar(Path(source)):
            return TarTree(source, rules)
        return ZipTree(source, rules) if is_zip(source) else UrlTree(source, rules, search)
    source = Path(source)
    if source.is_dir():
        given = (options.train_dir, options.test_dir)
        paths = ["/".join(relative(each, source)) for each in given if each]
        outside = [path for path in paths if path.startswith("..")]
        return FolderTree(source, rules, outside, search)
    if is_image_file(source):
        return FileTree(source)
    return TarTree(source, rules) if is_tar(source) else ZipTree(source, rules)


def is_image_file(path: Path) -> bool:
    """Whether a path is that of an image file by its suffix."""
    return path.suffix.lower() in ENDINGS


def read_tree(tree: ImageTree, options: ReadOptions, storage: Storage) -> RawData:
    """All images of an open source, decoded; see `read_folder`."""
    refuse_without_images(tree)
    refuse_bad(tree, options)
    files, layout_notices = arrange(tree.images, options, tree.source)
    with quiet_pillow():
        headers = _good_headers(tree, files, options)
        size, size_notices = common_size(headers, tree, options)
        common = common_type(by_name(headers), options.value_range is not None)
        shape = (*((common.bands,) if common.bands > 1 else ()), *size)
        good: list[ImageFile] = []
        what = f"{len(headers):,} images of {size[0]}×{size[1]}"
        fix = "Make them smaller with --size, or give fewer."
        convert = partial(_converted, common, size)
        with closing(storage.writer(len(headers), shape, common.dtype, what, fix)) as writer:
            for part in decode_files(tree, headers, convert):
                tree.bad += part.bad
                if part.bad:
                    refuse_bad(tree, options)
                for images in common.stacked(part.images):
                    writer.add(images)
                good += part.files
            refuse_all_bad(good, tree)
            x = writer.result()
    notices = [
        *layout_notices,
        *tree.notices(),
        *skip_notices(tree, options),
        *size_notices,
        *common.notices,
        *unread_notices(tree),
    ]
    parts, classes = labelled_parts(good, x, label_names(files))
    return RawData(
        parts,
        classes,
        common.value_range,
        tuple(notices),
        names=_names(good),
        image_files=True,
        bad=tuple(tree.bad),
        examined=tree.examined,
    )


def refuse_without_images(tree: ImageTree) -> None:
    """Refuse a source without images.

    Raises:
        DataError: there are none; the message says what is there.
    """
    if not tree.examined:
        found = f"; {counted(tree.others)}" if tree.others else ""
        found = ". ".join([found, *unread_notices(tree)]).rstrip(".")
        raise DataError(
            f"{tree.shown()} contains no images{found}",
            f"Give a folder with files that end in {', '.join(sorted(ENDINGS))}.",
        )


def _good_headers(
    tree: ImageTree, files: Sequence[ImageFile], options: ReadOptions
) -> dict[ImageFile, Header]:
    """The headers of the images that can be used together."""
    headers: dict[ImageFile, Header] = {}
    for file, head in read_headers(tree, files):
        if isinstance(head, BadFile):
            tree.bad.append(head)
        else:
            headers[file] = head
    refuse_bad(tree, options)
    refuse_all_bad(headers, tree)
    odd = odd_bands({file.path: head for file, head in headers.items()})
    for file in [*headers]:
        if (why := odd.get(file.path)) is not None:
            tree.bad.append(BadFile(tree.shown(file.path), why))
            del headers[file]
    refuse_bad(tree, options)
    return headers


def by_name(headers: Mapping[ImageFile, Header]) -> dict[str, Header]:
    """Headers by the names of their files, as text."""
    return {shown(file.path): head for file, head in headers.items()}


def _converted(common: CommonType, size: tuple[int, int], image: np.ndarray) -> np.ndarray:
    return common.convert(resized(image, size))


def hash_folder(folder: Path, options: ReadOptions) -> str | None:
    """SHA-256 over the names and bytes of all images; None if there are none."""
    sha = hashlib.sha256()
    with open_tree(folder, options) as tree:
        files = [ImageFile(path, "", "") for path in sorted(tree.images, key=os.fsencode)]
        for file, result in for_each(
            lambda f: _hash(tree.open(f.path)), tree, files, "looking for changes"
        ):
            content = result.reason if isinstance(result, BadFile) else result
            sha.update(repr((file.path, content)).encode())
        sha.update(repr((sorted(tree.others.items()), tree.bad)).encode())
    return sha.hexdigest() if files else None


def _hash(opened: Opened) -> str:
    with opened as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def refuse_all_bad(good: Sized, tree: ImageTree) -> None:
    """Refuse a source without a good image."""
    if not good:
        raise DataError(
            f"None of the {len(tree.bad):,} files in {tree.shown()} is an image that can be read",
            f"The first: {tree.bad[0].path}, {tree.bad[0].reason}.",
        )


def refuse_bad(tree: ImageTree, options: ReadOptions) -> None:
    """Refuse bad files, unless they are to be skipped."""
    bad = tree.bad
    if bad and options.on_bad == "fail":
        more = f" (and {len(bad) - 1:,} more of {tree.examined:,} files)" if len(bad) > 1 else ""
        raise DataError(
            f"{bad[0].path} cannot be used: {bad[0].reason}{more}",
            "Repair or remove it, or skip such files with --on-bad skip; "
            f"`autoencode data check {tree.shown()}` lists them all.",
        )


def common_size(
    headers: Mapping[ImageFile, Header], tree: ImageTree, options: ReadOptions
) -> tuple[tuple[int, int], list[str]]:
    """The size of all images, after resizing if the options ask for it, and notices."""
    counts = Counter(head.size for head in headers.values())
    if options.size is not None:
        height, width = options.size
        other = len(headers) - counts[height, width]
        notice = (
            f"{other:,} of {len(headers):,} images were resized to {height}×{width} (height × "
            "width): scaled to cover the new size, then cropped about the centre."
        )
        return (height, width), [notice] if other else []
    if len(counts) == 1:
        return next(iter(counts)), []
    common = counts.most_common()
    (h, w), _ = common[0]
    listed = ", ".join(f"{a}×{b} ({n:,})" for (a, b), n in common[:5])
    more = f" and {len(common) - 5} more sizes" if len(common) > 5 else ""
    other_file = next(file.path for file, head in headers.items() if head.size != (h, w))
    raise DataError(
        f"The images have {len(common)} sizes (height × width): {listed}{more}; "
        f"{tree.shown(other_file)} is the first that differs",
        f"Resize them to one: --size {h} {w} (size=({h}, {w})).",
    )


def unread_notices(tree: ImageTree) -> list[str]:
    """Images that were passed over because a decoder is not installed."""
    return [
        f"{tree.others[ending]:,} {ending} images were passed over; reading them needs {needed}."
        for ending, needed in UNREAD.items()
        if tree.others.get(ending)
    ]


def skip_notices(tree: ImageTree, options: ReadOptions) -> list[str]:
    """Notices about files that are not used; too many bad files are refused."""
    notices = []
    if tree.bad:
        first = "; ".join(f"{bad.path}: {bad.reason}" for bad in tree.bad[:3])
        more = " and so on" if len(tree.bad) > 3 else ""
        count = f"{len(tree.bad):,} of {tree.examined:,} files in {tree.shown()} cannot be used"
        if len(tree.bad) > options.max_bad * tree.examined:
            raise DataError(
                f"{count}, more than the {options.max_bad:.3g} that max_bad allows ({first}{more})",
                "Repair or remove them, or allow more with --max-bad.",
            )
        notices.append(f"{count} and were skipped: {first}{more}.")
    return notices


def label_names(files: Sequence[ImageFile]) -> list[str]:
    """The names of the classes of files, in natural order; [""] without labels."""
    return sorted({file.label for file in files}, key=natural_key)


def _names(files: list[ImageFile]) -> dict[str, list[str]]:
    """The path of each file from the folder, by part; files are sorted by part."""
    return {
        part: [shown(file.path) for file in group]
        for part, group in groupby(files, key=lambda file: file.part)
    }


def labelled_parts(
    files: list[ImageFile], x: np.ndarray, names: Sequence[str]
) -> tuple[dict[str, tuple[np.ndarray, np.ndarray | None]], tuple[str, ...]]:
    """The examples of each part with their labels, and class names; files are sorted by part.

    names: of all classes, see `label_names`.
    """
    number = {name: i for i, name in enumerate(names)}
    has_labels = [*names] != [""]
    parts: dict[str, tuple[np.ndarray, np.ndarray | None]] = {}
    start = 0
    for part, group in groupby(files, key=lambda file: file.part):
        labels = np.array([number[file.label] for file in group], np.int64)
        parts[part] = x[start : start + len(labels)], labels if has_labels else None
        start += len(labels)
    return parts, tuple(map(shown, names)) if has_labels else ()
