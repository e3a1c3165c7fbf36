"""`autoencode push`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from autoencode.cli.output import aligned, print_line, print_message

Repository = Annotated[
    str, typer.Argument(metavar="OWNER/NAME", help="Model repository on the Hugging Face hub.")
]


def push(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="Folder of a finished run.")],
    repository: Repository,
    private: Annotated[
        bool, typer.Option("--private", help="Only you, or your organisation, can see it.")
    ] = False,
    message: Annotated[
        str | None,
        typer.Option(metavar="TEXT", help="Message of the commit.", show_default="recipe and data"),
    ] = None,
    license: Annotated[
        str | None,
        typer.Option(
            metavar="ID", help="License by its name on the hub, such as mit or cc-by-4.0."
        ),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print what would be uploaded, and send nothing.")
    ] = False,
) -> None:
    """Upload a finished run to the Hugging Face hub, with its model card.

    Paths of this computer are reduced to names of files, and the checkpoint is not uploaded. Log in
    first, with hf auth login, or set the environment variable HF_TOKEN.

    Example: autoencode push runs/vae-mnist me/vae-mnist --license mit
    """
    from autoencode.io.memory import gigabytes
    from autoencode.use.hub import push as push_run

    done = push_run(
        run, repository, private=private, message=message, license=license, dry_run=dry_run
    )
    for notice in done.notices:
        print_message("note", notice)
    total = gigabytes(sum(done.sizes.values()))
    if done.commit is None:
        for line in aligned([(name, f"{size:,}") for name, size in done.sizes.items()]):
            print_line(line)
        print_line(f"nothing was sent; {len(done.sizes)} files, {total}, would go to {done.url}")
        return
    if done.removed:
        print_message("note", f"Deleted from the repository: {', '.join(done.removed)}.")
    seen = "private" if done.private else "public"
    what = f"commit {done.commit[:7]}" if done.changed else "nothing has changed"
    print_line(f"{done.url}: {len(done.sizes)} files, {total}, {seen}, {what}")
    print_line(f'load it: ae.load("{done.address}"), or autoencode pull {repository} --out FOLDER')
