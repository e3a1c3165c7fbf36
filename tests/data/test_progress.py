import io

from autoencode.io import progress
from autoencode.io.progress import Bar


class Terminal(io.StringIO):
    def isatty(self):
        return True


def drawn(monkeypatch, stream, delay):
    monkeypatch.setattr("sys.stderr", stream)
    monkeypatch.setattr(progress, "DELAY_SECONDS", delay)
    with Bar("counting", 3) as bar:
        for _ in range(3):
            bar.update(1)
    assert bar.done == 3
    return stream.getvalue()


def test_a_bar_is_for_slow_work_on_a_terminal(monkeypatch):
    assert "counting" in drawn(monkeypatch, Terminal(), 0)
    assert drawn(monkeypatch, Terminal(), 60) == ""
    assert drawn(monkeypatch, io.StringIO(), 0) == ""
