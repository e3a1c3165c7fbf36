"""From the body of a request to the preprocessed examples of a model."""

from __future__ import annotations

import json
import math
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

import numpy as np
import torch
from torch import Tensor

from autoencode.data import Preprocessing
from autoencode.data.read.npy import MAGIC, parse_npy
from autoencode.data.uploaded import Upload, count_pixels, load_uploaded
from autoencode.errors import DataError, did_you_mean
from autoencode.use.generation import class_number
from autoencode.use.service.limits import Refusal, ServiceLimits, too_large
from autoencode.use.service.operations import ModelCall, checked
from autoencode.use.service.served import ServedModel

BODY_KEYS = ("rows", "images", "labels", "vectors")
GENERATE_KEYS = ("n", "label", "codes", "vectors", "temperature", "seed")
MAX_SEED = 2**31


@dataclass(frozen=True)
class Body:
    """The content of a request, not yet decoded.

    files: uploaded images.   content: the body itself, where it is no form.
    kind: "json", "form" or "bytes".   labels: of the fields of a form, or of the address.
    """

    kind: str
    content: bytes = b""
    files: Sequence[Upload] = ()
    labels: Sequence[str] = ()


@dataclass(frozen=True)
class ReadRequest:
    """A request that was read: the work, the units of its examples, and what was converted."""

    work: ModelCall
    preprocessing: Preprocessing
    notices: tuple[str, ...] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)


def read_examples(
    served: ServedModel, operation: str, body: Body, limits: ServiceLimits
) -> ReadRequest:
    """The examples of a body, preprocessed as in the training of a model.

    Raises:
        Refusal: the body is malformed or over a limit.
        DataError: the examples do not fit the model.
    """
    source, given = _source(served, body, limits)
    known = served.preprocessing
    if isinstance(source, np.ndarray) and source.ndim == 0:
        raise DataError("The array has no axes", "Send examples along its first axis.")
    if len(source) == 0:
        raise DataError("The request has no examples", "Send at least one.")
    n = len(source)
    _check_number(n, served, limits)
    with np.errstate(all="ignore"):  # what becomes infinite is refused
        data = load_uploaded(source, known)
    context = _context(served, operation, given, n)
    work = ModelCall(served, operation, n, data.test.x, context)
    checked(work)
    return ReadRequest(work, data.preprocessing or known, data.notices)


def read_drawing(served: ServedModel, content: bytes, limits: ServiceLimits) -> ReadRequest:
    """What a request for generated examples asks for.

    Raises:
        Refusal: the body is malformed or over a limit.
        DataError: a value is out of range, or does not fit the model.
    """
    given = _object(content, GENERATE_KEYS) if content.strip() else {}
    n = given.get("n", 1)
    codes = given.get("codes")
    if codes is not None:
        if "n" in given:
            raise DataError("n and codes are given", "Leave out one of them.")
        z = _array(codes, "codes")
        z = z[None] if z.ndim == 1 else z
        n = len(z)
        latent = served.model.sizes.latent
        if not z.size or math.prod(z.shape[1:]) != latent or not np.isfinite(z).all():
            raise DataError(
                f"The codes have the shape {list(z.shape)} or are not finite, and the model has "
                f"{latent} latent dimensions",
                f"Give [n, {latent}] finite numbers.",
            )
        with np.errstate(all="ignore"):
            codes = torch.from_numpy(z.astype(np.float32).reshape(n, latent))
        if not torch.isfinite(codes).all():
            raise DataError("The codes are too large for float32", "Give smaller ones.")
    if not _is_integer(n) or n < 1:
        raise DataError(f"n is {json.dumps(n)[:40]}", "Give a positive integer.")
    _check_number(n, served, limits)
    seed = given.get("seed")
    seed = secrets.randbelow(MAX_SEED) if seed is None else seed
    if not _is_integer(seed) or not 0 <= seed < MAX_SEED:
        raise DataError("The seed is not in range", f"Give an integer from 0 to {MAX_SEED - 1}.")
    temperature = given.get("temperature", 1.0)
    if isinstance(temperature, bool) or not isinstance(temperature, int | float):
        raise DataError("The temperature is no number", "Give a number from 0 to 100.")
    condition = served.condition("generate")
    label, vectors = given.get("label"), given.get("vectors")
    if label is not None:
        if condition != "labels":
            raise DataError("This model is not conditioned on labels", "Leave out label.")
        label = served.preprocessing.classes[_class(served, label)]
    context = None
    if condition == "vectors" or vectors is not None:
        context = _vectors(served, condition, vectors, n)
    drawing = {
        "label": label,
        "code": codes,
        "temperature": float(temperature) if abs(temperature) < 1e6 else 1e6,
        "seed": seed,
    }
    work = ModelCall(served, "generate", n, None, context, drawing)
    return ReadRequest(work, served.preprocessing, (), {"seed": seed} if codes is None else {})


