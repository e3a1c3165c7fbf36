"""Available memory, checked before it is allocated."""

from __future__ import annotations

import os
from pathlib import Path

from autoencode.errors import ResourceError

# The other half is for training: batches, and a second copy of a part while data are divided.
SHARE = 0.5


def available() -> int:
    """Bytes that this process can still allocate, within its own limit and that of its cgroup."""
    bounds = [_free(), *_limits()]
    return max(min(bounds), 0)


class TooLarge(ResourceError):
    """Data do not fit into memory; they may fit on the disk."""


def check_memory(needed: int, what: str, fix: str) -> None:
    """Check that `needed` bytes are at most half of the available memory.

    Raises:
        TooLarge: with both numbers and `fix`.
    """
    free = available()
    if needed > SHARE * free:
        raise TooLarge(
            f"{what} needs {gigabytes(needed)} of memory, and half of the available memory is "
            f"{gigabytes(int(SHARE * free))}",
            fix,
        )


def gigabytes(count: int) -> str:
    """A number of bytes in a readable unit.

    >>> gigabytes(53_000_000), gigabytes(8_400_000_000)
    ('53 MB', '8.4 GB')
    """
    if count < 1e6:
        return f"{count:,} bytes"
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.0f} MB"


def _free() -> int:
    try:
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass  # not Linux
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        return 8 * 2**30  # Windows: not known without another package


def _limits() -> list[int]:
    found = []
    for used, limit in (
        ("memory.current", "memory.max"),
        ("memory/memory.usage_in_bytes", "memory/memory.limit_in_bytes"),
    ):
        try:
            top = Path("/sys/fs/cgroup", limit).read_text().strip()
            now = int(Path("/sys/fs/cgroup", used).read_text())
        except (OSError, ValueError):
            continue
        if top != "max":
            found.append(int(top) - now)
    try:
        import resource

        soft, _ = resource.getrlimit(resource.RLIMIT_AS)
        if soft != resource.RLIM_INFINITY:
            pages = int(Path("/proc/self/statm").read_text().split()[0])
            found.append(soft - pages * resource.getpagesize())
    except (ImportError, OSError):
        pass  # no such limit on this system
    return found
