"""The images of a folder or an archive in chunks, each file read once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from autoencode.data.options import ReadOptions
from autoencode.data.read.decoding import Decoded, decode_in_chunks
from autoencode.data.read.depth import common_type, odd_bands
from autoencode.data.read.folder import (
    by_name,
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
from autoencode.data.read.layout import arrange
from autoencode.data.read.scan import ImageTree
from autoencode.data.records import BadFile, RawData
from autoencode.io.files import shown


class FolderChunks:
    """The images of a folder or an archive for a trained model, in chunks, undivided.

    What the folders mean, and which images are refused, is as in `read_folder`; what only the
    pixels or the header of a file show is refused when the file is read.

    folder: a folder, an archive or an image file.
    shape: of one example of the model.
    n: number of images, known while they are read.
    notices: about the folder as a whole, complete when all images are read.
    """

    def __init__(self, folder: Path, options: ReadOptions, shape: Sequence[int]) -> None:
        self.folder, self.options, self.shape = folder, options, shape
        self.n = 0
        self.notices: list[str] = []

    def __iter__(self) -> Iterator[RawData]:
        options, good = self.options, 0
        size = None if options.size is None else (options.size[0], options.size[1])
        with open_tree(self.folder, options) as tree, quiet_pillow():
            refuse_without_images(tree)
            refuse_bad(tree, options)
            files, self.notices = arrange(tree.images, options, tree.source)
            self.n, names = len(files), label_names(files)
            if {file.part for file in files} != {"all"}:
                self.notices.append("All parts of the data are used together.")
            for decoded in decode_in_chunks(tree, files, size, "reading images"):
                raw = self._chunk(tree, decoded, names)
                if raw is not None:
                    good += len(raw.parts["all"][0])
                    yield raw
            refuse_all_bad(range(good), tree)
            self.notices += [
                *tree.notices(),
                *skip_notices(tree, options),
                *unread_notices(tree),
            ]

    def _chunk(self, tree: ImageTree, decoded: Decoded, names: Sequence[str]) -> RawData | None:
        """The good images of a chunk; None if all are bad."""
        headers = dict(zip(decoded.files, decoded.headers, strict=True))
        odd = odd_bands(by_name(headers), self.shape[0] if len(self.shape) == 3 else 1)
        bad = [*decoded.bad, *(BadFile(tree.shown(name), why) for name, why in odd.items())]
        if bad:
            tree.bad += bad
            refuse_bad(tree, self.options)
            skip_notices(tree, self.options)  # refuses too many
        kept = [i for i, file in enumerate(decoded.files) if shown(file.path) not in odd]
        if not kept:
            return None
        files = [replace(decoded.files[i], part="all") for i in kept]
        heads = {file: headers[file] for file in (decoded.files[i] for i in kept)}
        _, size_notices = common_size(heads, tree, self.options)
        common = common_type(by_name(heads), self.options.value_range is not None)
        images: np.ndarray | list[np.ndarray] = [decoded.images[i] for i in kept]
        if isinstance(decoded.images, np.ndarray) and not odd:
            images = decoded.images
        converted = (
            common.convert(images)
            if isinstance(images, np.ndarray)
            else [common.convert(image) for image in images]
        )
        x = np.concatenate([*common.stacked(converted)])
        parts, classes = labelled_parts(files, x, names)
        return RawData(
            parts,
            classes,
            common.value_range,
            (*size_notices, *common.notices),
            names={"all": [shown(file.path) for file in files]},
            image_files=True,
        )
