"""What the command arranges for its own process before torch is loaded."""

from __future__ import annotations

import os
import sys

# Loops of GNU OpenMP's waiting, about 40 µs: the gaps between the parts of a step are shorter.
SPINS = "2000"
# Numbers of `mallopt`, from glibc's malloc.h, and bytes.
TRIM_THRESHOLD, MMAP_THRESHOLD = -1, -3
KEPT, LARGEST = 256 * 2**20, 32 * 2**20


def prepare() -> None:
    """Makes threads wait and memory return in the way that suits short training steps.

    Threads that spin while they wait make a step five to ten times slower as soon as anything
    else runs beside it; threads that sleep at once make it 1.4 times slower on an idle machine.
    A short spin costs little in either case. Where the user chose, his choice stays.
    """
    if not {"OMP_WAIT_POLICY", "GOMP_SPINCOUNT"} & os.environ.keys():
        os.environ.update(OMP_WAIT_POLICY="passive", GOMP_SPINCOUNT=SPINS)
    _keep_freed_memory()


def _keep_freed_memory() -> None:
    """Keeps what a step frees for the next one.

    Otherwise glibc hands it back to the system and every step pays for some hundred page faults,
    a fifth of its time for a dense model and a third for a convolutional one.
    """
    if sys.platform != "linux":
        return
    # Processes that this one starts, for several trainings at once, read it when they begin.
    os.environ.setdefault("MALLOC_TRIM_THRESHOLD_", str(KEPT))
    os.environ.setdefault("MALLOC_MMAP_THRESHOLD_", str(LARGEST))
    import ctypes

    # Other C libraries have no such function, and other habits.
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(TRIM_THRESHOLD, KEPT)
        mallopt(MMAP_THRESHOLD, LARGEST)
