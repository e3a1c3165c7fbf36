"""Damaged and hostile input, drawn by hypothesis; each case runs in a process of its own.

The only allowed outcomes are success and the package's own errors, within the bounds below. In CI
each test draws the same few cases every time. With FUZZ_MINUTES (`make fuzz`) the tests share
that time and draw new cases until it is over.
"""

import copy
import os
import pickle
import resource
import signal
import time
import traceback
import warnings
from collections import Counter
from pathlib import Path
from typing import NamedTuple

import hypothesis
import pytest
import torch
from hypothesis import strategies as st

from autoencode.errors import AutoencodeError

SECONDS, BYTES = 10, 2**30
EXAMPLES = 5  # of each test in CI, together about a minute

# Where a damaged number does most harm: signs, widths of integers, and what overflows them.
NUMBERS = (0, 1, -1, 2, 127, 255, 256, 2**15, 2**16, 2**31 - 1, 2**31, 2**32 - 1, 2**53, 2**63)
TYPES = (torch.float64, torch.float16, torch.bfloat16, torch.int64, torch.uint8, torch.bool)
VALUES = (float("nan"), float("inf"), -float("inf"), -1.0, 0.0, 1e38)
LEAVES = (
    *(None, True, False, "", "x", "\n", "../../etc", "é\ud800", "1e5", "nan", [], {}, [[]]),
    *(float("nan"), float("inf"), -float("inf"), 1e308, -0.5, 10**40, [None] * 3, {"a": 1}),
    *NUMBERS,
)


class Outcome(NamedTuple):
    kind: str  # "done", "refused", or what is not allowed
    text: str = ""


def _run(act, value, pipe):
    """In the child: run one case, and write how it ended to the pipe."""
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.alarm(SECONDS)  # ends a case that hangs, also in C code
    size = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (size + 3 * BYTES,) * 2)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    try:
        act(value)
        ended = Outcome("done")
    except AutoencodeError as error:
        ended = Outcome("refused" if str(error).strip() else "an empty message", str(error))
    except BaseException:  # also SystemExit: nothing may leave in another way
        ended = Outcome("another exception", traceback.format_exc())
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 - before
    if grown > BYTES:
        ended = Outcome(f"{grown / 2**20:,.0f} MiB of memory", ended.text)
    os.write(pipe, pickle.dumps(ended)[:60_000])


def outcome(act, value) -> Outcome:
    """How `act(value)` ends in a child process, within the bounds on time and memory."""
    reading, writing = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # forking; torch computes alone here
        child = os.fork()
    if child == 0:
        try:
            os.close(reading)
            _run(act, value, writing)
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as file:
        content = file.read()
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        name = signal.Signals(os.WTERMSIG(status)).name
        return Outcome(f"more than {SECONDS} seconds" if name == "SIGALRM" else f"killed by {name}")
    return pickle.loads(content)


@pytest.fixture
def fuzz(request):
    """fuzz(strategy, act): run `act` on drawn values; what is not allowed fails with the value.

    A test calls it once, because tests share the time of `make fuzz`.
    `act` runs in a forked process: what it changes in memory is forgotten, what it writes is not.
    """
    counts: Counter[str] = Counter()

    def check(act, value):
        ended = outcome(act, value)
        counts[ended.kind] += 1
        assert ended.kind in ("done", "refused"), f"{ended.kind}\n{ended.text}"

    def run(strategy, act, examples=EXAMPLES):
        minutes = float(os.environ.get("FUZZ_MINUTES", 0))
        tests = sum("fuzz" in item.fixturenames for item in request.session.items)
        workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", 1))
        until = time.monotonic() + 60 * minutes * workers / max(tests, 1)
        number = int(time.time()) if minutes else 0
        while True:
            setting = hypothesis.settings(
                max_examples=examples,
                deadline=None,
                database=None,
                phases=(hypothesis.Phase.generate,),  # a case that takes ten seconds is not shrunk
                suppress_health_check=list(hypothesis.HealthCheck),
            )
            drawn = hypothesis.given(strategy)(lambda value: check(act, value))
            hypothesis.seed(number)(setting(drawn))()
            number += 1
            if time.monotonic() >= until:
                return

    yield run
    request.node.user_properties.extend(("fuzz", (kind, n)) for kind, n in sorted(counts.items()))


def pytest_terminal_summary(terminalreporter):
    """How many cases of each test ended in which way."""
    for reports in terminalreporter.stats.values():
        for report in reports:
            found = [v for k, v in getattr(report, "user_properties", ()) if k == "fuzz"]
            if found and report.when == "teardown":
                counts = ", ".join(f"{count:,} {kind}" for kind, count in found)
                terminalreporter.write_line(f"{report.nodeid}: {counts}")


