"""What figures were measured with, in words."""

from __future__ import annotations

import os
import platform
from pathlib import Path

import torch


def machine() -> str:
    """Processor, cores, torch and Python."""
    has = ", ".join(k for k, v in torch.cpu.get_capabilities().items() if v is True and "bf16" in k)
    return (
        f"{_processor()}, {os.cpu_count()} cores, bf16 in hardware: {has or 'no'}; "
        f"torch {torch.__version__}, Python {platform.python_version()}"
    )


def _processor() -> str:
    facts = Path("/proc/cpuinfo")
    lines = facts.read_text(encoding="utf-8").splitlines() if facts.exists() else []
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, platform.machine())
