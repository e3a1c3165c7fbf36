"""`autoencode export`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from autoencode.cli.options import Overwrite, RunFolder
from autoencode.cli.output import print_line, print_message

Parts = Literal["all", "encoder", "decoder", "reconstruct", "score"]


def export(
    run: RunFolder,
    out: Annotated[
        Path | None,
        typer.Option(help="File to write.", show_default="model.onnx, or model.pt2"),
    ] = None,
    part: Annotated[Parts, typer.Option(help="What the file computes.")] = "all",
    format: Annotated[
        Literal["onnx", "torch"], typer.Option(help="ONNX, or a .pt2 file of torch.export.")
    ] = "onnx",
    float16: Annotated[
        bool, typer.Option("--float16", help="Store the weights in float16, for half of the size.")
    ] = False,
    license: Annotated[str, typer.Option(metavar="TEXT", help="License, for the metadata.")] = "",
    overwrite: Overwrite = False,
) -> None:
    """Write the model of a run to one file that runs without this package.

    The file takes raw data and gives codes, reconstructions in the units of the data, and anomaly
    scores. It is run and compared with the model before it is written.

    Example: autoencode export runs/vae-mnist --out model.onnx
    """
    from autoencode.use.export import ENDINGS
    from autoencode.use.export import export as export_model

    path = out or Path(f"model{ENDINGS[format]}")
    done = export_model(
        run, path, part, format=format, float16=float16, license=license, overwrite=overwrite
    )
    for notice in done.notices:
        print_message("note", notice)
    what = "the whole model" if part == "all" else part
    print_line(f"{path}: {what}, {_size(done.size)}")
    for name, kind in done.inputs.items():
        print_line(f"in   {name:13} {kind}")
    for name, kind in done.outputs.items():
        print_line(f"out  {name:13} {kind:24} differs by up to {done.differences[name]:.1e}")
    print_line(
        f"compared with the model on {done.examples}, in batches of 1, 2, 7 and 33; differences "
        f"up to {done.tolerance:.0e} are accepted"
    )


def _size(count: int) -> str:
    return f"{count / 1e6:.1f} MB" if count >= 1e5 else f"{count / 1e3:.1f} kB"
