import os
import resource
import signal
import struct
import warnings
import zlib

import numpy as np
import pytest
from PIL import Image

from autoencode.errors import AutoencodeError


@pytest.fixture(autouse=True)
def no_network(monkeypatch, tmp_path_factory):
    """No test fetches anything, and none sees the user's own cache."""
    monkeypatch.setenv("AUTOENCODE_OFFLINE", "1")
    monkeypatch.delenv("AUTOENCODE_DATA", raising=False)
    monkeypatch.setenv("AUTOENCODE_CACHE", str(tmp_path_factory.mktemp("cache")))


@pytest.fixture
def in_time():
    """What would hang fails instead."""

    def late(*_):
        raise TimeoutError("hangs")

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(10)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


@pytest.fixture
def cheap_refusal():
    """cheap_refusal(act): the message with which act() is refused within 200 MB and 2 s.

    The time is that of the processor, in a process of its own, so that other programs do not count.
    """

    def refused(act):
        reading, writing = os.pipe()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # forking; nothing computes here
            child = os.fork()
        if child == 0:
            try:
                resource.setrlimit(resource.RLIMIT_CPU, (2, 2))
                signal.alarm(60)
                before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
                text = "nothing was refused"
                try:
                    act()
                except AutoencodeError as error:
                    text = str(error)
                except BaseException as error:
                    text = f"another exception: {error!r}"
                grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024
                text = text if grown <= 200 else f"{grown:,} MiB were needed. {text}"
                os.write(writing, text.encode(errors="replace")[:60_000])
            finally:
                os._exit(0)
        os.close(writing)
        with os.fdopen(reading, "rb") as file:
            text = file.read().decode()
        _, status = os.waitpid(child, 0)
        return text or f"it was ended by a signal, {status}: 24 for more than 2 s"

    return refused


@pytest.fixture
def picture():
    """picture(path, mode, (H, W), seed) writes an image of random pixels and gives its path."""

    def made(path, mode="L", size=(6, 8), seed=None, **options):
        path.parent.mkdir(parents=True, exist_ok=True)
        seed = zlib.crc32(bytes(path)) if seed is None else seed
        values = np.random.default_rng(seed).integers(0, 256, (*size, 4), dtype=np.uint8)
        image = (
            Image.fromarray(values, "RGBA")
            if mode == "RGBA"
            else Image.fromarray(values[..., :3]).convert(mode)
        )
        image.save(path, **options)
        return path

    return made


@pytest.fixture
def images(tmp_path, picture):
    """A folder with classes a and b, of ten grey PNGs each."""
    for name in "ab":
        for i in range(10):
            picture(tmp_path / "set" / name / f"{i}.png")
    return tmp_path / "set"


@pytest.fixture
def png_header():
    """png_header(path, (H, W)) writes a PNG that claims a size and has no pixels."""

    def made(path, size):
        def chunk(kind, body):
            return (
                struct.pack(">I", len(body))
                + kind
                + body
                + struct.pack(">I", zlib.crc32(kind + body))
            )

        head = struct.pack(">IIBBBBB", size[1], size[0], 8, 0, 0, 0, 0)
        path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", b""))
        return path

    return made
