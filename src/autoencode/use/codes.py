"""Codes of data as files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from autoencode.errors import AutoencodeError, RecipeError
from autoencode.use.chunks import Chunks, joined, labels_of, measured, names_of
from autoencode.use.files import array_to, arrays_to, refuse_existing, rows_to

ENDINGS = (".csv", ".parquet", ".npy", ".npz")


def write_codes(
    model: Any,
    data: Any,
    out: str | Path,
    scale: bool = False,
    overwrite: bool = False,
    **options: Any,
) -> tuple[int, tuple[str, ...]]:
    """Encode data and write the codes, with the names of the examples, to a file.

    data, options: as of `load_data`; also loaded data, of which the test part is used, or a part.
    out: .csv or .parquet: columns name, label (if there are labels) and z1 … zd, one row for each
        example; .npz: arrays name, label and z [N, *Z]; .npy: the codes alone, [N, *Z].
    scale: write the standard deviations of the posterior too: s1 … sd, or the array s.

    Codes are deterministic: the mean of the posterior. The file appears when it is complete;
    memory does not grow with the number of images in a folder.

    Returns the number of examples and sentences on what was converted or skipped.

    Raises:
        AutoencodeError: `out` exists or has an unknown ending.
        DataError: the data do not fit the model.
        RecipeError: `scale` for a model without a posterior.
    """
    path = Path(out)
    if path.suffix.lower() not in ENDINGS:
        raise AutoencodeError(f"{path} has an unknown ending", f"Choose one of: {_listed()}.")
    refuse_existing(path, overwrite)
    chunks = Chunks(model, data, **options)
    done = 0

    def encoded(x: Tensor, context: Tensor | None) -> tuple[Tensor, Tensor | None]:
        code = model.encode(x, context)
        return code.z, _deviation(code.q) if scale else None

    def pieces() -> Any:
        nonlocal done
        for chunk in chunks.each("embedding"):
            found = measured(model, chunk.test, encoded)
            z = joined([each for each, _ in found]).numpy()
            s = joined([each for _, each in found if each is not None]).numpy() if scale else None
            yield names_of(chunk.test, done), labels_of(chunk), z, s
            done += len(z)

    _WRITERS[path.suffix.lower()](path, overwrite, pieces())
    return done, chunks.notices


def _listed() -> str:
    return ", ".join(ENDINGS)


def _deviation(q: Any) -> Tensor:
    """The standard deviation of a posterior q, [B, *Z]."""
    try:
        if q is None:
            raise NotImplementedError
        return torch.as_tensor(q.stddev)
    except NotImplementedError as error:
        raise RecipeError(
            "This model has no posterior with a standard deviation", "Leave out --scale."
        ) from error


def _write_rows(path: Path, overwrite: bool, pieces: Any) -> None:
    with rows_to(path, overwrite) as rows:
        for names, labels, z, s in pieces:
            columns: dict[str, Sequence[Any] | np.ndarray] = {"name": names}
            if labels is not None:
                columns["label"] = labels
            for letter, values in (("z", z), ("s", s)):
                if values is not None:
                    flat = values.reshape(len(values), -1)
                    columns |= {f"{letter}{i + 1}": flat[:, i] for i in range(flat.shape[1])}
            rows.add(columns)


def _write_array(path: Path, overwrite: bool, pieces: Any) -> None:
    with array_to(path, overwrite) as array:
        for _, _, z, s in pieces:
            if s is not None:
                raise AutoencodeError(
                    "An .npy file holds the codes alone",
                    f"Leave out --scale, or write {path.with_suffix('.npz')}.",
                )
            array.add(z)


def _write_arrays(path: Path, overwrite: bool, pieces: Any) -> None:
    names: list[str] = []
    labels: list[str | None] = []
    with arrays_to(path, overwrite) as arrays:
        for own, classes, z, s in pieces:
            names += own
            labels += classes or []
            arrays["z"].add(z)
            if s is not None:
                arrays["s"].add(s)
        # Texts need the length of the longest.
        arrays["name"].add(np.array(names, str))
        if labels:
            arrays["label"].add(np.array([label or "" for label in labels], str))


_WRITERS = {
    ".csv": _write_rows,
    ".parquet": _write_rows,
    ".npy": _write_array,
    ".npz": _write_arrays,
}
