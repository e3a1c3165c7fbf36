"""Settings of the command's own process, made before torch is loaded."""

from __future__ import annotations

import gc
import os
import sys

# Iterations for which an idle OpenMP thread spins, about 40 µs: longer than the gaps in a step.
SPIN_COUNT = "2000"
# Parameters of `mallopt`, from glibc's malloc.h, and their values in bytes.
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
TRIM_THRESHOLD, MMAP_THRESHOLD = 256 * 2**20, 32 * 2**20
# New objects after which Python looks for cycles. Its default of 700 costs a second for the imports
# and the names of 100,000 files.
COLLECT_AFTER = 50_000


def prepare() -> None:
    """Sets how threads wait and how memory is freed, as it suits short training steps.

    Threads that spin while they wait make a step five to ten times slower as soon as another
    program runs; threads that sleep at once make it 1.4 times slower on an idle machine. A short
    spin costs little in either case. Environment variables that the user has set are respected.
    """
    if not {"OMP_WAIT_POLICY", "GOMP_SPINCOUNT"} & os.environ.keys():
        os.environ.update(OMP_WAIT_POLICY="passive", GOMP_SPINCOUNT=SPIN_COUNT)
    gc.set_threshold(COLLECT_AFTER, *gc.get_threshold()[1:])
    _keep_freed_memory()


def _keep_freed_memory() -> None:
    """Makes glibc keep the memory that a step frees for the next step.

    Otherwise glibc returns it to the system, and each step pays for some hundred page faults: a
    fifth of its time for a dense model and a third for a convolutional one.
    """
    if sys.platform != "linux":
        return
    # Child processes, which train several models at once, read these when they start.
    os.environ.setdefault("MALLOC_TRIM_THRESHOLD_", str(TRIM_THRESHOLD))
    os.environ.setdefault("MALLOC_MMAP_THRESHOLD_", str(MMAP_THRESHOLD))
    import ctypes

    # Other C libraries have no mallopt.
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(M_TRIM_THRESHOLD, TRIM_THRESHOLD)
        mallopt(M_MMAP_THRESHOLD, MMAP_THRESHOLD)
