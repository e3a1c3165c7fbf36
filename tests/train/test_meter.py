"""Means of what steps report."""

import pytest
import torch

from autoencode.train.meter import STEPS_PER_SUM, Meter


def add(meter, loss, **terms):
    terms = {name: torch.tensor(value) for name, value in terms.items()}
    meter.add(torch.tensor(loss), terms, torch.tensor(loss) * 10)


@pytest.mark.parametrize("steps", [1, STEPS_PER_SUM, 2 * STEPS_PER_SUM + 3])
def test_a_line_holds_means_over_all_steps(steps):
    meter = Meter(steps)
    for step in range(steps):
        add(meter, float(step), kl=2.0 * step)
    line = meter.means(batch_size=200)
    mean = sum(range(steps)) / steps
    assert line["loss"] == pytest.approx(mean)
    assert line["terms"] == {"kl": pytest.approx(2 * mean)}
    assert line["squared_error"] == pytest.approx(10 * mean)


def test_a_term_that_some_steps_lack_is_averaged_over_all_steps():
    meter = Meter(4)
    for step in range(4):
        add(meter, 1.0, **({"kl": 8.0} if step >= 2 else {}))
    assert meter.means(batch_size=1)["terms"] == {"kl": 4.0}


def test_the_squared_error_is_wanted_of_the_first_step_and_of_a_fifth():
    meter = Meter(50)
    assert meter.wants_error(7)
    add(meter, 1.0)
    assert [step for step in range(8, 31) if meter.wants_error(step)] == [10, 20, 30]
