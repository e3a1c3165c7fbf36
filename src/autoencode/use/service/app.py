"""The routes of the service."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from functools import partial
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, Response
from starlette.exceptions import HTTPException

from autoencode.errors import AutoencodeError, did_you_mean
from autoencode.use.service.answers import accepted, answer, check_answer
from autoencode.use.service.batching import Batcher
from autoencode.use.service.bodies import BodyReader
from autoencode.use.service.guard import error_body
from autoencode.use.service.inputs import ReadRequest, read_drawing, read_examples
from autoencode.use.service.limits import Refusal, ServiceLimits, busy, refusal_of
from autoencode.use.service.metrics import ServiceMetrics
from autoencode.use.service.openapi import description, docs_page, operation_docs
from autoencode.use.service.served import ModelStore, ServedModel

# So many are converted in the event loop: another thread would take longer to begin.
FEW_NUMBERS = 2_000
OPERATIONS = ("embed", "reconstruct", "score", "generate")


class Service:
    """The models, and the threads that read requests and compute answers.

    threads: of torch; 0 leaves its default.   say: receives a sentence for the operator.
    """

    def __init__(
        self,
        store: ModelStore,
        limits: ServiceLimits | None = None,
        threads: int = 0,
        say: Callable[[str], None] = lambda sentence: None,
    ) -> None:
        self.store, self.limits, self._say = store, limits or ServiceLimits(), say
        # Each thread of torch keeps memory and threads of its own, so that one computes. Another
        # one decodes and encodes, because Pillow's settings for warnings hold for a process.
        self._compute = ThreadPoolExecutor(1, "compute", initializer=partial(_threads, threads))
        self._convert = ThreadPoolExecutor(1, "convert")
        self.bodies = BodyReader(self.limits)
        self.in_work, self.ready = 0, False
        # Requests in work whose examples are not yet preprocessed.
        self._reading = 0
        self._reloading = asyncio.Lock()
        self.metrics = ServiceMetrics(lambda: self.in_work, lambda: len(self._batcher))
        self._batcher = Batcher(
            self._compute,
            self.limits.batch_window,
            self.limits.max_batch,
            self.metrics.batch,
            lambda: self._reading > 0,
        )

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """A context in which requests are answered."""
        task = asyncio.create_task(self._batcher.run())
        self.ready = True
        try:
            yield
        finally:
            self.ready = False
            task.cancel()
            for executor in (self._compute, self._convert):
                executor.shutdown(wait=False, cancel_futures=True)

    async def reload(self) -> None:
        """Load the models again; one that cannot be loaded stays as it is."""
        async with self._reloading:
            loop = asyncio.get_running_loop()
            # In the thread that computes: random numbers have one state in a process.
            problems = await loop.run_in_executor(self._compute, self.store.reload)
        for name in self.store.models:
            self.metrics.reloaded(name, name in problems)
            if name in problems:
                self._say(f"{name} was not loaded again, and is served as before: {problems[name]}")

    def model(self, name: str) -> ServedModel:
        """A model by its name.

        Raises:
            Refusal: there is none.
        """
        found = self.store.models.get(name)
        if found is None:
            hint = did_you_mean(name[:80], self.store.models)
            raise Refusal(HTTPStatus.NOT_FOUND, f'There is no model "{name[:80]}". {hint}')
        return found

    async def handle(self, name: str, operation: str, request: Request) -> Response:
        """Answer one request for a model."""
        started, held = time.monotonic(), 0
        status, known = HTTPStatus.INTERNAL_SERVER_ERROR, name in self.store.models
        expected = ""
        counted = False
        try:
            served = self.model(name)
            expected = served.expected() if operation != "generate" else ""
            kind = accepted(request.headers.get("accept", ""))
            if self.in_work >= self.limits.queue:
                raise busy("Too many requests are in work. Try again later.")
            self.in_work, counted = self.in_work + 1, True
            read, held = await self._read(served, operation, request)
            async with asyncio.timeout(self.limits.timeout):
                content, n = await self._answer(kind, read)
            self.metrics.examples(name, operation, n)
            status = HTTPStatus.OK
            return Response(content, media_type=kind)
        except TimeoutError:
            status = HTTPStatus.GATEWAY_TIMEOUT
            sentence = f"The request took longer than {self.limits.timeout:g} seconds."
            return error_response(Refusal(status, sentence))
        except Exception as error:
            refusal = refusal_of(error, expected)
            if refusal is None:
                raise
            status = refusal.status
            return error_response(refusal)
        finally:
            self.in_work -= counted
            self.bodies.release(held)
            if known:
                self.metrics.answered(name, operation, status, time.monotonic() - started)

    async def _read(
        self, served: ServedModel, operation: str, request: Request
    ) -> tuple[Callable[[], ReadRequest], int]:
        """How the body of a request is decoded, and its size."""
        limits = self.limits
        if operation == "generate" and _is_bodiless(request):
            return partial(read_drawing, served, b"", limits), 0
        body, held = await self.bodies.read(request, limits.max_examples)
        if operation != "generate":
            return partial(read_examples, served, operation, body, limits), held
        if body.kind != "json":
            self.bodies.release(held)
            raise Refusal(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "Send application/json, or no body.")
        return partial(read_drawing, served, body.content, limits), held

    async def _answer(self, kind: str, read: Callable[[], ReadRequest]) -> tuple[bytes, int]:
        loop = asyncio.get_running_loop()

        def readable() -> ReadRequest:
            found = read()
            check_answer(kind, found)
            return found

        self._reading += 1
        try:
            request = await loop.run_in_executor(self._convert, readable)
        finally:
            self._reading -= 1
        result = await self._batcher.result(request.work)
        if result.numel() <= FEW_NUMBERS:
            content = answer(kind, request, result)
        else:
            content = await loop.run_in_executor(self._convert, answer, kind, request, result)
        return content, request.work.n


def create_app(service: Service, started: Callable[[], None] = lambda: None) -> FastAPI:
    """The service as an ASGI application.   started: called in the event loop before requests."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with service.running():
            started()
            yield

    app = FastAPI(
        title="autoencode",
        description=description(service.limits),
        lifespan=lifespan,
        docs_url=None,  # its page needs another host
        redoc_url=None,
    )
    _add_errors(app)
    for operation in OPERATIONS:
        path = f"/v1/models/{{name}}/{operation}"
        route = _route(service, operation)
        app.post(path, name=operation, response_class=Response, **operation_docs(operation))(route)

    @app.get("/v1/models", summary="All models")
    async def models() -> dict[str, list[dict[str, Any]]]:
        found = service.store.models.values()
        return {"models": [each.describe(service.limits) for each in found]}

    @app.get("/v1/models/{name}", summary="One model", **operation_docs("model"))
    async def model(name: str) -> dict[str, Any]:
        return service.model(name).describe(service.limits)

    @app.get("/healthz", summary="The process answers")
    async def healthz() -> dict[str, str]:
        return {"status": "ok"}

    @app.get("/readyz", summary="The models are loaded", **operation_docs("ready"))
    async def readyz() -> dict[str, str]:
        if not service.ready:
            raise busy("The service starts or stops.")
        return {"status": "ready"}

    @app.get("/metrics", summary="Counts and times for Prometheus", response_class=Response)
    async def metrics() -> Response:
        return Response(service.metrics.text(), media_type="text/plain; version=0.0.4")

    @app.get("/docs", include_in_schema=False)
    async def docs() -> HTMLResponse:
        return HTMLResponse(docs_page(app.openapi()))

    return app


