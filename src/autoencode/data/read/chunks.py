"""The images of a folder or an archive in chunks, each file read once."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from autoencode.data.options import ReadOptions
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
            pixels = math.prod(self.shape)
            for decoded in decode_in_chunks(tree, files, size, pixels, "reading images"):
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
