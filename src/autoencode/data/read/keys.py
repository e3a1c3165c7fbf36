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
    "test": "test",
    "testing": "test",
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


def parts_by_key(names: Iterable[str], what: str) -> tuple[dict[str, list[str | None]], list[str]]:
    """The names of the images and labels of each part, and the names that are not used.

    Known are x and y, images and labels, x_train and y_test, train_images and so on; a single name
    is always the images.

    >>> parts_by_key(["x_train", "y_train", "x_test"], "")
    ({'train': ['x_train', 'y_train'], 'test': ['x_test', None]}, [])

    Raises:
        DataError: the names do not show which array contains the images.
    """
    names = list(names)
    if len(names) == 1:
        return {"all": [names[0], None]}, []
    found: dict[str, list[str | None]] = {}
    left = []
    for name in names:
        words = name.lower().split("_")
        part = next((PARTS[w] for w in words if w in PARTS), "all")
        rest = "_".join(w for w in words if w not in PARTS)
        place = 0 if rest in IMAGES else 1 if rest in LABELS else None
        if place is None or found.setdefault(part, [None, None])[place] is not None:
            left.append(name)
            continue
        found[part][place] = name
    found = {part: pair for part, pair in found.items() if pair[0] is not None}
    if not found or ("all" in found and len(found) > 1):
        raise DataError(
            f"{what} contains {', '.join(names) or 'no arrays'}, and the images are not clear",
            "Name the arrays x and y, or x_train, y_train, x_test and y_test.",
        )
    return found, left


def raw_parts(
    mapping: Mapping[str, Any], what: str
) -> tuple[dict[str, tuple[Any, Any]], tuple[str, ...]]:
    """The parts of a mapping of arrays, and a notice about unused arrays."""
    found, left = parts_by_key(mapping, what)
    parts = {
        part: (mapping[str(x)], None if y is None else mapping[y]) for part, (x, y) in found.items()
    }
    notice = f"{what} also contains {', '.join(left)}, which are not used."
    return parts, (notice,) if left else ()
