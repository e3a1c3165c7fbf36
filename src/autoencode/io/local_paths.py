"""Texts that are shared, without the folders of this computer."""

from __future__ import annotations

import shlex
from pathlib import PurePath, PureWindowsPath
from typing import Any


def without_folders(value: Any) -> Any:
    """A text without the folders of a path that is absolute or leads out of the working folder.

    In lists and mappings, all texts are changed; other values are returned as they are.

    >>> without_folders("/home/me/photos"), without_folders("~/a b.csv"), without_folders("../x/y")
    ('photos', 'a b.csv', 'y')
    >>> without_folders("runs/vae"), without_folders(["/a/b.csv", 3]), without_folders("/")
    ('runs/vae', ['b.csv', 3], '')
    """
    if isinstance(value, dict):
        return {key: without_folders(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [without_folders(each) for each in value]
    if not isinstance(value, str):
        return value
    if (windows := PureWindowsPath(value)).is_absolute():
        return windows.name
    path = PurePath(value)
    leads_out = path.is_absolute() or ".." in path.parts or value.startswith("~")
    return path.name if leads_out and "\n" not in value else value


def command_without_folders(command: str) -> str:
    """A command line whose words, and values after "=", are without such folders.

    >>> command_without_folders("autoencode train vae --data '/home/me/my photos' --out runs/vae")
    "autoencode train vae --data 'my photos' --out runs/vae"
    >>> command_without_folders("autoencode train vae --set network=/home/me/nets.py:Mine")
    'autoencode train vae --set network=nets.py:Mine'
    """
    try:
        words = shlex.split(command)
    except ValueError:  # not as `shlex.join` writes it
        return ""
    return shlex.join(
        "=".join(str(without_folders(each)) for each in word.split("=")) for word in words
    )
