"""Worker processes: a request is one line of JSON on standard input, an answer one line back."""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from speed.memory import peak_resident, private

HERE = Path(__file__).parents[1]


class WorkloadError(Exception):
    """A worker process cannot carry out a request; the text is the reason."""


class WorkerProcess:
    """A process that runs workloads, seen from the benchmark."""

    def __init__(self, python: Path) -> None:
        if not python.exists():
            raise WorkloadError(f"there is no {python.parent.parent.name}; `make bench` creates it")
        self._popen = subprocess.Popen(
            [python, "-m", "speed.process"],
            cwd=HERE,
            env={**_inherited(), "KERAS_BACKEND": "torch"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )

    def request(self, action: str, **arguments: Any) -> dict[str, Any]:
        """Sends a request, a method of `Worker`, and returns the answer.

        Raises:
            WorkloadError: the worker cannot carry it out.
        """
        assert self._popen.stdin
        assert self._popen.stdout
        try:
            self._popen.stdin.write(json.dumps({"action": action, **arguments}) + "\n")
            self._popen.stdin.flush()
            line = self._popen.stdout.readline()
        except BrokenPipeError:
            line = ""
        if not line:
            raise WorkloadError(f"its process ended with {self._popen.wait()}")
        answer: dict[str, Any] = json.loads(line)
        if "failed" in answer:
            raise WorkloadError(answer["failed"])
        return answer

    def end(self) -> None:
        """Ends the process."""
        assert self._popen.stdin
        assert self._popen.stdout
        self._popen.stdin.close()
        self._popen.wait()
        self._popen.stdout.close()


class Worker:
    """Carries out requests in the worker process; its methods are the requests."""

    def __init__(self) -> None:
        self.loops: dict[str, Any] = {}
        self.imported, self.private_imported = 0.0, 0.0

    def open(self, key: str, factory: str, args: dict[str, Any]) -> dict[str, Any]:
        """Imports the libraries of a workload and makes its loop."""
        function = _function(factory)
        self.imported, self.private_imported = peak_resident() / 2**20, private() / 2**20
        self.loops[key] = function(**args)
        return {}

    def run(self, key: str, steps: int, untimed: int) -> dict[str, Any]:
        """Runs `untimed` steps, then times `steps` steps; seconds."""
        loop = self.loops[key]
        if untimed:
            loop.advance(untimed)
        start = time.perf_counter()
        loop.advance(steps)
        return {"seconds": time.perf_counter() - start}

    def call(self, function: str, args: dict[str, Any]) -> dict[str, Any]:
        """Calls a function and returns its result."""
        return {"result": _function(function)(**args)}

    def memory(self) -> dict[str, Any]:
        """Memory in MB; the keys are those of `Bench.time_startup`."""
        return {
            "imported": self.imported,
            "peak": peak_resident() / 2**20,
            "private_imported": self.private_imported,
            "private": private() / 2**20,
        }


def _inherited() -> dict[str, str]:
    """The environment variables without those of malloc: each environment sets its own."""
    return {name: value for name, value in os.environ.items() if not name.startswith("MALLOC_")}


def _function(name: str) -> Callable[..., Any]:
    module, _, attribute = name.partition(":")
    function: Callable[..., Any] = getattr(
        importlib.import_module(f"speed.workloads.{module}"), attribute
    )
    return function


def answer() -> None:
    """Answers requests until standard input ends."""
    # Output of libraries must not be mixed with the answers.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    worker = Worker()
    for line in sys.stdin:
        request = json.loads(line)
        try:
            result = getattr(worker, request.pop("action"))(**request)
        except Exception as error:
            traceback.print_exc()
            result = {"failed": f"{type(error).__name__}: {error}".splitlines()[0]}
        print(json.dumps(result), file=answers, flush=True)
    os._exit(0)  # trainers may still wait in their threads


if __name__ == "__main__":
    answer()
