"""The export of trained models to files that run without this package."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any, Literal

from autoencode.arguments import check_value
from autoencode.data import Data
from autoencode.errors import AutoencodeError, ParityError
from autoencode.models.build import Model
from autoencode.models.new_data import preprocessing_of
from autoencode.models.run import Run, open_run
from autoencode.use.export_formats import (
    OPSET,
    onnx_bytes,
    require_onnx,
    run_onnx,
    run_torch,
    torch_bytes,
)
from autoencode.use.export_graph import ExportedPart, Part, raw_dtype, raw_shape
from autoencode.use.export_parity import BATCHES, largest_differences
from autoencode.use.files import refuse_existing, replacing
from autoencode.version import __version__

Format = Literal["onnx", "torch"]
ENDINGS: dict[Format, str] = {"onnx": ".onnx", "torch": ".pt2"}
# Of the differences of `largest_differences`; the second with weights in float16.
TOLERANCE, HALF_TOLERANCE = 1e-5, 1e-2


@dataclass(frozen=True)
class ExportedFile:
    """An exported file, and how it was checked.

    path: of the file.   size: its bytes.
    inputs, outputs: type and shape of each by its name, such as "uint8 [N, 28, 28]".
    differences: the largest difference of each output to the model, see `largest_differences`.
    tolerance: the largest difference that is accepted.
    examples: on what it was compared: "43 test examples" or "43 random examples".
    metadata: what stands in the file.
    notices: what the file leaves to its user, and why it was compared on random examples.
    """

    path: Path
    size: int
    inputs: Mapping[str, str]
    outputs: Mapping[str, str]
    differences: Mapping[str, float]
    tolerance: float
    examples: str
    metadata: Mapping[str, str]
    notices: tuple[str, ...]


def export(
    model: Model | Run | str | Path,
    out: str | Path,
    part: Part = "all",
    *,
    format: Format = "onnx",
    float16: bool = False,
    license: str = "",
    overwrite: bool = False,
) -> ExportedFile:
    """Write a trained model to one file that onnxruntime or PyTorch runs without this package.

    The file takes raw data in their own units, and gives reconstructions in these units: the
    preprocessing and its inverse are part of it. Only resizing stays outside. The number of
    examples is free.

    model: a trained model, a run, or the folder of a run.
    part: what the file computes. "all": "x" to "codes", "images" ("rows" for a table) and "score";
        "encoder": "x" to "codes"; "decoder": "codes" to "images"; "reconstruct": "x" to "images";
        "score": "x" to "score", the squared error summed over the preprocessed values. Conditional
        models take "labels" [N], int64, or "vectors" [N, C] too. Models that learn labels predict
        them: "all" and "encoder" give "probabilities" [N, K] too; with discrete codes these two
        give "indices" [N, groups], int64, too.
    format: "onnx", or "torch" for a .pt2 file of `torch.export`.
    float16: store weights in float16, for half of the size; computation stays in float32.
    license: a text for the metadata.   overwrite: replace the file that is there.

    The file is run and compared with the model before it is written, in batches of 1, 2, 7 and 33
    test examples of the run, or random ones. The same model gives the same bytes.

    Raises:
        AutoencodeError: `out` exists or has another ending than the format, a package is missing,
            or the network has an operator that cannot be exported.
        DataError: it is not known how the data of the model were preprocessed.
        ParityError: the file computes something else than the model; nothing is written.
        ResourceError: the model is larger than 2 GB (ONNX), or the disk is full.
        RunError: there is no such run, or its training has not finished.

    >>> import autoencode as ae
    >>> model = ae.fit("ae", "digits", latent=2, steps=10).model
    >>> ae.export(model, "ae.onnx", part="encoder").inputs
    {'x': 'float64 [N, 8, 8]'}
    """
    for value, kind, name in ((part, Part, "part"), (format, Format, "format")):
        check_value(value, kind, name)
    check_value(license, str, "license")
    path = Path(out)
    _check_request(path, format, float16)
    refuse_existing(path, overwrite)
    run = open_run(model) if isinstance(model, str | Path) else model
    data, notices = _data_of(run) if isinstance(run, Run) else (None, ())
    trained = run.load_model() if isinstance(run, Run) else run
    preprocessing = preprocessing_of(trained)
    exported = ExportedPart(trained, preprocessing, part)
    metadata = _metadata(exported, license, format, float16)
    if format == "onnx":
        content = onnx_bytes(exported, metadata, float16)
        runner = run_onnx(content)
    else:
        content = torch_bytes(exported, metadata)
        runner = run_torch(content)
    differences = largest_differences(trained, exported, runner, data)
    tolerance = HALF_TOLERANCE if float16 else TOLERANCE
    _check_parity(differences, tolerance, float16)
    with replacing(path, overwrite) as temporary:
        temporary.write_bytes(content)
    return ExportedFile(
        path,
        len(content),
        json.loads(metadata["inputs"]),
        json.loads(metadata["outputs"]),
        differences,
        tolerance,
        _compared_on(data),
        metadata,
        (*notices, *_notices(exported)),
    )


def _check_request(path: Path, format: Format, float16: bool) -> None:
    if path.suffix.lower() != ENDINGS[format]:
        other = next((name for name, end in ENDINGS.items() if end == path.suffix.lower()), None)
        choice = f', or --format {other} (format="{other}")' if other else ""
        raise AutoencodeError(
            f"{path} has not the ending of this format",
            f"Use --out {path.with_suffix(ENDINGS[format])}{choice}.",
        )
    if format == "torch" and float16:
        raise AutoencodeError(
            "A .pt2 file keeps the type of the weights",
            "Leave out --float16 (float16=True), or use --format onnx.",
        )
    if format == "onnx":
        require_onnx()


def _data_of(run: Run) -> tuple[Data | None, tuple[str, ...]]:
    """The data of a run with test examples; if they cannot be loaded, None and a sentence."""
    try:
        data = run.load_data()
    except AutoencodeError as error:
        notice = f"The data of the run cannot be loaded ({error.what}): random examples are used."
        return None, (notice,)
    return (data if len(data.test) else None), ()


def _compared_on(data: Data | None) -> str:
    n = sum(BATCHES)
    return f"{n} random examples" if data is None else f"{min(n, len(data.test))} test examples"


def _check_parity(differences: Mapping[str, float], tolerance: float, float16: bool) -> None:
    wrong = {name: value for name, value in differences.items() if not value <= tolerance}
    if wrong:
        which = ", ".join(f"{name} {value:.2g}" for name, value in wrong.items())
        raise ParityError(
            f"The exported file does not compute what the model computes: largest difference of "
            f"{which}, more than {tolerance:.0e}. Nothing was written",
            "Leave out --float16 (float16=True)."
            if float16
            else "Another version of onnxruntime or torch may be right; --format torch too.",
        )


def _notices(part: ExportedPart) -> tuple[str, ...]:
    preprocessing = preprocessing_of(part.model)
    if part.part == "decoder":
        return ()
    notices = []
    shape = preprocessing.shape
    if not preprocessing.is_table and preprocessing.raw_shape not in (None, shape):
        notices.append(
            f"Resizing is not part of the file: give images of {shape[-2]}×{shape[-1]} pixels."
        )
    elif len(shape) > 1 and preprocessing.raw_shape is None:
        notices.append(
            f"The images had several sizes, and resizing is not part of the file: give images of "
            f"{shape[-2]}×{shape[-1]} pixels."
        )
    if preprocessing.binarise:
        notices.append(
            "Pixels were drawn black or white by their grey value in training, which is not part "
            "of the file: grey values are used as they are."
        )
    return tuple(notices)


def _metadata(part: ExportedPart, license: str, format: Format, float16: bool) -> dict[str, str]:
    """What stands in the file: texts, and other values as JSON."""
    model, preprocessing = part.model, preprocessing_of(part.model)
    recipe = model.recipe.to_dict()
    # Of a custom network the name of its file, without the folder on this machine.
    recipe["network"]["kind"] = PurePath(recipe["network"]["kind"]).name
    raw = f"{raw_dtype(preprocessing)} {_shape(raw_shape(preprocessing))}"
    names = {
        "x": raw,
        "images": raw,
        "rows": raw,
        "codes": f"float32 {_shape(model.sizes.z)}",
        "score": "float32 [N]",
        "labels": "int64 [N]",
        "vectors": f"float32 {_shape((model.sizes.context,))}",
        "probabilities": f"float32 {_shape((model.sizes.context,))}",
        "indices": f"int64 {_shape((part.groups or 0,))}",
    }
    found: dict[str, Any] = {
        "recipe": recipe["name"],
        "recipe_json": recipe,
        "part": part.part,
        "inputs": {name: names[name] for name in part.inputs},
        "outputs": {name: names[name] for name in part.outputs},
        "classes": preprocessing.classes,
        "preprocessing": str(preprocessing),
        "score": "squared error, summed over the preprocessed values of an example",
        "space": model.space.value,
        "autoencode_version": __version__,
        "license": license,
        "weights": "float16" if float16 else "float32",
    }
    if format == "onnx":
        found["opset"] = OPSET
    if preprocessing.is_table:
        found["columns"] = [
            {"name": column.name, "kind": column.kind, "categories": column.categories}
            for column in preprocessing.columns
        ]
    else:
        found["value_range"] = [preprocessing.low, preprocessing.high]
    if model.sizes.image is not None:
        channels, height, width = model.sizes.image
        last = preprocessing.channels_last and len(preprocessing.shape) == 3
        found |= {"channels": channels, "height": height, "width": width}
        found["channels_last"] = last
    return {
        key: value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        for key, value in found.items()
    }


def _shape(shape: tuple[int, ...]) -> str:
    return f"[{', '.join(['N', *map(str, shape)])}]"