def _source(
    served: ServedModel, body: Body, limits: ServiceLimits
) -> tuple[Any, Mapping[str, Any]]:
    """What `load_uploaded` takes, and the labels or vectors."""
    given: Mapping[str, Any] = {"labels": list(body.labels)} if body.labels else {}
    if body.kind == "json":
        content = _object(body.content, BODY_KEYS)
        if given:
            raise DataError("Labels are in the address, and the body is JSON", "Use labels in it.")
        source = _json_source(served, content, limits)
        return source, {key: content[key] for key in ("labels", "vectors") if key in content}
    if body.kind == "bytes" and body.content[: len(MAGIC)] == MAGIC:
        return parse_npy(body.content, "The body"), given
    files = body.files if body.kind == "form" else [Upload("", body.content)]
    if not files:
        raise DataError("The form has no file", "Send images as files of the field images.")
    _check_number(len(files), served, limits)
    pixels = count_pixels(files)
    if pixels > limits.max_pixels:
        raise too_large(
            f"The images have {pixels:,} pixels together, and at most {limits.max_pixels:,} are "
            "accepted."
        )
    return list(files), given


def _json_source(served: ServedModel, content: Mapping[str, Any], limits: ServiceLimits) -> Any:
    """The rows or images of a JSON object."""
    keys = [key for key in ("rows", "images") if key in content]
    if len(keys) != 1:
        raise DataError('The body has no "rows" and no "images", or both', "Give one of them.")
    values = content[keys[0]]
    if not isinstance(values, list):
        raise DataError(f'"{keys[0]}" is no list', "Give a list of examples.")
    _check_number(len(values), served, limits)
    if keys[0] == "rows" and any(isinstance(row, dict) for row in values):
        return _columns(served, values)
    array = _array(values, keys[0])
    return array if served.preprocessing.is_table else _typed(array, served.preprocessing.raw_type)


def _columns(served: ServedModel, rows: Sequence[Any]) -> Any:
    """Rows by name as a table; a cell that is absent is a missing value."""
    if not served.preprocessing.is_table:
        raise DataError("The examples of this model have no names of columns", "Give arrays.")
    if not all(isinstance(row, dict) for row in rows):
        raise DataError("Some rows have names of columns, and others have none", "Give all names.")
    names = dict.fromkeys(name for row in rows for name in row)
    for i, row in enumerate(rows):
        for name, cell in row.items():
            if isinstance(cell, list | dict):
                raise DataError(
                    f'Row {i}: the cell of column "{name}" is a list', "Give numbers and texts."
                )
    import pandas as pd

    return pd.DataFrame({name: [row.get(name) for row in rows] for name in names})


