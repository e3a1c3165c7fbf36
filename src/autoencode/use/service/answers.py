"""Results as JSON, as an .npy file or as a PNG image, as the client accepts them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from http import HTTPStatus
from io import BytesIO
from typing import Any

import numpy as np
import torch
from torch import Tensor

from autoencode.errors import DataError
from autoencode.use.examples import by_column, in_units
from autoencode.use.files import image_bytes
from autoencode.use.service.inputs import ReadRequest
from autoencode.use.service.limits import MAX_JSON_NUMBERS, Refusal

JSON, NPY, PNG = "application/json", "application/x-npy", "image/png"
KINDS = (JSON, NPY, PNG)


def accepted(header: str) -> str:
    """The kind of the answer that an Accept header prefers.

    >>> accepted("image/png, application/json;q=0.5"), accepted("*/*")
    ('image/png', 'application/json')

    Raises:
        Refusal: it accepts none of them.
    """
    wishes: dict[str, float] = {}
    for part in (header or "*/*").split(","):
        name, *parameters = (word.strip().lower() for word in part.split(";"))
        quality = next((p[2:] for p in parameters if p.startswith("q=")), "1")
        try:
            wishes[name] = float(quality)
        except ValueError:
            wishes[name] = 0.0

    def wish(kind: str) -> float:
        return wishes.get(kind, wishes.get(f"{kind.split('/')[0]}/*", wishes.get("*/*", 0.0)))

    best = max(KINDS, key=wish)  # the first of equals
    if not wish(best) > 0:
        raise _not_acceptable(f"Answers are {', '.join(KINDS)}, and Accept allows none of them.")
    return best


def check_answer(kind: str, request: ReadRequest) -> None:
    """Check before anything is computed that a result can be given as one kind.

    Raises:
        Refusal: it cannot.
    """
    work, known = request.work, request.preprocessing
    examples = work.operation in ("reconstruct", "generate")
    sizes = work.served.model.sizes
    numbers = {"score": 1, "embed": sizes.latent}.get(work.operation, sizes.pixels)
    if kind == JSON and work.n * numbers > MAX_JSON_NUMBERS:
        raise _not_acceptable(
            f"The answer has {work.n * numbers:,} numbers, and JSON answers have at most "
            f"{MAX_JSON_NUMBERS:,}. Ask for an array, Accept: {NPY}, or for fewer examples."
        )
    if kind == PNG and (not examples or sizes.image is None or work.n != 1):
        raise _not_acceptable(
            f"{PNG} is for one image, and this is {work.operation} of {work.n} examples. "
            f"Accept {JSON} or {NPY}."
        )
    if kind == NPY and examples and any(each.kind == "categorical" for each in known.columns):
        raise _not_acceptable(f"Rows with texts are no array of numbers. Accept {JSON}.")


def answer(kind: str, request: ReadRequest, result: Tensor) -> bytes:
    """The content of an answer.

    Raises:
        DataError: a result is not finite, because an input is extreme.
        Refusal: the image has a type of values that PNG lacks.
    """
    if not torch.isfinite(result).all():
        first = int((~torch.isfinite(result)).flatten(1).any(1).nonzero()[0]) if result.dim() else 0
        raise DataError(f"The result of example {first} is not finite", "Send less extreme values.")
    work, known = request.work, request.preprocessing
    operation = work.operation
    if operation in ("embed", "score"):
        array = result.numpy()
        if kind == NPY:
            return _npy(array)
        key = "codes" if operation == "embed" else "scores"
        more = {"unit": score_unit(work.served.model)} if operation == "score" else {}
        return _json({key: array.tolist(), **more}, request)
    with np.errstate(all="ignore"):
        raw = in_units(known, result)
    if kind == PNG:
        image = np.moveaxis(raw[0], -1, 0) if known.channels_last and raw.ndim == 4 else raw[0]
        return _png(image)
    if kind == NPY:
        return _npy(raw.astype(np.float64) if raw.dtype == object else raw)
    if known.is_table:
        columns = {
            name: values.tolist() if isinstance(values, np.ndarray) else values
            for name, values in by_column(known, raw).items()
        }
        rows = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
        return _json({"rows": rows}, request)
    key = "images" if work.served.model.sizes.image else "rows"
    return _json({key: raw.tolist(), "type": str(raw.dtype)}, request)


def score_unit(model: Any) -> str:
    """What a score is, in words."""
    return f"squared error, summed over the {model.sizes.pixels:,} preprocessed values"


def _png(image: np.ndarray) -> bytes:
    if image.dtype == bool:
        image = image.astype(np.uint8) * 255
    bands = len(image) if image.ndim == 3 else 1
    if not (image.dtype == np.uint8 and bands in (1, 3)) and not (
        image.dtype == np.uint16 and bands == 1
    ):
        raise _not_acceptable(
            f"PNG has no images with {bands} channels of {image.dtype}. Accept {NPY} or {JSON}."
        )
    return image_bytes(image, ".png")[0]


def _npy(array: np.ndarray) -> bytes:
    file = BytesIO()
    np.save(file, np.ascontiguousarray(array), allow_pickle=False)
    return file.getvalue()


def _json(content: Mapping[str, Any], request: ReadRequest) -> bytes:
    whole = {**content, **request.facts, "notices": list(request.notices)}
    try:
        return json.dumps(whole, allow_nan=False).encode()
    except ValueError as error:  # beyond float64 in the units of the data
        raise DataError("The result is not finite", "Send less extreme values.") from error


def _not_acceptable(sentence: str) -> Refusal:
    return Refusal(HTTPStatus.NOT_ACCEPTABLE, sentence)
