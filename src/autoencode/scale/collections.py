"""Large collections of images: codes, scores and reconstructions as parts that many workers write.

Each part is written whole or not at all, by one worker at a time, and is not written again: the
same call goes on where it was stopped, and each image has one row or file, whichever workers die.
The folder has `_plan.json`, which says what is written, and at the end `_manifest.json`, which
lists the parts.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from autoencode.arguments import check_value
from autoencode.errors import AutoencodeError
from autoencode.io.files import shown
from autoencode.scale.collection import (
    PART_SIZE,
    Collection,
    collection,
    refuse_same_stems,
)
from autoencode.scale.folders import OutFolder, out_folder
from autoencode.scale.parts import CollectionPart, PartDone, PartsFolder, write_parts
from autoencode.use.anomalies import (
    QUANTILE,
    Anomalies,
    Share,
    Threshold,
    decisions,
    scored,
    summed_up,
    threshold_of,
    threshold_within,
    white_of,
    write_scores,
)
from autoencode.use.chunks import Chunks
from autoencode.use.codes import write_codes
from autoencode.use.files import require_pyarrow, rows_to
from autoencode.use.reconstructions import Written, write_reconstructions
from autoencode.use.scores import SAMPLES, CodeScores, Method, Scorer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from distributed import Client

    from autoencode.data import Data
    from autoencode.data.read.chunks import Listing


def write_codes_in_parts(
    run: str | Path,
    source: str | Path,
    out: str | Path,
    *,
    workers: int | None = None,
    cluster: str | Client | None = None,
    part_size: int = PART_SIZE,
    scale: bool = False,
    **options: Any,
) -> tuple[int, tuple[str, ...]]:
    """Encodes a folder or archive of images on many workers, into a folder of Parquet files.

    Columns are as of `use.codes.write_codes`.

    run: the folder of a run.
    source, options: as of `load_data`; or the URL of a folder or an archive of images, such as
        s3://bucket/images, which fsspec opens.
    out: the folder, a path or a URL in a store of objects. All workers see source and out under
        these names.
    part_size: images in a part.   scale: as of `write_codes`.
    workers, cluster: as of `fit_many`.

    Returns the number of rows and sentences on what was converted or skipped.

    Raises:
        AutoencodeError: `out` has files of another kind or another collection, pyarrow is not
            installed, or the source is no folder or archive of images.
        DataError: the source does not fit the model.
        RunError: the cluster cannot be reached or is lost.
        Interrupted: Ctrl-C or SIGTERM; complete parts stay.
    """
    images = collection(run, source, options)
    folder = _folder(images, out, {"verb": "embed", "scale": scale}, part_size)
    write_parts(folder, partial(_codes, images, folder.out, scale), "embedding", workers, cluster)
    folder.end()
    return sum(each.rows for each in folder.in_order()), folder.notices


def write_reconstructions_in_parts(
    run: str | Path,
    source: str | Path,
    out: str | Path,
    *,
    workers: int | None = None,
    cluster: str | Client | None = None,
    part_size: int = PART_SIZE,
    **options: Any,
) -> Written:
    """Reconstructs a folder or archive of images on many workers, into a folder of images.

    Names and formats are as of `use.reconstructions.write_reconstructions`; arguments and errors
    are as of `write_codes_in_parts`.
    """
    images = collection(run, source, options)
    folder = _folder(images, out, {"verb": "reconstruct"}, part_size, by_name=True)
    write = partial(_reconstructions, images, folder.out)
    write_parts(folder, write, "reconstructing", workers, cluster)
    n = sum(each.rows for each in folder.in_order())
    error = sum(each.error for each in folder.in_order()) / max(n, 1)
    folder.end(squared_error=error)
    return Written(n, error, folder.notices)


def write_anomalies_in_parts(
    run: str | Path,
    source: str | Path,
    out: str | Path,
    training: Data | None = None,
    method: Method = "reconstruction",
    quantile: float = QUANTILE,
    contamination: float | None = None,
    normal: Sequence[str] = (),
    maps: str | Path | None = None,
    samples: int = SAMPLES,
    seed: int = 0,
    *,
    workers: int | None = None,
    cluster: str | Client | None = None,
    part_size: int = PART_SIZE,
    **options: Any,
) -> Anomalies:
    """Scores a folder or archive of images on many workers, into a folder of Parquet files.

    Arguments and figures are as of `use.anomalies.write_anomalies`; the others and errors are as of
    `write_codes_in_parts`. With `contamination` the decisions are added when all scores are there.
    Maps need the validation part, which says what is white in them.
    """
    check_value(quantile, Share, "quantile")
    check_value(contamination, Share | None, "contamination")
    images = collection(run, source, options)
    model = images.model()
    scorer = Scorer(model, method, None if training is None else training.train, samples, seed)
    threshold = None if contamination is not None else threshold_of(scorer, training, quantile)
    heat = None if maps is None else _Maps(out_folder(maps), white_of(model, training))
    if heat is not None and not heat.white:
        raise AutoencodeError(
            "What is white in maps is taken from the validation part, which cannot be loaded",
            "Leave out --maps, or --workers and --cluster.",
        )
    limit = None if threshold is None else threshold.value
    plan = {
        "verb": "anomalies",
        "score": method,
        "samples": samples,
        "seed": seed,
        "threshold": limit,
        "contamination": contamination,
        "normal": list(normal),
        "maps": None if heat is None else str(heat.folder),
    }
    folder = _folder(images, out, plan, part_size, by_name=heat is not None)
    if heat is not None:
        if not folder.done and heat.folder.names():
            raise AutoencodeError(f"{heat.folder} exists", "Choose another folder: --maps.")
        heat.folder.create()
    write = partial(
        _scores,
        images,
        folder.out,
        _Scoring(method, samples, seed, scorer.fitted, tuple(normal)),
        limit,
        heat,
    )
    write_parts(folder, write, "scoring", workers, cluster)
    if heat is not None:
        heat.folder.sweep()
    scores = np.concatenate([_scores_of(folder.out, name) for name in folder.files()])
    if threshold is None:
        assert contamination is not None  # else there is a threshold
        threshold = threshold_within(scores, contamination)
        for name in folder.files():
            _decide(folder.out, name, threshold)
    folder.end(threshold=threshold.value, origin=threshold.origin)
    labels = list(_labels(folder)) if normal else None
    known = labels if labels and len(labels) == len(scores) else None
    return summed_up(scores, known, threshold, normal, folder.notices, seed)


def _folder(
    images: Collection, out: str | Path, plan: dict[str, Any], size: int, by_name: bool = False
) -> PartsFolder:
    """The folder of a call, with what earlier calls have done.

    by_name: files have the names of the images, so that these have to differ.
    """
    listed = images.images().listing()
    if by_name:
        refuse_same_stems([shown(file.path) for file in listed.files])
    if plan["verb"] != "reconstruct":
        require_pyarrow(Path(out))
    folder = PartsFolder(out_folder(out), {**images.plan, **plan}, listed, size)
    folder.begin()
    return folder


def _codes(
    images: Collection, folder: OutFolder, scale: bool, part: CollectionPart, listed: Listing
) -> PartDone:
    images.require_seen()
    name = f"part-{part.number:05d}.parquet"
    with folder.staged() as new:
        rows, notices = write_codes(images.model(), images.images(listed), new / name, scale)
    return PartDone(rows, name, notices=notices)


def _reconstructions(
    images: Collection, folder: OutFolder, part: CollectionPart, listed: Listing
) -> PartDone:
    images.require_seen()
    with folder.staged() as new:
        done = write_reconstructions(images.model(), images.images(listed), new)
    return PartDone(done.n, error=done.n * done.error, notices=done.notices)


@dataclass(frozen=True)
class _Scoring:
    """How examples are scored; as of `Scorer`."""

    method: Method
    samples: int
    seed: int
    fitted: CodeScores | None
    normal: tuple[str, ...]


@dataclass(frozen=True)
class _Maps:
    """Where maps go, and the error that is white in them."""

    folder: OutFolder
    white: float


def _scores(
    images: Collection,
    folder: OutFolder,
    how: _Scoring,
    limit: float | None,
    maps: _Maps | None,
    part: CollectionPart,
    listed: Listing,
) -> PartDone:
    images.require_seen()
    name = f"part-{part.number:05d}.parquet"
    scorer = Scorer(images.model(), how.method, None, how.samples, how.seed, how.fitted)
    chunks = Chunks(images.model(), images.images(listed))
    with folder.staged() as new, nullcontext() if maps is None else maps.folder.staged() as drawn:
        found = list(scored(scorer, chunks, how.normal, drawn, 0.0 if maps is None else maps.white))
        write_scores(new / name, found, limit)
    return PartDone(sum(len(each.scores) for each in found), name, notices=chunks.notices)


def _scores_of(folder: OutFolder, name: str) -> np.ndarray:
    """The scores of a part."""
    from pyarrow import parquet

    with folder.open(name) as file:
        values: np.ndarray = parquet.read_table(file, columns=["score"])["score"].to_numpy()
    return values


def _labels(folder: PartsFolder) -> Iterator[str | None]:
    """The labels of the parts that have any."""
    from pyarrow import parquet

    for name in folder.files():
        with folder.out.open(name) as file:
            opened = parquet.ParquetFile(file)
            if "label" in opened.schema_arrow.names:
                yield from opened.read(columns=["label"])["label"].to_pylist()


def _decide(folder: OutFolder, name: str, threshold: Threshold) -> None:
    """Adds the decisions to a part that has none."""
    from pyarrow import parquet

    with folder.open(name) as file:
        table = parquet.read_table(file)
    if "anomaly" not in table.column_names:
        columns = {name: table[name].to_pylist() for name in table.column_names}
        columns["score"] = table["score"].to_numpy()
        with folder.staged() as new, rows_to(new / name) as rows:
            rows.add({**columns, "anomaly": decisions(columns["score"], threshold.value)})
