"""What the verbs that use a trained model on data have in common."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from autoencode.errors import AutoencodeError

if TYPE_CHECKING:
    from autoencode.data.read.chunks import FolderChunks
    from autoencode.models.build import Model
    from autoencode.models.run import Run

# Larger records of runs are not looked into ahead.
MAX_BYTES = 2**20


@dataclass(frozen=True)
class Used:
    """A trained model, and its data: a source with options, or the data of its run."""

    run: Run
    model: Model
    data: Any
    options: dict[str, Any]


def opened(
    folder: Path, source: str | None, options: dict[str, Any], out: Path, overwrite: bool
) -> Used:
    """The model of a run, and the data at `source`, or those of the run.

    Raises:
        AutoencodeError: `out` exists and is not to be replaced; checked before anything is read.
    """
    from autoencode.use.files import refuse_existing

    refuse_existing(out, overwrite)
    images = _images(folder, source, options)
    from autoencode.models.run import open_run

    run = open_run(folder)
    model = run.load_model()
    if images is not None:
        return Used(run, model, images, {})
    if source is None and not options:
        return Used(run, model, run.load_data(), {})
    return Used(run, model, run.data["source"] if source is None else source, options)


def _images(folder: Path, source: str | None, options: dict[str, Any]) -> FolderChunks | None:
    """The images of a source if they are very many; reading them begins before torch is loaded.

    What is wrong with the run or with the source is found afterwards, and None is returned.
    """
    from autoencode.data.read.chunks import image_chunks
    from autoencode.io.files import Unusable, read_small

    with suppress(AutoencodeError, Unusable, ValueError, LookupError, TypeError):
        # Not by `read_json`, whose module loads torch.
        run = json.loads(read_small(folder / "run.json", MAX_BYTES))
        record = run["data"]["preprocessing"]
        shape, raw_shape = (tuple(record[name] or ()) for name in ("shape", "raw_shape"))
        images = image_chunks(source, shape, raw_shape, options)
        if images is not None:
            images.start()
        return images
    return None
