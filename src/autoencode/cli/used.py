"""What the verbs that use a trained model on data have in common."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from autoencode.cli.output import print_message

if TYPE_CHECKING:
    from autoencode.models.build import Model
    from autoencode.models.run import Run


@dataclass(frozen=True)
class Used:
    """A trained model, and its data: a source with options, or the data of its run."""

    run: Run
    model: Model
    data: Any
    options: dict[str, Any]

    def note(self, notices: Iterable[str]) -> None:
        """Prints what was converted or skipped."""
        for notice in notices:
            print_message("note", notice)


def opened(
    folder: Path, source: str | None, options: dict[str, Any], out: Path, overwrite: bool
) -> Used:
    """The model of a run, and the data at `source`, or those of the run.

    Raises:
        AutoencodeError: `out` exists and is not to be replaced; checked before anything is read.
    """
    from autoencode.models.run import open_run
    from autoencode.use.files import refuse_existing

    refuse_existing(out, overwrite)
    run = open_run(folder)
    model = run.load_model()
    if source is None and not options:
        return Used(run, model, run.load_data(), {})
    return Used(run, model, run.data["source"] if source is None else source, options)
