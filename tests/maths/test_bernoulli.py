import pytest
import torch
from torch.distributions import Bernoulli, Independent

from autoencode.maths import BernoulliImages


def both(*shape, events=1):
    torch.manual_seed(0)
    logits = (6 * torch.randn(*shape, dtype=torch.float64)).requires_grad_()
    theirs = Independent(Bernoulli(logits=logits, validate_args=False), events)
    return BernoulliImages(logits, events), theirs, logits


@pytest.mark.parametrize(("shape", "events"), [((4, 28, 28), 2), ((3, 4, 5), 1), ((2, 3, 6, 7), 3)])
def test_it_is_torchs(shape, events):
    ours, theirs, logits = both(*shape, events=events)
    assert (ours.batch_shape, ours.event_shape) == (theirs.batch_shape, theirs.event_shape)
    grey = torch.rand(shape, dtype=torch.float64)
    for x in (grey, grey.round()):
        torch.testing.assert_close(ours.log_prob(x), theirs.log_prob(x))
        gradients = [
            torch.autograd.grad(each.log_prob(x).sum(), logits)[0] for each in (ours, theirs)
        ]
        torch.testing.assert_close(*gradients)
    torch.testing.assert_close(ours.entropy(), theirs.entropy())
    torch.testing.assert_close(ours.mean, theirs.mean)
    torch.testing.assert_close(ours.variance, theirs.variance)
    assert ours.support.check(grey.round()).all()


def test_one_image_is_judged_by_each_of_many_draws():
    ours, theirs, _ = both(5, 2, 3)
    x = torch.rand(2, 3, dtype=torch.float64)
    torch.testing.assert_close(ours.log_prob(x), theirs.log_prob(x))


def test_sure_pixels_cost_nothing_and_no_infinity():
    sure = BernoulliImages(torch.tensor([[200.0, -200.0]]), 1)
    assert sure.log_prob(torch.tensor([[1.0, 0.0]])).item() == 0
    assert sure.log_prob(torch.tensor([[0.0, 1.0]])).item() == -400


def test_samples_have_the_mean():
    ours, _, _ = both(2, 3)
    torch.manual_seed(0)
    drawn = ours.sample((20_000,))
    assert drawn.shape == (20_000, 2, 3)
    assert set(drawn.unique().tolist()) == {0, 1}
    torch.testing.assert_close(drawn.mean(0), ours.mean.detach(), rtol=0, atol=0.02)
