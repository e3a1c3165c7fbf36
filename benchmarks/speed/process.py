"""The two ends of the pipe to a process that computes: a line of JSON there, a line back."""

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

from speed.memory import own, resident

HERE = Path(__file__).parents[1]


class Failed(Exception):
    """What was asked of a process could not be done there; says why."""


class Process:
    """The end that asks."""

    def __init__(self, python: Path) -> None:
        if not python.exists():
            raise Failed(f"there is no {python.parent.parent.name}, which `make bench` makes")
        self._popen = subprocess.Popen(
            [python, "-m", "speed.process"],
            cwd=HERE,
            env={**_inherited(), "KERAS_BACKEND": "torch"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )

    def ask(self, action: str, **request: Any) -> dict[str, Any]:
        """The answer to a request.

        Raises:
            Failed: the other end could not do it.
        """
        assert self._popen.stdin
        assert self._popen.stdout
        try:
            self._popen.stdin.write(json.dumps({"action": action, **request}) + "\n")
            self._popen.stdin.flush()
            line = self._popen.stdout.readline()
        except BrokenPipeError:
            line = ""
        if not line:
            raise Failed(f"its process ended with {self._popen.wait()}")
        answer: dict[str, Any] = json.loads(line)
        if "failed" in answer:
            raise Failed(answer["failed"])
        return answer

    def end(self) -> None:
        """Lets the process go."""
        assert self._popen.stdin
        assert self._popen.stdout
        self._popen.stdin.close()
        self._popen.wait()
        self._popen.stdout.close()


class Worker:
    """The end that computes."""

    def __init__(self) -> None:
        self.contenders: dict[str, Any] = {}
        self.imported, self.own_imported = 0.0, 0.0

    def open(self, key: str, make: str, args: dict[str, Any]) -> dict[str, Any]:
        """Makes a contender ready."""
        function = _function(make)
        self.imported, self.own_imported = resident() / 2**20, own() / 2**20
        self.contenders[key] = function(**args)
        return {}

    def run(self, key: str, steps: int, lead: int) -> dict[str, Any]:
        """Seconds of so many steps, after `lead` that are not timed."""
        contender = self.contenders[key]
        if lead:
            contender.advance(lead)
        began = time.perf_counter()
        contender.advance(steps)
        return {"seconds": time.perf_counter() - began}

    def call(self, what: str, args: dict[str, Any]) -> dict[str, Any]:
        """What a function returns."""
        return {"result": _function(what)(**args)}

    def memory(self) -> dict[str, Any]:
        """MB that were resident, at most: with the libraries alone, and since.

        "own_imported" and "own" are those that lie in no file, then and now.
        """
        return {
            "imported": self.imported,
            "peak": resident() / 2**20,
            "own_imported": self.own_imported,
            "own": own() / 2**20,
        }


def _inherited() -> dict[str, str]:
    """The environment, without the settings of malloc: each contender has them from its own."""
    return {name: value for name, value in os.environ.items() if not name.startswith("MALLOC_")}


def _function(name: str) -> Callable[..., Any]:
    module, _, function = name.partition(":")
    found: Callable[..., Any] = getattr(
        importlib.import_module(f"speed.contenders.{module}"), function
    )
    return found


def answer() -> None:
    """Answers requests until there are no more."""
    # What libraries print must not come between the answers.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    worker = Worker()
    for line in sys.stdin:
        request = json.loads(line)
        try:
            found = getattr(worker, request.pop("action"))(**request)
        except Exception as error:
            traceback.print_exc()
            found = {"failed": f"{type(error).__name__}: {error}".splitlines()[0]}
        print(json.dumps(found), file=answers, flush=True)
    os._exit(0)  # trainings that own their loop still wait in their threads


if __name__ == "__main__":
    answer()
