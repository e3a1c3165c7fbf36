"""The log of a training: lines of JSON, and TensorBoard on request."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from autoencode.errors import AutoencodeError
from autoencode.io.folders import open_folder
from autoencode.io.store import add_line, write_bytes
from autoencode.models.training_log import read_log


class Log:
    """`log.jsonl` of a run: one object a line, in the order of the steps."""

    def __init__(self, path: Path, from_step: int, tensorboard: bool) -> None:
        """Continues the log at a step: lines of later steps, from before a kill, are removed."""
        self.path = path
        lines = [line for line in read_log(path) if line["step"] <= from_step]
        text = "".join(json.dumps(line) + "\n" for line in lines)
        write_bytes(path, text.encode())
        board = open_folder(path.parent, "tensorboard") if tensorboard else None
        self.board = None if board is None else summary_writer()(board)

    def write(self, line: Mapping[str, Any]) -> None:
        """Adds one line."""
        add_line(self.path, line)
        if self.board is not None:
            for name, value in _flat(line, ""):
                self.board.add_scalar(name, value, line["step"])

    def close(self) -> None:
        """Closes the TensorBoard writer."""
        if self.board is not None:
            self.board.close()


def _flat(line: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, float]]:
    """The numbers of a line by their names, "terms/kl" for one that is nested."""
    for name, value in line.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{name}/")
        elif name != "step":
            yield f"{prefix}{name}", value


def summary_writer() -> Any:
    """TensorBoard's `SummaryWriter`.

    Raises:
        AutoencodeError: TensorBoard is not installed.
    """
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        raise AutoencodeError(
            "TensorBoard is not installed", 'Install it: pip install "autoencode[tensorboard]"'
        ) from error
    return SummaryWriter
