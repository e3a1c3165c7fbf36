"""Requests to the Hugging Face hub: a time limit, and errors that say what to do."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from autoencode.errors import AutoencodeError, ResourceError, is_disk_full
from autoencode.io.files import shown

# Without data from the hub for so long, a request fails; the client repeats some of them.
CONNECT_SECONDS, ANSWER_SECONDS = 10.0, 60.0
LOG_IN = "Log in: hf auth login, or set the environment variable HF_TOKEN."


@contextmanager
def asking_hub(what: str) -> Iterator[None]:
    """Limit the time of requests to the hub in the block, and replace their errors.

    The client shows its progress on a terminal only.

    what: the repository, for messages.

    Raises:
        AutoencodeError: the hub refuses or fails, or cannot be reached.
        ResourceError: the disk is full.
    """
    require_client(what)
    import httpx
    from huggingface_hub import get_session
    from huggingface_hub.utils import (  # type: ignore[attr-defined]  # not in its __all__
        are_progress_bars_disabled,
        disable_progress_bars,
        enable_progress_bars,
    )

    session = get_session()
    before, session.timeout = (
        session.timeout,
        httpx.Timeout(ANSWER_SECONDS, connect=CONNECT_SECONDS),
    )
    silent = not sys.stderr.isatty() and not are_progress_bars_disabled()
    if silent:
        disable_progress_bars()
    try:
        with warnings.catch_warnings():
            # The client calls httpx in a way that httpx no longer recommends.
            warnings.simplefilter("ignore", DeprecationWarning)
            yield
    except AutoencodeError:
        raise
    except Exception as error:
        raise _sentence(what, error) from error
    finally:
        session.timeout = before
        if silent:
            enable_progress_bars()


def require_client(what: str) -> None:
    """Refuse to go on without the client of the hub.

    Raises:
        AutoencodeError: it is not installed.
    """
    try:
        import huggingface_hub  # noqa: F401
    except ImportError as error:
        raise AutoencodeError(
            f"{what} is on the Hugging Face hub, which needs huggingface_hub, and it is not "
            "installed",
            'Install it: pip install "autoencode[hub]"',
        ) from error


def is_unreachable(error: BaseException | None) -> bool:
    """Whether an error of `asking_hub` means that there is no connection, or is not to be one."""
    import httpx
    from huggingface_hub.errors import OfflineModeIsEnabled

    cause = error and error.__cause__
    return isinstance(cause, OfflineModeIsEnabled | httpx.TransportError)


def _sentence(what: str, error: Exception) -> AutoencodeError:
    """The error that a user sees for one of the client."""
    import httpx
    from huggingface_hub import errors

    # The client wraps the errors of its threads.
    while isinstance(error, RuntimeError | errors.LocalEntryNotFoundError) and isinstance(
        error.__cause__, Exception
    ):
        error = error.__cause__
    if isinstance(error, errors.HfHubHTTPError):
        return _refusal(what, error)
    if isinstance(error, errors.OfflineModeIsEnabled):
        return AutoencodeError(
            f"{what} cannot be reached, because HF_HUB_OFFLINE is set",
            "Unset it: unset HF_HUB_OFFLINE",
        )
    if isinstance(error, httpx.LocalProtocolError | UnicodeEncodeError):  # may show the token
        return AutoencodeError("The token of the hub has characters that cannot be sent", LOG_IN)
    if isinstance(error, httpx.TimeoutException):
        return AutoencodeError(f"The hub does not answer about {what}", "Try again later.")
    if isinstance(error, httpx.TransportError):
        return AutoencodeError(
            f"There is no connection to the hub for {what}, or it broke ({_clean(error)})",
            "Check the network, HF_ENDPOINT and the proxy, then try again.",
        )
    if isinstance(error, OSError) and is_disk_full(error):
        return ResourceError(f"There is no room on the disk for {what}", "Make room.")
    if isinstance(error, OSError) and error.filename:
        return AutoencodeError(
            f"{shown(error.filename)} cannot be written: {error.strerror}",
            "Choose another cache of the hub, with the environment variable HF_HOME.",
        )
    if "Consistency check failed" in str(error):
        return AutoencodeError(f"A file of {what} did not arrive completely", "Try again.")
    if isinstance(error, ValueError) and "README.md" in str(error):
        reasons = " ".join(_clean(line) for line in str(error).splitlines()[1:])
        return AutoencodeError(
            f"The hub refuses the metadata of {what}: {reasons}",
            "Give a license that the hub knows, as in --license mit (license=).",
        )
    return AutoencodeError(
        f"The answer of the hub about {what} cannot be used: {_clean(error)}",
        "Check HF_ENDPOINT, or try again later.",
    )


def _refusal(what: str, error: Any) -> AutoencodeError:
    """The error for an answer of the hub with a status of 400 or more."""
    from huggingface_hub import errors, get_token

    status = error.response.status_code
    reason = _clean(error.server_message) if error.server_message else ""
    said_so = f": {reason}" if reason else ""
    if isinstance(error, errors.GatedRepoError):
        return AutoencodeError(
            f"{what} is given only to those who accept its conditions",
            f"Accept them on its page. {LOG_IN}",
        )
    if isinstance(error, errors.RevisionNotFoundError):
        return AutoencodeError(
            f"{what} does not exist", "Give a branch, a tag or a commit of the repository."
        )
    if status == 401 and get_token() is not None:
        return AutoencodeError(f"The hub does not accept your token for {what}", LOG_IN)
    if status in (401, 404):
        return AutoencodeError(
            f"There is no repository {what}, or it is private", f"Check the name. {LOG_IN}"
        )
    if status == 403:
        return AutoencodeError(
            f"You have no permission for {what}{said_so}",
            f"Choose a repository of yours, or use a token that may write. {LOG_IN}",
        )
    if status in (409, 412):
        return AutoencodeError(
            f"{what} was changed by somebody else at the same time{said_so}", "Try again."
        )
    if status == 429:
        seconds = error.response.headers.get("retry-after", "")
        wait = f"Wait {seconds} s" if seconds.isdecimal() else "Wait some minutes"
        return AutoencodeError(f"There were too many requests to the hub for {what}", f"{wait}.")
    if status >= 500:
        return AutoencodeError(
            f"The hub fails for {what} (status {status}){said_so}", "Try again later."
        )
    return AutoencodeError(
        f"The hub refuses {what} (status {status}){said_so}", "Check the name, or try again later."
    )


def _clean(text: object) -> str:
    """The first line of a message, without the token if a server has repeated it."""
    from huggingface_hub import get_token

    line, token = " ".join(str(text).strip().splitlines()[:1]), get_token()
    if token:
        line = line.replace(token, "…").replace(repr(token)[1:-1], "…")
    return shown(line)[:300] or type(text).__name__