def _route(service: Service, operation: str) -> Callable[[str, Request], Awaitable[Response]]:
    async def route(name: str, request: Request) -> Response:
        return await service.handle(name, operation, request)

    return route


def error_response(refusal: Refusal) -> Response:
    """An error as a response."""
    return Response(
        error_body(refusal.sentence), refusal.status, refusal.headers, media_type="application/json"
    )


def _add_errors(app: FastAPI) -> None:
    """Errors of every kind have a JSON body with one sentence."""

    async def refused(_: Request, error: Exception) -> Response:
        return error_response(refusal_of(error) or _FAULT)

    async def http(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)  # registered for it
        sentence = str(error.detail).rstrip(".") + "."
        if error.status_code == HTTPStatus.NOT_FOUND:
            sentence = "Nothing is at this address; /docs lists those that are."
        elif error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
            sentence = f"This address does not answer {request.method}."
        headers: Mapping[str, str] = error.headers or {}
        return error_response(Refusal(HTTPStatus(error.status_code), sentence, headers))

    async def invalid(_: Request, error: Exception) -> Response:
        return error_response(Refusal(HTTPStatus.UNPROCESSABLE_ENTITY, "The address is not valid."))

    app.add_exception_handler(Refusal, refused)
    app.add_exception_handler(AutoencodeError, refused)
    app.add_exception_handler(HTTPException, http)
    app.add_exception_handler(RequestValidationError, invalid)
    app.add_exception_handler(Exception, refused)


_FAULT = Refusal(
    HTTPStatus.INTERNAL_SERVER_ERROR, "The service failed; its operator sees the reason."
)


def _is_bodiless(request: Request) -> bool:
    length = request.headers.get("content-length", "0")
    return length.strip("0") == "" and "transfer-encoding" not in request.headers


def _threads(number: int) -> None:
    import torch

    if number:
        torch.set_num_threads(number)
