"""The code of a run's own network: a copy in the run, executed only with the user's consent."""

from __future__ import annotations

import os
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

from autoencode.errors import RunError
from autoencode.io.store import write_bytes
from autoencode.models.recipe import Recipe, Spec
from autoencode.parts.networks.custom import is_custom, is_loaded, network_file

COPY = "network.py"
# The SHA-256 of each file that may be executed from a run folder, divided by commas.
TRUST = "AUTOENCODE_TRUST"


def save_network_code(recipe: Recipe, folder: Path) -> tuple[Recipe, str | None]:
    """Copies the file of a network of the user's own into a run's folder.

    Gives the recipe that names the copy, and its SHA-256; without such a network the recipe as it
    is, and None.
    """
    network = recipe.network
    if not is_custom(network.kind):
        return recipe, None
    content = network_file(network.kind)[0].read_bytes()
    write_bytes(folder / COPY, content)
    own = Spec(_in_folder(network.kind, folder), network.args)
    return recipe.but(network=own), sha256(content).hexdigest()


def with_saved_network(
    given: Mapping[str, Any], folder: Path, digest: str | None
) -> Mapping[str, Any]:
    """What a run's `recipe.json` says, with the run's copy for the file of an own network.

    A recipe executes the file that it names. So the copy must be trusted before there is one: the
    user has loaded a file of the same content in this process, as in training, or has put its
    SHA-256 into `AUTOENCODE_TRUST`. Whatever else the recipe names is not touched.

    digest: SHA-256 of the copy, as `run.json` has it.

    Raises:
        RunError: the copy is missing, is another file than that of the training, or not trusted.
    """
    network = given.get("network")
    if not isinstance(network, Mapping) or not is_custom(str(network.get("kind"))):
        return given
    copy = folder / COPY
    try:
        content = copy.read_bytes()
    except OSError as error:
        raise RunError(
            f"{copy}, which holds the network of this run, cannot be read: {error.strerror}",
            "Is the folder a whole run?",
        ) from error
    found = sha256(content).hexdigest()
    if found != digest:
        raise RunError(
            f"{copy} is not the file that {folder} was trained with: its SHA-256 is another",
            "Bring the old file back, or train again.",
        )
    if not is_loaded(content) and found not in os.environ.get(TRUST, "").split(","):
        raise RunError(
            f"To open {folder} is to execute {copy}, code that came with the run and can do "
            "whatever you can",
            f"Read it, and if you trust it, allow this very file: {TRUST}={found}",
        )
    return {**given, "network": {**network, "kind": _in_folder(str(network["kind"]), folder)}}


def _in_folder(kind: str, folder: Path) -> str:
    return f"{(folder / COPY).resolve()}{kind.rpartition('.py')[2]}"
