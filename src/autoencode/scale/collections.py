"""Large collections of images: their codes as parts that many workers write."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

from autoencode.data.read.chunks import FolderChunks, image_chunks
from autoencode.errors import AutoencodeError, Interrupted, ResourceError, RunError
from autoencode.io.progress import Bar
from autoencode.io.signals import StopSignals
from autoencode.io.store import read_json, write_json, writing
from autoencode.models.new_data import preprocessing_of
from autoencode.models.run import open_run
from autoencode.use.codes import write_codes

if TYPE_CHECKING:
    from distributed import Client

PLAN, MANIFEST = "plan.json", "manifest.json"
# Images in a part: of small ones, some seconds of work.
PART_SIZE = 10_000
POLL_SECONDS = 0.2


@dataclass(frozen=True)
class CollectionPart:
    """A part of a collection: images `start` to `stop` of the sorted files, and where it goes."""

    run: Path
    source: Path
    options: Mapping[str, Any]
    start: int
    stop: int
    out: Path
    scale: bool


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

    Each part is written whole or not at all, by one worker at a time, and is not written again: the
    same call goes on where it was stopped, and each image has one row, whichever workers die.
    `manifest.json` is written last and lists the parts; columns are as of `use.codes.write_codes`.

    run: the folder of a run.   source, options: as of `load_data`; all workers see run, source and
        out under these names.
    out: the folder.   part_size: images in a part.   scale: as of `write_codes`.
    workers, cluster: as of `fit_many`.

    Returns the number of rows and sentences on what was converted or skipped.

    Raises:
        AutoencodeError: `out` has files of another kind or another collection, or pyarrow is not
            installed.
        DataError: the source is no folder of images, or does not fit the model.
        RunError: the cluster cannot be reached or is lost.
        Interrupted: Ctrl-C or SIGTERM; complete parts stay.
    """
    from autoencode.scale.cluster import connected
    from autoencode.scale.jobs import cores

    folder, origin, model = Path(out), Path(source).absolute(), Path(run).absolute()
    chunks = _images(model, origin, options)
    if chunks is None:
        raise AutoencodeError(
            f"{source} is no folder or archive of images, and only these are written in parts",
            "Write one file: --out codes.parquet, without --workers and --cluster.",
        )
    count = chunks.count()
    _begin(folder, model, origin, options, count, part_size, scale)
    parts = [
        CollectionPart(
            model,
            origin,
            options,
            start,
            min(start + part_size, count),
            folder.absolute() / f"part-{number:05d}.parquet",
            scale,
        )
        for number, start in enumerate(range(0, count, part_size))
    ]
    missing = [part for part in parts if not part.out.exists()]
    said: dict[str, None] = {}
    if missing:
        with connected(cluster, min(workers or cores(), len(missing))) as client:
            _write_all(client, missing, len(parts), lambda texts: said.update(dict.fromkeys(texts)))
    rows = [_rows(part.out) for part in parts]
    listed = [
        {"file": part.out.name, "start": part.start, "stop": part.stop, "rows": n}
        for part, n in zip(parts, rows, strict=True)
    ]
    write_json(folder / MANIFEST, {"images": count, "rows": sum(rows), "parts": listed})
    return sum(rows), tuple(said)


def _images(run: Path, source: Path, options: Mapping[str, Any]) -> FolderChunks | None:
    preprocessing = preprocessing_of(_model(run))
    return image_chunks(source, preprocessing.shape, preprocessing.raw_shape, options)


@cache
def _model(run: Path) -> Any:
    return open_run(run).load_model()


def _begin(
    folder: Path,
    run: Path,
    source: Path,
    options: Mapping[str, Any],
    count: int,
    part_size: int,
    scale: bool,
) -> None:
    """Makes the folder with the plan of its parts, or checks that it is that of this call."""
    weights = sha256((run / "weights.safetensors").read_bytes()).hexdigest()
    plan = {
        "weights": weights,
        "source": str(source),
        "options": dict(options),
        "images": count,
        "part_size": part_size,
        "scale": scale,
    }
    plan = json.loads(json.dumps(plan, default=str))
    if folder.exists() and not folder.is_dir():
        raise AutoencodeError(f"{folder} is a file, and parts need a folder", "Choose another.")
    if (folder / PLAN).exists():
        found = read_json(folder / PLAN)
        other = [key for key, value in plan.items() if found.get(key) != value]
        if other:
            raise AutoencodeError(
                f"{folder} holds parts of a collection with another {other[0].replace('_', ' ')}: "
                f"{found.get(other[0])}, and {plan[other[0]]} was given",
                "Give the same to go on, or choose another folder: --out.",
            )
        return
    if folder.is_dir() and any(folder.iterdir()):
        raise AutoencodeError(
            f"{folder} has files of another kind", "Choose another folder: --out."
        )
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        write_json(folder / PLAN, plan)


def _write_all(
    client: Client, parts: list[CollectionPart], total: int, note: Callable[[tuple[str, ...]], None]
) -> None:
    from distributed import CancelledError, KilledWorker, wait

    from autoencode.scale.dispatch import lost

    futures = {client.submit(_write, part, pure=False) for part in parts}
    with Bar("embedding, parts", total) as bar, StopSignals() as signals:
        bar.update(total - len(parts))
        while futures:
            if signals.received is not None:
                client.cancel(list(futures))
                raise Interrupted(
                    f"Stopped with {total - len(futures)} of {total} parts written",
                    "Give the same again to go on.",
                    signal=signals.received,
                )
            try:
                with client.as_current():
                    wait(futures, timeout=POLL_SECONDS, return_when="FIRST_COMPLETED")
            except TimeoutError:
                continue
            except CancelledError as error:
                raise lost(client) from error
            for future in [each for each in futures if each.done()]:
                futures.discard(future)
                failed = future.exception() if future.status == "error" else None
                if isinstance(failed, KilledWorker):
                    raise ResourceError(
                        "The process of a part was ended each time it was begun, as happens when "
                        "memory runs out",
                        "Use fewer workers; complete parts stay.",
                    )
                if failed is not None:
                    raise failed if isinstance(failed, AutoencodeError) else RunError(str(failed))
                if future.status != "finished":
                    raise lost(client)
                note(future.result())
                bar.update(1)


def _write(part: CollectionPart) -> tuple[str, ...]:
    """Writes one part in a worker; returns what was converted or skipped."""
    import torch

    torch.set_num_threads(1)
    if part.out.exists():  # a worker that was taken for dead has written it
        return ()
    chunks = _images(part.run, part.source, part.options)
    assert chunks is not None
    chunks.only = slice(part.start, part.stop)
    _, notices = write_codes(_model(part.run), chunks, part.out, part.scale, overwrite=True)
    return notices


def _rows(part: Path) -> int:
    from pyarrow import parquet

    return int(parquet.read_metadata(part).num_rows)
