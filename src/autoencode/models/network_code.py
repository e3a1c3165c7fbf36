"""The source code of a custom network: its copy in a run folder, executed only if trusted."""

from __future__ import annotations

import os
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

from autoencode.errors import RunError
from autoencode.io.store import read_bytes, write_bytes
from autoencode.models.recipe import Recipe, Spec
from autoencode.parts.networks.custom import is_custom, is_loaded, network_file

COPY = "network.py"
MAX_BYTES = 2**24  # of a file of source code
# Environment variable: SHA-256 of files that may be executed from a run folder, comma-separated.
TRUST = "AUTOENCODE_TRUST"


class UntrustedNetwork(RunError):
    """Opening a run would execute the code of its network, which the user does not trust yet."""


def save_network_code(recipe: Recipe, folder: Path) -> tuple[Recipe, str | None]:
    """Copies the file of a custom network to a run folder.

    Returns the recipe with the path of the copy and the SHA-256 of the file. A recipe without a
    custom network is returned unchanged, with None.
    """
    network = recipe.network
    if not is_custom(network.kind):
        return recipe, None
    content = network_file(network.kind)[0].read_bytes()
    write_bytes(folder / COPY, content)
    copied = Spec(_in_folder(network.kind, folder), network.args)
    return recipe.but(network=copied), sha256(content).hexdigest()


def saved_recipe(recipe: Recipe) -> dict[str, Any]:
    """A recipe as `recipe.json` holds it: the file of a custom network without its folder."""
    given = recipe.to_dict()
    if is_custom(recipe.network.kind):
        given["network"] = {**given["network"], "kind": _named(recipe.network.kind, COPY)}
    return given


def with_saved_network(
    given: Mapping[str, Any], folder: Path, digest: str | None
) -> Mapping[str, Any]:
    """Replaces the path of a custom network in `recipe.json` by that of the copy in the run folder.

    Creating a recipe executes the file of its network, so the copy must be trusted first: the user
    has loaded a file with the same content in this process, as in training, or has added its
    SHA-256 to `AUTOENCODE_TRUST`.

    given: content of `recipe.json`.   digest: SHA-256 of the copy according to `run.json`.

    Raises:
        RunError: the copy is missing, or differs from the file used in training.
        UntrustedNetwork: it is not trusted.
    """
    network = given.get("network")
    if not isinstance(network, Mapping) or not is_custom(str(network.get("kind"))):
        return given
    copy = folder / COPY
    content = bytes(read_bytes(copy, MAX_BYTES))
    found = sha256(content).hexdigest()
    if found != digest:
        raise RunError(
            f"{copy} is not the file that {folder} was trained with: its SHA-256 differs",
            "Restore the original file, or train again.",
        )
    if not is_loaded(content) and found not in os.environ.get(TRUST, "").split(","):
        raise UntrustedNetwork(
            f"Opening {folder} executes {copy}, code that came with the run and has all your "
            "permissions",
            f"Read it, and if you trust it, allow this file: {TRUST}={found}",
        )
    return {**given, "network": {**network, "kind": _in_folder(str(network["kind"]), folder)}}


def _in_folder(kind: str, folder: Path) -> str:
    # Not the target of the file itself: in the cache of the hub that has another name.
    return _named(kind, str(folder.resolve() / COPY))


def _named(kind: str, path: str) -> str:
    return f"{path}{kind.rpartition('.py')[2]}"
