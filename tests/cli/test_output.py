"""Where the output goes: terminals of another alphabet, pipes without a reader, full disks."""

import io
import json
import os
import sys

import numpy as np
import pytest

from autoencode.cli.main import main


def left(line):
    with pytest.raises(SystemExit) as leaving:
        main(line.split())
    return leaving.value.code


def printed(monkeypatch, *lines):
    """What commands print to a terminal that knows no letter beyond ASCII."""
    streams = {name: io.TextIOWrapper(io.BytesIO(), "ascii") for name in ("stdout", "stderr")}
    for name, stream in streams.items():
        monkeypatch.setattr(sys, name, stream)
    for line in lines:
        left(line)
    return [stream.buffer.getvalue().decode("ascii") for stream in streams.values()]


def test_an_alphabet_without_greek_gets_escapes(monkeypatch):
    out, err = printed(monkeypatch, "recipes vae", "train ae --data né")
    assert "loss = \\u2212ln p(x|z)" in out
    assert '"n\\xe9"' in err


def test_json_is_json_in_any_alphabet(monkeypatch):
    np.save("é.npy", np.random.default_rng(0).random((9, 4)))
    out, _ = printed(monkeypatch, "data check é.npy --json", "recipes vae --json")
    first, end = json.JSONDecoder().raw_decode(out)
    assert first["name"] == "é"
    assert "−ln p(x|z)" in json.loads(out[end:])["formula"]


def test_a_full_disk_behind_standard_output(monkeypatch, capsys):
    full = open("/dev/full", "w")  # noqa: SIM115
    monkeypatch.setattr(sys, "stdout", full)
    assert left("recipes") == 4
    sys.stdout.close()
    assert capsys.readouterr().err == (
        "error: The output cannot be written: No space left on device\n"
    )
    with pytest.raises(OSError, match="No space"):
        full.close()


def test_a_reader_that_has_gone_is_no_fault(monkeypatch):
    for stream, line, code in (("stdout", "recipes", 0), ("stderr", "recipes vea", 2)):
        reading, writing = os.pipe()
        os.close(reading)
        pipe = os.fdopen(writing, "w")
        monkeypatch.setattr(sys, stream, pipe)
        assert left(line) == code
        with pytest.raises(BrokenPipeError):
            pipe.close()
    sys.stdout.close()
