"""Which arrays of a mapping are images and labels, by their usual names."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from autoencode.errors import DataError

IMAGES = frozenset(["x", "image", "images", "img", "imgs", "data", "pixel_values", "samples"])
LABELS = frozenset(["y", "label", "labels", "target", "targets", "class", "classes"])
PARTS = {
    "train": "train",
    "training": "train",
    "val": "validation",
    "valid": "validation",
    "validation": "validation",
    "dev": "validation",
    "test": "test",
    "tests": "test",
    "testing": "test",
    "eval": "test",
    "evaluation": "test",
}


def item_keys(names: Iterable[str], what: str) -> tuple[str, str | None]:
    """The keys of the image and of the label (or None) in an item of a data set.

    Raises:
        DataError: no key is the name of an image.
    """
    by_name = {name.lower(): name for name in names if isinstance(name, str)}
    image = next((by_name[n] for n in by_name if n in IMAGES), None)
    if image is None:
        raise DataError(
            f"{what} has the keys {', '.join(map(str, names))}, and none is the name of an image",
            f"Name it one of {', '.join(sorted(IMAGES))}.",
        )
    return image, next((by_name[n] for n in by_name if n in LABELS), None)


def raw_parts(
    mapping: Mapping[str, Any], what: str
) -> tuple[dict[str, tuple[Any, Any]], tuple[str, ...]]:
    """The images and labels (or None) of each part of a mapping, and a notice about unused arrays.

    Known names are x and y, images and labels, x_train and y_test, train_images and so on; a single
    array is always the images.

    >>> raw_parts({"x_train": 1, "y_train": 2, "x_test": 3}, "")
    ({'train': (1, 2), 'test': (3, None)}, ())

    Raises:
        DataError: the names do not show which array contains the images.
    """
    if len(mapping) == 1:
        return {"all": (next(iter(mapping.values())), None)}, ()
    images: dict[str, str] = {}
    labels: dict[str, str] = {}
    unused = []
    for name in mapping:
        words = name.lower().split("_")
        part = next((PARTS[w] for w in words if w in PARTS), "all")
        rest = "_".join(w for w in words if w not in PARTS)
        names = images if rest in IMAGES else labels if rest in LABELS else None
        if names is None or names.setdefault(part, name) != name:
            unused.append(name)
    if not images or ("all" in images and len(images) > 1):
        raise DataError(
            f"{what} contains {', '.join(mapping) or 'no arrays'}, and the images are not clear",
            "Name the arrays x and y, or x_train, y_train, x_test and y_test.",
        )
    parts = {
        part: (mapping[x], mapping[labels[part]] if part in labels else None)
        for part, x in images.items()
    }
    notice = f"{what} also contains {', '.join(unused)}, which are not used."
    return parts, (notice,) if unused else ()
