"""`autoencode serve`."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Annotated

import typer

from autoencode.cli.output import print_line, print_message
from autoencode.errors import AutoencodeError, Interrupted

TOKEN_VARIABLE = "AUTOENCODE_TOKEN"
MIN_TOKEN = 16
_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s)?")


def serve(
    runs: Annotated[
        list[str],
        typer.Argument(
            metavar="RUN",
            help="Folders of runs or hf:owner/name, each served by its name, or NAME=FOLDER.",
        ),
    ],
    host: Annotated[
        str, typer.Option(help="Address to listen on; any but this computer's needs a token.")
    ] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(min=0, max=65_535, help="Port to listen on; 0 chooses a free one.")
    ] = 8000,
    token_file: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="File with the token that every request must bring.",
            show_default=f"the environment variable {TOKEN_VARIABLE}",
        ),
    ] = None,
    batch_window: Annotated[
        str,
        typer.Option(metavar="TIME", help="How long a request waits for others, as in 2ms; or 0."),
    ] = "2ms",
    max_batch: Annotated[
        int, typer.Option(min=1, help="Largest number of examples that are computed together.")
    ] = 256,
    queue: Annotated[
        int, typer.Option(min=1, help="Largest number of requests in work; others get 503.")
    ] = 128,
    max_body: Annotated[
        int, typer.Option(min=1_000, help="Largest body of a request, in bytes.")
    ] = 32_000_000,
    max_pixels: Annotated[
        int, typer.Option(min=1, help="Largest number of pixels of the images of a request.")
    ] = 50_000_000,
    max_examples: Annotated[
        int, typer.Option(min=1, help="Largest number of examples of a request.")
    ] = 1024,
    timeout: Annotated[
        str, typer.Option(metavar="TIME", help="Time for an answer, as in 30s.")
    ] = "30s",
    body_timeout: Annotated[
        str, typer.Option(metavar="TIME", help="Time for the body of a request to arrive.")
    ] = "10s",
    grace: Annotated[
        str, typer.Option(metavar="TIME", help="Time for open requests after SIGTERM or Ctrl-C.")
    ] = "10s",
    threads: Annotated[
        int, typer.Option(min=0, help="Threads that compute; 0 leaves the choice to torch.")
    ] = 0,
) -> None:
    """Answer requests over HTTP for codes, reconstructions, scores and new examples.

    The models are those of trained runs. Data in requests are preprocessed as in training. SIGHUP
    loads the runs again, and SIGTERM or Ctrl-C answers the open requests and stops. The page /docs
    lists the routes, and /metrics has counts and times for Prometheus.

    Example: autoencode serve runs/vae-mnist digits=runs/ae-mnist
    """
    window = _seconds(batch_window, "--batch-window", least=0.0, most=1.0)
    times = {
        "timeout": _seconds(timeout, "--timeout"),
        "body_timeout": _seconds(body_timeout, "--body-timeout"),
    }
    graceful = _seconds(grace, "--grace", least=1.0)
    try:
        import fastapi  # noqa: F401
        import prometheus_client  # noqa: F401
        import python_multipart  # noqa: F401
        import uvicorn  # noqa: F401
    except ImportError as error:
        raise AutoencodeError(
            f"The service needs {error.name}, which is not installed",
            'Install it: pip install "autoencode[serve]"',
        ) from error
    from autoencode.use.service.app import Service
    from autoencode.use.service.limits import ServiceLimits
    from autoencode.use.service.served import ModelStore, named_runs
    from autoencode.use.service.server import is_local, listen, serve_on

    token = _token(token_file)
    local = is_local(host)
    if not local and not token:
        raise AutoencodeError(
            f"{host} can be reached from other computers, and no token is set",
            f"Give one: --token-file FILE, or the environment variable {TOKEN_VARIABLE}; or listen "
            "on --host 127.0.0.1.",
        )
    limits = ServiceLimits(
        max_body=max_body,
        max_pixels=max_pixels,
        max_examples=max_examples,
        max_batch=max_batch,
        batch_window=window,
        queue=queue,
        **times,
    )
    store = ModelStore(named_runs(runs))
    service = Service(store, limits, threads, lambda text: print_message("warning", text))
    with listen(host, port) as listening:
        address = f"http://{f'[{host}]' if ':' in host else host}:{listening.getsockname()[1]}"

        def started() -> None:
            for name, each in store.models.items():
                print_line(
                    f"{address}/v1/models/{name}  {each.run.recipe.name}, {each.run.address}"
                )
            print_line(f"{address}/docs  the routes; Ctrl-C stops the service")

        received = serve_on(listening, service, token, local, graceful, started)
    if received is not None:
        raise Interrupted("The service has stopped", signal=received)


def _token(path: Path | None) -> str:
    """The token of a file or of the environment; "" for none."""
    if path is None:
        token, source = os.environ.get(TOKEN_VARIABLE, ""), f"The variable {TOKEN_VARIABLE}"
        if TOKEN_VARIABLE not in os.environ:
            return ""
    else:
        source = str(path)
        try:
            token = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            why = getattr(error, "strerror", None) or "it is no text"
            raise AutoencodeError(
                f"{path} cannot be read: {why}", "Give a file with one token."
            ) from error
    token = token.strip()
    if len(token) < MIN_TOKEN or not token.isascii() or not token.isprintable() or " " in token:
        raise AutoencodeError(
            f"{source} holds no token of at least {MIN_TOKEN} letters and digits",
            'Make one: python -c "import secrets; print(secrets.token_urlsafe(32))"',
        )
    return token


def _seconds(text: str, option: str, least: float = 0.001, most: float = 86_400.0) -> float:
    """A time such as 2ms, 0.5s or 30 in seconds.

    >>> _seconds("2ms", "--batch-window"), _seconds("30", "--timeout")
    (0.002, 30.0)
    """
    found = _DURATION.fullmatch(text.strip().lower())
    seconds = float(found[1]) / (1000 if found[2] == "ms" else 1) if found else -1.0
    if not least <= seconds <= most:
        raise AutoencodeError(
            f"{option} is {text}", f"Give a time from {least:g}s to {most:g}s, as in 2ms or 30s."
        )
    return seconds
