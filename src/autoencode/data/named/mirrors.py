"""Public mirrors by HTTPS: which of them answer, and getting one file, bounded in time and size."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

from autoencode.data.named.packages import Unavailable
from autoencode.io.progress import Bar

CONNECT = 3.0  # seconds for one address of a mirror to answer
PATIENCE = 5.0  # seconds for all mirrors together, name look-ups included
STALLED = 20.0  # seconds without a byte
SECONDS = 1800.0  # for one file


def host(address: str) -> str:
    """The name of the machine in an address.

    >>> host("https://example.org/data/mnist")
    'example.org'
    """
    return urlsplit(address).netloc


def reachable(mirrors: tuple[str, ...], file: str, zipped: bool) -> Iterator[tuple[str, str]]:
    """Each mirror with "" when it has the file, else with why not.

    All are asked at once, because a look-up can hang far longer than a connection may.
    """
    problems: dict[str, str] = {}
    asked = [
        threading.Thread(target=_ask, args=(mirror, f"{mirror}/{file}", zipped, problems))
        for mirror in mirrors
    ]
    for thread in asked:
        thread.daemon = True
        thread.start()
    end = time.monotonic() + PATIENCE
    for mirror, thread in zip(mirrors, asked, strict=True):
        thread.join(max(0.0, end - time.monotonic()))
        yield mirror, problems.get(mirror, "no answer")


def _ask(mirror: str, address: str, zipped: bool, problems: dict[str, str]) -> None:
    import requests

    try:
        answer = requests.head(
            f"{address}.gz" if zipped else address, timeout=CONNECT, allow_redirects=True
        )
        problems[mirror] = "" if answer.ok else f"answers {answer.status_code}"
    except requests.Timeout:
        problems[mirror] = "no answer"
    except requests.RequestException:
        problems[mirror] = "not reachable"


class _Meter(Bar):
    """What pooch takes for its progress bar: it also ends a download that exceeds its bounds."""

    def __init__(self, path: Path, most: int) -> None:
        super().__init__(path.name, 0)
        self._path, self._most = path, most
        self._end = time.monotonic() + SECONDS

    def update(self, steps: int) -> None:
        super().update(steps)
        if time.monotonic() > self._end:
            raise Unavailable(f"{self._path.name} takes longer than {SECONDS:.0f} s")
        if os.path.getsize(self._path) > self._most:
            raise Unavailable(f"{self._path.name} is larger than it should be")

    def reset(self) -> None:
        self.done = 0

    def close(self) -> None:
        """Nothing to do: leaving the `with` block takes the bar away."""


def download(address: str, path: Path, most: int) -> None:
    """Get one file of at most so many bytes; its content is for the caller to check.

    Raises:
        Unavailable: the mirror fails, stalls, is too slow, or sends too much.
    """
    import pooch
    import requests

    try:
        with _Meter(path, most) as meter:
            get = pooch.HTTPDownloader(
                progressbar=meter, chunk_size=2**18, timeout=(CONNECT, STALLED)
            )
            get(address, str(path), None)
    except requests.HTTPError as error:
        raise Unavailable(f"no {path.name}: {error}"[:120]) from error
    except requests.RequestException as error:
        raise Unavailable(f"the connection broke at {path.name}") from error
