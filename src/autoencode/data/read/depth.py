"""The type and the bands that decoded images of several types have in common."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from autoencode.data.read.image import Header

# Types whose values have a usual range: their white.
WHITE = {"uint8": 255, "uint16": 65535, "float16": 1, "float32": 1, "float64": 1}


@dataclass(frozen=True)
class CommonType:
    """What all images become.

    bands: 1 for grey images [H, W], else the length of the first axis.
    scaled: values are divided by the white of their type, because the images have several types.
    value_range: the full range of the type of all images; None if it has no usual range.
    """

    bands: int
    dtype: np.dtype
    scaled: bool
    value_range: tuple[float, float] | None
    notices: tuple[str, ...]

    def convert(self, image: np.ndarray) -> np.ndarray:
        """A decoded image, of any type, in the common type."""
        if self.scaled:
            return image / np.float32(WHITE[image.dtype.name])
        return image.astype(self.dtype, copy=False)

    def stacked(self, images: np.ndarray | list[np.ndarray]) -> Iterator[np.ndarray]:
        """Converted images as arrays [n, H, W] or [n, bands, H, W]; grey is copied to three."""
        for each in [images] if isinstance(images, np.ndarray) else (x[None] for x in images):
            if self.bands > 1 and each.ndim == 3:
                each = np.broadcast_to(each[:, None], (len(each), self.bands, *each.shape[1:]))
            yield each


def odd_bands(headers: Mapping[str, Header], wanted: int | None = None) -> dict[str, str]:
    """Images whose bands do not go with those of most, each with the reason.

    wanted: the bands that all should have, as a model takes them; None for those of most.

    Grey and colour go together: grey is copied to three channels.

    >>> head = Header((2, 2), 3, np.dtype(np.uint8), False, 1)
    >>> odd_bands({"a": head, "b": head, "c": Header((2, 2), 5, np.dtype(np.uint8), False, 1)})
    {'c': 'it has 5 bands, and most have 3'}
    """
    counts = Counter(head.bands for head in headers.values())
    if wanted is None and set(counts) <= {1, 3}:
        return {}
    most = wanted or counts.most_common(1)[0][0]
    good = {1, 3} if most in (1, 3) else {most}
    others = "most have" if wanted is None else "the model takes"
    return {
        name: f"it has {head.bands} band{'' if head.bands == 1 else 's'}, and {others} {most}"
        for name, head in headers.items()
        if head.bands not in good
    }


def common_type(headers: Mapping[str, Header], ranged: bool) -> CommonType:
    """What images become, and notices of conversions.

    headers: by the names of the files, of which a notice gives the first.
    ranged: the user has given the range of values, which then is that of the raw values.
    """
    notices = []
    heads = headers.values()
    bands = max(head.bands for head in heads)
    grey = [name for name, head in headers.items() if head.bands == 1]
    if 0 < len(grey) < len(headers):
        notices.append(
            f"{len(headers) - len(grey):,} images are in colour and {len(grey):,} grey, such as "
            f"{grey[0]}; all became colour."
        )
    elif bands not in (1, 3):
        notices.append(f"The images have {bands} bands, which become {bands} channels.")
    if alpha := sum(head.alpha for head in heads):
        notices.append(f"{alpha:,} images have transparent parts, which became white.")
    several = [name for name, head in headers.items() if head.several]
    if several:
        notices.append(
            f"{len(several):,} files have several frames, such as {several[0]}; only the first is "
            "used."
        )
    for note, count in Counter(head.note for head in heads if head.note).items():
        notices.append(f"{note} in {count:,} images.")
    types = Counter(head.dtype for head in heads)
    first = next(iter(types))
    if len(types) == 1:
        white = WHITE.get(first.name, 0)
        # Floats are not limited to their usual range.
        span = (0.0, float(white)) if first.kind == "u" and white > 255 else None
        return CommonType(bands, first, False, span, tuple(notices))
    listed = ", ".join(f"{dtype} ({n:,})" for dtype, n in types.most_common())
    other = next(name for name, head in headers.items() if head.dtype != first)
    text = f"The images have several types of values, {listed}; {other} is the first that differs"
    if ranged or any(dtype.name not in WHITE for dtype in types):
        what = "The range" if ranged else "Their range"
        notices.append(f"{text}. {what} is that of the raw values of all files.")
        return CommonType(bands, np.result_type(*types), False, None, tuple(notices))
    whites = ", ".join(f"{WHITE[dtype.name]} for {dtype}" for dtype in types)
    notices.append(f"{text}. Each was divided by the white of its type: {whites}.")
    return CommonType(bands, np.dtype(np.float32), True, None, tuple(notices))
