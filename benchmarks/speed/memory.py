"""The memory of this process, in bytes."""

from __future__ import annotations

import sys
from pathlib import Path


def peak_resident() -> int:
    """The highest resident memory so far, including pages of files."""
    import resource

    unit = 1 if sys.platform == "darwin" else 2**10
    return unit * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def private() -> int:
    """The memory that is not backed by files; `peak_resident` if the system does not report it."""
    status = Path("/proc/self/status")
    if not status.exists():
        return peak_resident()
    lines = status.read_text(encoding="ascii").splitlines()
    return 2**10 * int(next(line.split()[1] for line in lines if line.startswith("RssAnon:")))
