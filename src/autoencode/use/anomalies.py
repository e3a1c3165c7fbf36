"""Anomalies in data: scores, a threshold and decisions as a file, and figures of labelled data."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import numpy as np
import torch

from autoencode.arguments import Within, check_value
from autoencode.data import Data, Split, scaled
from autoencode.errors import AutoencodeError, DataError, did_you_mean
from autoencode.models.inference import reconstruct
from autoencode.use.chunks import Chunks, labels_of, names_of
from autoencode.use.files import TABLES, Folder, folder_to, refuse_existing, rows_to
from autoencode.use.scores import SAMPLES, Method, Scorer

Share = Annotated[float, Within(0.0, 1.0)]
# Normal examples of the validation part below the threshold.
QUANTILE = 0.95
# Draws of the bootstrap, and the part of them between the ends of an interval.
DRAWS, LEVEL = 1_000, 0.95
# Fewer validation examples do not tell the quantile.
FEW = 50


class Rate(NamedTuple):
    """A figure with the ends of its 95 % interval, from bootstraps within normal and anomalous."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.4f} (95 % interval {self.low:.4f} to {self.high:.4f})"


@dataclass(frozen=True)
class Anomalies:
    """What `write_anomalies` has found.

    n: number of examples.   flagged: number of those with a score above the threshold.
    threshold: its value.   origin: where it comes from, in words.
    auroc, average_precision: None without labels of both kinds.
    normal: names of the normal classes, where labels are compared with them.
    notices: what was converted or skipped.
    """

    n: int
    flagged: int
    threshold: float
    origin: str
    auroc: Rate | None = None
    average_precision: Rate | None = None
    normal: tuple[str, ...] = ()
    notices: tuple[str, ...] = field(default=())


def write_anomalies(
    model: Any,
    data: Any,
    out: str | Path,
    training: Data | None = None,
    method: Method = "reconstruction",
    quantile: float = QUANTILE,
    contamination: float | None = None,
    normal: Sequence[str] = (),
    maps: str | Path | None = None,
    samples: int = SAMPLES,
    seed: int = 0,
    overwrite: bool = False,
    **options: Any,
) -> Anomalies:
    """Score examples and write name, label, score and decision to a .csv or .parquet file.

    data, options: as of `load_data`; or loaded data, of which the test part is used.
    training: the data that the model was trained on: the threshold is the `quantile` of the scores
        of their validation part, and some methods compare with their training part.
    method: the score, see `autoencode.score`.
    contamination: the share of `data` that are anomalies; the threshold then follows from it.
    normal: names of the normal classes; with labels of both kinds, AUROC and average precision are
        measured.
    maps: folder for an image of each image's squared errors per pixel, summed over channels; white
        is the 99.9 % quantile of the validation part, or of the data without it.

    Raises:
        AutoencodeError: `out` exists or has an unknown ending.
        DataError: the data do not fit the model, `training` is needed, or no class has the name.
    """
    path = Path(out)
    check_value(quantile, Share, "quantile")
    check_value(contamination, Share | None, "contamination")
    refuse_existing(path, overwrite)
    if path.suffix.lower() not in TABLES:
        raise AutoencodeError(f"{path} has an unknown ending", "Choose .csv or .parquet.")
    scorer = Scorer(model, method, None if training is None else training.train, samples, seed)
    threshold = None if contamination is not None else threshold_of(scorer, training, quantile)
    white = 0.0 if maps is None else white_of(model, training)
    chunks = Chunks(model, data, **options)
    found = list(scored(scorer, chunks, normal, None if maps is None else Path(maps), white))
    scores = np.concatenate([each.scores for each in found])
    if threshold is None:
        assert contamination is not None  # else there is a threshold
        threshold = threshold_within(scores, contamination)
    write_scores(path, found, threshold.value, overwrite)
    labels = None
    if all(each.labels is not None for each in found):
        labels = [label for each in found for label in each.labels or ()]
    return summed_up(scores, labels, threshold, normal, chunks.notices, seed)


class Scored(NamedTuple):
    """Scores of a chunk of examples, with their names, and their labels where there are any."""

    names: list[str]
    labels: list[str | None] | None
    scores: np.ndarray


class Threshold(NamedTuple):
    """The score above which an example is an anomaly, and where it comes from, in words."""

    value: float
    origin: str


def threshold_within(scores: np.ndarray, contamination: float) -> Threshold:
    """The threshold that this share of the scores is above."""
    share = 1 - contamination
    return Threshold(float(np.quantile(scores, share)), f"the {share:.0%} quantile of these scores")


def write_scores(
    path: Path, found: Iterable[Scored], limit: float | None, overwrite: bool = False
) -> None:
    """Write names, labels, scores, and decisions where the threshold is known, to a table."""
    with rows_to(path, overwrite) as rows:
        for each in found:
            columns: dict[str, Any] = {"name": each.names}
            if each.labels is not None:
                columns["label"] = each.labels
            columns["score"] = each.scores
            if limit is not None:
                columns["anomaly"] = decisions(each.scores, limit)
            rows.add(columns)


def decisions(scores: np.ndarray, limit: float) -> np.ndarray:
    """1 for scores above the threshold, else 0: int8."""
    return (scores > limit).astype(np.int8)


def summed_up(
    scores: np.ndarray,
    labels: Sequence[str | None] | None,
    threshold: Threshold,
    normal: Sequence[str],
    notices: tuple[str, ...],
    seed: int,
) -> Anomalies:
    """The figures of all scores, [N], with the names of their classes where they are known."""
    truth = _truth(labels, normal)
    rates: tuple[Rate | None, Rate | None] = (None, None)
    if truth is not None:
        known = truth >= 0
        rates = rates_of(scores[known], truth[known] == 1, seed)
    flagged = int(decisions(scores, threshold.value).sum(dtype=np.int64))
    return Anomalies(len(scores), flagged, *threshold, *rates, tuple(normal), notices)