def _array(values: Any, what: str) -> np.ndarray:
    """Nested lists of numbers as an array; null is a missing value, NaN.

    Raises:
        DataError: they are ragged, or hold other values.
    """
    try:
        array = np.asarray(values)
        if array.dtype == object and _only_numbers(values):
            array = array.astype(np.float64)
    except (ValueError, TypeError, OverflowError) as error:
        raise DataError(
            f'"{what}" is no array of numbers', "Give nested lists of one shape."
        ) from error
    if array.dtype.kind not in "biuf":
        raise DataError(f'"{what}" is no array of numbers', "Give nested lists of numbers.")
    return array


def _only_numbers(values: Any) -> bool:
    if isinstance(values, list):
        return all(map(_only_numbers, values))
    return values is None or isinstance(values, int | float)


def _typed(values: np.ndarray, raw_type: str) -> np.ndarray:
    """Numbers from JSON, which has no types, in the type of the training data where they fit."""
    kind = np.dtype(raw_type)
    with np.errstate(all="ignore"):
        cast = values.astype(kind)
        # A float becomes the nearest one of the type.
        return cast if kind.kind == "f" or np.array_equal(cast, values) else values


def _context(
    served: ServedModel, operation: str, given: Mapping[str, Any], n: int
) -> Tensor | None:
    """Labels [n] or vectors [n, C] for a conditional model; None for another."""
    condition = served.condition(operation)
    for key in given:
        if key != condition:
            raise DataError(f"This model is not conditioned on {key}", f"Leave out {key}.")
    if condition == "vectors":
        return _vectors(served, condition, given.get("vectors"), n)
    if not condition:
        return None
    labels = given.get("labels")
    if isinstance(labels, list) and len(labels) == 1:
        labels = labels * n
    if not isinstance(labels, list) or len(labels) != n:
        found = f"{len(labels)} were given" if isinstance(labels, list) else "none were given"
        raise DataError(
            f"The model is conditioned on labels, and {found} for {n} examples",
            "Give labels: one for each example, or one for all.",
        )
    return torch.tensor([_class(served, label) for label in labels])


def _class(served: ServedModel, label: Any) -> int:
    if isinstance(label, list | dict):
        raise DataError("A label is a list", "Give the name of a class.")
    return class_number(served.preprocessing.classes, label)


def _vectors(served: ServedModel, condition: str, given: Any, n: int) -> Tensor:
    """The vectors [n, C] that condition a model."""
    if condition != "vectors":
        raise DataError("This model is not conditioned on vectors", "Leave out vectors.")
    width = served.model.sizes.context
    vectors = _array([] if given is None else given, "vectors")
    with np.errstate(all="ignore"):
        vectors = vectors.astype(np.float32)
    if vectors.shape != (n, width) or not np.isfinite(vectors).all():
        raise DataError(
            f"The model is conditioned on vectors, and those given have the shape "
            f"{list(vectors.shape)} or are not finite",
            f"Give vectors of shape [{n}, {width}].",
        )
    return torch.from_numpy(vectors)


def _object(content: bytes, keys: Sequence[str]) -> dict[str, Any]:
    """The JSON object of a body.

    Raises:
        Refusal: it is no JSON object.
        DataError: it has an unknown key.
    """
    try:
        found = json.loads(content, parse_constant=_no_constant)
        if b"\\u" in content:  # half of a pair of escapes is no text
            json.dumps(found, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as error:
        why = str(error)[:200] if isinstance(error, ValueError) else "it is nested too deeply"
        raise Refusal(HTTPStatus.BAD_REQUEST, f"The body is no valid JSON: {why}.") from error
    if not isinstance(found, dict):
        raise Refusal(HTTPStatus.BAD_REQUEST, "The body is no JSON object.")
    for key in found:
        if key not in keys:
            raise DataError(f'There is no "{key[:40]}" in this request', did_you_mean(key, keys))
    return found


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON; a missing value is null")


def _is_integer(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _check_number(n: int, served: ServedModel, limits: ServiceLimits) -> None:
    most = served.max_examples(limits)
    if n > most:
        raise too_large(f"The request is for {n:,} examples, and at most {most:,} are accepted.")
