"""The memory of this process, in bytes."""

from __future__ import annotations

import sys
from pathlib import Path


def resident() -> int:
    """What was resident at most, pages of files included."""
    import resource

    unit = 1 if sys.platform == "darwin" else 2**10
    return unit * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def own() -> int:
    """What lies in no file now; all that is resident where the system does not say."""
    status = Path("/proc/self/status")
    if not status.exists():
        return resident()
    lines = status.read_text(encoding="ascii").splitlines()
    return 2**10 * int(next(line.split()[1] for line in lines if line.startswith("RssAnon:")))