def threshold_of(scorer: Scorer, training: Data | None, quantile: float) -> Threshold:
    """The threshold from the scores of the validation part.

    Raises:
        DataError: there is no validation part.
    """
    if training is None or not len(training.validation):
        raise DataError(
            "The threshold is a quantile of the validation part, which cannot be loaded",
            "Give the share of anomalies: --contamination 0.1 (contamination=0.1).",
        )
    scores = scorer(training.validation)
    n = len(scores)
    few = f", which are few (fewer than {FEW})" if n < FEW else ""
    origin = f"the {quantile:.0%} quantile of {n:,} validation examples{few}"
    return Threshold(float(np.quantile(scores, quantile)), origin)


def scored(
    scorer: Scorer, chunks: Chunks, normal: Sequence[str], maps: Path | None, white: float
) -> Iterator[Scored]:
    """The scores of all examples, chunk by chunk.

    maps, white: folder of the maps, and the error that is white in them, 0 to take that of the
        first chunk.

    Raises:
        DataError: no class has a name of `normal`.
    """
    if maps is None:
        yield from _rows(scorer, chunks, normal, None, white)
        return
    with folder_to(maps, overwrite=False) as folder:
        yield from _rows(scorer, chunks, normal, folder, white)


def _rows(
    scorer: Scorer, chunks: Chunks, normal: Sequence[str], folder: Folder | None, white: float
) -> Iterator[Scored]:
    n = 0
    for chunk in chunks.each("scoring"):
        for name in normal:
            if chunk.classes and name not in chunk.classes:
                raise DataError(
                    f'normal: there is no class "{name}"', did_you_mean(name, chunk.classes)
                )
        names = names_of(chunk.test, n)
        n += len(names)
        if folder is not None:
            errors = _errors(scorer.model, chunk.test)
            white = white or float(np.quantile(errors, 0.999))
            for name, error in zip(names, errors, strict=True):
                folder.write(f"{posixpath.splitext(name)[0]}.png", heat(error, white))
        yield Scored(names, labels_of(chunk), scorer(chunk.test))


def _errors(model: Any, part: Split) -> np.ndarray:
    """Squared errors per pixel, summed over channels: [n, H, W]."""
    from autoencode.models.conditions import conditioning

    x = scaled(part.x).float()
    error = (x - reconstruct(model, part.x, conditioning(model.recipe, part)).cpu()).square()
    found: np.ndarray = (error if error.dim() == 3 else error.sum(1)).numpy()
    return found


def white_of(model: Any, training: Data | None) -> float:
    """The error that is white in maps, from the validation part; 0 without one.

    Raises:
        AutoencodeError: the model is not of images.
    """
    if model.sizes.image is None:
        raise AutoencodeError("Maps are for images, and the model is of rows", "Leave out --maps.")
    part = None if training is None else training.validation
    if part is None or not len(part):
        return 0.0
    order = torch.arange(min(len(part), 1000))
    some = Split(part.x[order], None if part.y is None else part.y[order])
    return float(np.quantile(_errors(model, some), 0.999))


def heat(error: np.ndarray, white: float) -> bytes:
    """Values [H, W] as a PNG, from black over red to light yellow at `white` and above."""
    from io import BytesIO

    from PIL import Image, ImageOps

    grey = np.rint(255 * np.clip(error / max(white, 1e-12), 0, 1)).astype(np.uint8)
    colours = ImageOps.colorize(Image.fromarray(grey), "#000004", "#fcffa4", "#bb3754")
    file = BytesIO()
    colours.save(file, "PNG")
    return file.getvalue()


def _truth(labels: Sequence[str | None] | None, normal: Sequence[str]) -> np.ndarray | None:
    """1 for anomalous, 0 for normal, −1 for unlabelled examples; None if nothing is to compare."""
    if not normal or labels is None:
        return None
    truth = np.array([-1 if y is None else int(y not in normal) for y in labels])
    return truth if {0, 1} <= set(truth.tolist()) else None


def rates_of(scores: np.ndarray, anomalous: np.ndarray, seed: int = 0) -> tuple[Rate, Rate]:
    """AUROC and average precision of scores [N] of normal and anomalous examples [N], bool.

    Intervals are percentiles of bootstraps within the normal and within the anomalous examples.
    AUROC is the probability that an anomaly has a higher score than a normal example.
    """
    from sklearn.metrics import average_precision_score, roc_auc_score

    draw = np.random.default_rng(seed)
    low, high = scores[~anomalous], scores[anomalous]
    # Large sets have narrow intervals, and need few draws.
    draws = min(DRAWS, max(100, 20_000_000 // len(scores)))
    found = []
    for _ in range(draws):
        normal, odd = draw.choice(low, len(low)), draw.choice(high, len(high))
        both = np.concatenate([normal, odd])
        truth = np.arange(len(both)) >= len(normal)
        found.append((roc_auc_score(truth, both), average_precision_score(truth, both)))
    tail = (1 - LEVEL) / 2
    ends = np.quantile(np.array(found), (tail, 1 - tail), axis=0)
    values = roc_auc_score(anomalous, scores), average_precision_score(anomalous, scores)
    auroc, precision = (
        Rate(float(v), float(a), float(b)) for v, a, b in zip(values, *ends, strict=True)
    )
    return auroc, precision
