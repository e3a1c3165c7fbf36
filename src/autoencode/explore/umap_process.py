"""UMAP as a program: codes [n, d] from standard input, positions [n, 2] to standard output.

UMAP compiles its code with numba, whose threads make a later fork of the same process hang (reading
a large folder of images forks). In a process of its own it leaves nothing behind.
"""

from __future__ import annotations

import io
import os
import sys
import warnings

import numpy as np


def main() -> None:
    """Arguments: the number of neighbours and the seed.  Arrays are in the format .npy."""
    neighbours, seed = (int(word) for word in sys.argv[1:])
    out = os.dup(1)
    os.dup2(2, 1)  # what libraries print is no part of the array
    with warnings.catch_warnings():
        # About TensorFlow, which is missing, from its dependencies, and about disconnected groups.
        warnings.simplefilter("ignore")
        from umap import UMAP

        codes = np.load(io.BytesIO(sys.stdin.buffer.read()))
        reducer = UMAP(n_neighbors=neighbours, random_state=seed, n_jobs=1)
        points = reducer.fit_transform(codes)
    array = io.BytesIO()  # `np.save` asks for the position, which a pipe has not
    np.save(array, points.astype(np.float32))
    with os.fdopen(out, "wb") as file:
        file.write(array.getvalue())


if __name__ == "__main__":
    main()