@st.composite
def _damaged(draw, content: bytes, most=4):
    """`content` after one to four damages: cut, flipped, overwritten, doubled, moved, numbers."""
    data = bytearray(content)
    for _ in range(draw(st.integers(1, most))):
        at = draw(st.integers(0, max(len(data) - 1, 0)))
        # Headers are short and decide most: every second damage is near the beginning.
        at = at % 200 if draw(st.booleans()) else at
        length = draw(st.sampled_from((1, 2, 4, 8, 64, len(data) // 2)))
        match draw(st.sampled_from(("cut", "flip", "random", "number", "double", "drop", "swap"))):
            case "cut":
                del data[at:]
            case "flip":
                data[at : at + 1] = bytes(
                    b ^ (1 << draw(st.integers(0, 7))) for b in data[at : at + 1]
                )
            case "random":
                data[at : at + 4] = draw(st.binary(min_size=1, max_size=4))
            case "number":
                width = draw(st.sampled_from((2, 4, 8)))
                value = draw(st.sampled_from(NUMBERS)) % 2 ** (8 * width)
                order = draw(st.sampled_from(("little", "big")))
                data[at : at + width] = value.to_bytes(width, order)
            case "double":
                data[at:at] = data[at : at + length]
            case "drop":
                del data[at : at + length]
            case "swap":
                half = data[at : at + length]
                del data[at : at + length]
                data[len(data) // 2 : len(data) // 2] = half
    return bytes(data)


@st.composite
def _damaged_json(draw, content, most=3):
    """A JSON value with one to three entries replaced, left out, renamed, repeated or nested."""
    content = copy.deepcopy(content)
    for _ in range(draw(st.integers(1, most))):
        places = list(_places(content))
        if not places:
            return draw(st.sampled_from(LEAVES))
        inside, key = draw(st.sampled_from(places))
        match draw(st.sampled_from(("leaf", "leaf", "leaf", "drop", "rename", "repeat", "nest"))):
            case "leaf":
                # A copy, because a later damage may be inside it.
                inside[key] = copy.deepcopy(draw(st.sampled_from(LEAVES)))
            case "drop":
                del inside[key]
            case "rename" if isinstance(inside, dict):
                inside[draw(st.sampled_from(("", "x", str(key) + "s")))] = inside.pop(key)
            case "repeat" if isinstance(inside, list):
                inside.extend(inside[:50])
            case _:
                inside[key] = [inside[key]]
    return content


@st.composite
def _damaged_tensors(draw, tensors, most=3):
    """Tensors by name, a few of them left out, renamed, or of another shape, type or value."""
    tensors = dict(tensors)
    for _ in range(draw(st.integers(0, most))):
        names = sorted(tensors)
        if not names:
            break
        name = draw(st.sampled_from(names))
        tensor = tensors[name]
        match draw(st.sampled_from(("drop", "rename", "swap", "shape", "type", "value", "random"))):
            case "drop":
                del tensors[name]
            case "rename":
                part, _, rest = name.partition(".")
                new = ("", "x", f"{part}.", f"x.{rest}", f"{part}.0.{rest}", f"{part}.-1.x", "é.²")
                tensors[draw(st.sampled_from(new))] = tensors.pop(name)
            case "swap":
                other = draw(st.sampled_from(names))
                tensors[name], tensors[other] = tensors[other].clone(), tensor.clone()
            case "shape":
                shapes = (tensor[None], tensor.reshape(-1), tensor.reshape(-1)[:1].squeeze())
                shapes = (
                    *shapes,
                    tensor[..., None],
                    tensor.reshape(-1)[:0],
                    tensor.movedim(0, -1) if tensor.dim() else tensor,
                )
                tensors[name] = draw(st.sampled_from(shapes)).clone()
            case "type":
                tensors[name] = tensor.to(draw(st.sampled_from(TYPES)))
            case "value" if tensor.is_floating_point() and tensor.numel():
                changed = tensor.clone(memory_format=torch.contiguous_format)
                changed.view(-1)[draw(st.integers(0, tensor.numel() - 1))] = draw(
                    st.sampled_from(VALUES)
                )
                tensors[name] = changed
            case _:
                seed = torch.Generator().manual_seed(draw(st.integers(0, 99)))
                drawn = torch.randint(0, 256, tensor.shape, generator=seed)
                tensors[name] = drawn.to(tensor.dtype)
    return tensors


def _places(content):
    """Each (container, key) of a JSON value."""
    keys = content.keys() if isinstance(content, dict) else range(len(content))
    for key in list(keys):
        yield content, key
        if isinstance(content[key], (dict, list)):
            yield from _places(content[key])


@pytest.fixture(scope="session")
def damaged():
    """damaged(content) -> a strategy of the bytes `content` after a few damages."""
    return _damaged


@pytest.fixture(scope="session")
def damaged_json():
    """damaged_json(value) -> a strategy of a JSON value with a few entries that are wrong."""
    return _damaged_json


@pytest.fixture(scope="session")
def damaged_tensors():
    """damaged_tensors(tensors) -> a strategy of tensors by name, a few of which are wrong."""
    return _damaged_tensors
