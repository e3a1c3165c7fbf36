"""A description of this machine for the results."""

from __future__ import annotations

import os
import platform
from pathlib import Path

import torch


def machine() -> str:
    """Processor, cores, bf16 instructions, versions of torch and Python."""
    capabilities = torch.cpu.get_capabilities()
    bf16 = ", ".join(name for name, has in capabilities.items() if has is True and "bf16" in name)
    return (
        f"{_processor()}, {os.cpu_count()} cores, bf16 in hardware: {bf16 or 'no'}; "
        f"torch {torch.__version__}, Python {platform.python_version()}"
    )


def _processor() -> str:
    file = Path("/proc/cpuinfo")
    lines = file.read_text(encoding="utf-8").splitlines() if file.exists() else []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.machine())
