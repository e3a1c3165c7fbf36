"""Sums of what steps report."""

import pytest
import torch

from autoencode.train.meter import AT_ONCE, Meter, Stepped


def stepped(loss, **terms):
    return Stepped(
        torch.tensor(loss),
        {name: torch.tensor(value) for name, value in terms.items()},
        lambda: torch.tensor(loss) * 10,
    )


@pytest.mark.parametrize("steps", [1, AT_ONCE, 2 * AT_ONCE + 3])
def test_a_line_tells_means_over_all_steps(steps):
    meter = Meter(steps)
    for step in range(steps):
        meter.add(stepped(float(step), kl=2.0 * step), step)
    line = meter.line(images=200)
    mean = sum(range(steps)) / steps
    assert line["loss"] == pytest.approx(mean)
    assert line["terms"] == {"kl": pytest.approx(2 * mean)}


def test_a_term_that_comes_late_is_a_share_of_all_steps():
    meter = Meter(4)
    for step in range(4):
        meter.add(stepped(1.0, **({"kl": 8.0} if step >= 2 else {})), step)
    assert meter.line(images=1)["terms"] == {"kl": 4.0}


def test_of_many_models_each_has_its_own():
    meter = Meter(AT_ONCE + 1)
    for step in range(AT_ONCE + 1):
        meter.add(stepped([1.0, float(step)]), step)
    lines = [each.line(images=1) for each in meter.of_each()]
    assert [line["loss"] for line in lines] == [1.0, AT_ONCE / 2]
    # Taken in the middle, both go on.
    meter.add(stepped([1.0, 100.0]), AT_ONCE + 1)
    assert meter.of_each()[0].line(images=1)["loss"] == 1.0
