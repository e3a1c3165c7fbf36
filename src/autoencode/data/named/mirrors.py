"""Downloads from public mirrors by HTTPS, bounded in time and size."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from pathlib import Path
from threading import Thread

from autoencode.io.progress import Bar

CONNECT_SECONDS = 3.0  # for one address of a mirror
MAX_ANSWER_SECONDS = 5.0  # for all mirrors together, including the look-up of their names
STALL_SECONDS = 20.0  # without a byte
MAX_FILE_SECONDS = 1800.0  # for one file


class Unavailable(Exception):
    """A source of a data set that does not work here; the text gives the reason in a few words."""


def failures(mirrors: Sequence[str], file: str) -> dict[str, str]:
    """Ask all mirrors at once for a file: the reason why a mirror fails, or "" if it has the file.

    A thread for each mirror, because a firewall or a name look-up can delay an answer for much
    longer than the time limit of a connection.
    """
    found = dict.fromkeys(mirrors, "no answer")

    def ask(mirror: str) -> None:
        import requests

        try:
            answer = requests.head(
                f"{mirror}/{file}", timeout=CONNECT_SECONDS, allow_redirects=True
            )
            found[mirror] = "" if answer.ok else f"answers {answer.status_code}"
        except requests.Timeout:
            pass
        except requests.RequestException:
            found[mirror] = "not reachable"

    threads = [Thread(target=ask, args=(mirror,), daemon=True) for mirror in mirrors]
    for thread in threads:
        thread.start()
    end = time.monotonic() + MAX_ANSWER_SECONDS
    for thread in threads:
        thread.join(max(0.0, end - time.monotonic()))
    return dict(found)


class _Limits(Bar):
    """The progress bar that pooch updates; it also stops a file that is too large or too slow."""

    def __init__(self, path: Path, max_bytes: int) -> None:
        super().__init__(path.name, 0)
        self._path, self._max_bytes = path, max_bytes
        self._end = time.monotonic() + MAX_FILE_SECONDS

    def update(self, steps: int) -> None:
        super().update(steps)
        if time.monotonic() > self._end:
            raise Unavailable(f"{self._path.name} takes longer than {MAX_FILE_SECONDS:.0f} s")
        if os.path.getsize(self._path) > self._max_bytes:
            raise Unavailable(f"{self._path.name} is larger than it should be")

    def reset(self) -> None:
        self.done = 0

    def close(self) -> None:
        """The `with` block closes the bar."""


def download(address: str, path: Path, max_bytes: int) -> None:
    """Download one file; the caller checks its content.

    Raises:
        Unavailable: the mirror fails, stalls, is too slow, or sends more than `max_bytes`.
    """
    import pooch
    import requests

    try:
        with _Limits(path, max_bytes) as bar:
            timeout = (CONNECT_SECONDS, STALL_SECONDS)
            get = pooch.HTTPDownloader(progressbar=bar, chunk_size=2**18, timeout=timeout)
            get(address, str(path), None)
    except requests.HTTPError as error:
        raise Unavailable(f"no {path.name}: {error}"[:120]) from error
    except requests.RequestException as error:
        raise Unavailable(f"the connection broke at {path.name}") from error
