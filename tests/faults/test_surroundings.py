"""What surrounds a process: pipes, terminals, locales."""

import os

import pytest

from autoencode.models.run import open_run

# A locale that knows ASCII only, whatever Python thinks of it.
BARE = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "TERM": "dumb"}


@pytest.mark.slow
def test_a_training_goes_on_when_nobody_reads_what_it_says(start, ended, tmp_path):
    """As `| head -1` leaves it, with no terminal, and in a locale that knows ASCII only."""
    reading, writing = os.pipe()
    os.close(reading)
    quick = "--steps 20 --validate-every 20 --set network.hidden=[16] --no-report --out run"
    process = start("train", "vae", "--data", "digits", *quick.split(), env=BARE, stdout=writing)
    os.close(writing)
    _, err = ended(process, 0)
    assert err == ""
    assert open_run(tmp_path / "run").metrics()["n_test"] == 359


@pytest.mark.slow  # processes of their own
def test_lines_that_nobody_reads_are_no_fault(start, ended):
    """The reader has left before the first line comes."""
    process = start("recipes", env=BARE)
    process.stdout.close()
    process.stdout = None
    _, err = ended(process, 0)
    assert err == ""
