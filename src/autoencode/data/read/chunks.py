"""The images of a folder or an archive in chunks, each file read once."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from autoencode.data.named.catalogue import SOURCES
from autoencode.data.options import Options, options_of
from autoencode.data.raw import BadFile, RawData
from autoencode.data.read.decoding import Decoded, decode_in_chunks
from autoencode.data.read.depth import common_type, odd_bands
from autoencode.data.read.folder import (
    common_size,
    label_names,
    labelled_parts,
    open_tree,
    refuse_all_bad,
    refuse_bad,
    refuse_without_images,
    skip_notices,
    unread_notices,
)
from autoencode.data.read.image import quiet_pillow
from autoencode.data.read.layout import ImageFile, arrange
from autoencode.data.read.paths import existing, is_folder_of_images
from autoencode.data.read.scan import ImageTree
from autoencode.io.files import shown
from autoencode.io.urls import is_url


@dataclass(frozen=True)
class Listing:
    """The images of a folder or an archive, or some of them, found and not yet read.

    files: in order.   names: of all their classes, see `label_names`.
    examined: number of all images, and of files that cannot be used.
    notices: about the folder as a whole.
    """

    files: Sequence[ImageFile]
    names: Sequence[str]
    examined: int
    notices: tuple[str, ...] = ()


class FolderChunks:
    """The images of a folder or an archive for a trained model, in chunks, undivided.

    What the folders mean, and which images are refused, is as in `read_folder`; what only the
    pixels or the header of a file show is refused when the file is read.

    folder: a folder, an archive or an image file; or the URL of a folder or an archive.
    shape: of one example of the model.
    listed: what an earlier search has found; without it, all images are looked for.
    n: number of images, known while they are read.
    notices: about the folder as a whole, complete when all images are read.
    """

    def __init__(
        self,
        folder: Path | str,
        options: Options,
        shape: Sequence[int],
        listed: Listing | None = None,
    ) -> None:
        self.folder, self.options, self.shape = folder, options, shape
        self.n, self.listed = 0, listed
        self.notices: list[str] = []
        self._started: tuple[ImageTree, Iterator[Decoded], Sequence[str]] | None = None

    def listing(self) -> Listing:
        """All images, without reading any."""
        with open_tree(self.folder, self.options) as tree:
            return self._listing(tree)

    def _listing(self, tree: ImageTree) -> Listing:
        refuse_without_images(tree)
        refuse_bad(tree, self.options)
        files, notices = arrange(tree.images, self.options, tree.source)
        if {file.part for file in files} != {"all"}:
            notices.append("All parts of the data are used together.")
        notices += [*tree.notices(), *unread_notices(tree)]
        return Listing(files, label_names(files), tree.examined, tuple(notices))

    def start(self) -> None:
        """Find the images, and begin to read them where there are many.

        Without this call it is done when they are iterated over.
        """
        options = self.options
        size = None if options.size is None else (options.size[0], options.size[1])
        with ExitStack() as opened, quiet_pillow():
            tree = opened.enter_context(open_tree(self.folder, options, self.listed is None))
            listed = self._listing(tree) if self.listed is None else self.listed
            tree.total = listed.examined
            self.n, self.notices = len(listed.files), [*listed.notices]
            pixels = math.prod(self.shape)
            images = decode_in_chunks(tree, listed.files, size, pixels, "reading images")
            self._started = tree, images, listed.names
            opened.pop_all()

    def __iter__(self) -> Iterator[RawData]:
        options, good = self.options, 0
        if self._started is None:
            self.start()
        assert self._started is not None
        (tree, images, names), self._started = self._started, None
        with tree, quiet_pillow():
            for decoded in images:
                raw = self._chunk(tree, decoded, names)
                if raw is not None:
                    good += len(raw.parts["all"][0])
                    yield raw
            refuse_all_bad(range(good), tree)
            self.notices += skip_notices(tree, options)

    def _chunk(self, tree: ImageTree, decoded: Decoded, names: Sequence[str]) -> RawData | None:
        """The good images of a chunk; None if all are bad."""
        headers = dict(zip(decoded.files, decoded.headers, strict=True))
        shown_names = [shown(file.path) for file in decoded.files]
        named = dict(zip(shown_names, decoded.headers, strict=True))
        odd = odd_bands(named, self.shape[0] if len(self.shape) == 3 else 1)
        bad = [*decoded.bad, *(BadFile(tree.shown(name), why) for name, why in odd.items())]
        if bad:
            tree.bad += bad
            refuse_bad(tree, self.options)
            skip_notices(tree, self.options)  # refuses too many
        kept, images = decoded.files, decoded.images
        if odd:
            good = [i for i, name in enumerate(shown_names) if name not in odd]
            kept, images = [kept[i] for i in good], [images[i] for i in good]
            shown_names = [shown_names[i] for i in good]
            headers = {file: headers[file] for file in kept}
            named = {name: named[name] for name in shown_names}
        if not kept:
            return None
        _, size_notices = common_size(headers, tree, self.options)
        common = common_type(named, self.options.value_range is not None)
        converted = (
            common.convert(images)
            if isinstance(images, np.ndarray)
            else [common.convert(image) for image in images]
        )
        x = np.concatenate([*common.stacked(converted)])
        files = [ImageFile(file.path, "all", file.label) for file in kept]
        parts, classes = labelled_parts(files, x, names)
        return RawData(
            parts,
            classes,
            common.value_range,
            (*size_notices, *common.notices),
            names={"all": shown_names},
            image_files=True,
        )


def image_chunks(
    source: Any,
    shape: Sequence[int],
    raw_shape: Sequence[int] | None,
    options: Mapping[str, Any],
    listed: Listing | None = None,
) -> FolderChunks | None:
    """The images of a source for a trained model; None if it is no folder or archive of images.

    What is at a URL is taken to be a folder or, by its ending, an archive of images.

    shape, raw_shape: of one example, as the model has it and as the data of its training had it.
    options: as of `load_data`.   listed: as of `FolderChunks`.

    Raises:
        DataError: there is no such source or option.
    """
    if not isinstance(source, str | Path) or source in SOURCES:
        return None
    given = dict(options)
    if len(shape) > 1 and raw_shape != shape:
        given.setdefault("size", tuple(shape[-2:]))
    found = options_of(given)
    if found.labels is not None or found.vectors is not None:
        return None
    if is_url(source):
        return FolderChunks(str(source), found, shape, listed)
    path = existing(source)
    return FolderChunks(path, found, shape, listed) if is_folder_of_images(path) else None
