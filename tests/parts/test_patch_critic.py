"""The critic of patches: its loss written out, what has gradients, and that it learns."""

import pytest
import torch
from torch import nn
from torch.distributions import Independent, Normal

from autoencode.contract import Adversary, Code, ForwardPass, Sizes
from autoencode.errors import RecipeError
from autoencode.parts.terms.image_critic import PatchCritic

SHAPES = [(28, 28), (3, 17, 40), (1, 8, 8), (2, 1, 5)]


def made(x, context=0, lead=(), **args):
    torch.manual_seed(0)
    term = PatchCritic(Sizes(x, (3,), context=context), **{"width": 4} | args)
    images = torch.rand(4, *x)
    decoded = torch.rand(*lead, 4, *x, requires_grad=True)
    px = Independent(Normal(decoded, 1.0), len(x))
    given = torch.rand(4, context) if context else None
    code = Code(torch.zeros(*lead, 4, 3))
    return term, decoded, ForwardPass(images, images, given, code, px, None, nn.Identity())


@pytest.mark.parametrize("lead", [(), (2,)])
@pytest.mark.parametrize("context", [0, 2])
@pytest.mark.parametrize("x", SHAPES)
def test_shapes_of_any_image(x, context, lead):
    term, _, p = made(x, context, lead)
    assert isinstance(term, Adversary)
    assert term(p).shape == (*lead, 4)
    assert term.critic_loss(p).shape == ()
    assert term.features(p.px.mean).shape[:-1] == (*lead, 4)
    # Patches are judged one by one: the critic has a number for each position.
    assert term._patches(term.maps(p.x), p.context).shape == (4, *term.smallest[1:])


@pytest.mark.parametrize("context", [0, 2])
def test_values_are_features_and_hinges_by_hand(context):
    term, decoded, p = made((12, 12), context, features=0.7, generator=3.0)

    def judged(images):
        maps = term.body(images.reshape(-1, 1, 12, 12))
        if context:
            wide = p.context[:, :, None, None].expand(-1, -1, *maps.shape[2:])
            maps = torch.cat([maps, wide], 1)
        weight, bias = term.head.weight[0, :, 0, 0], term.head.bias
        return torch.einsum("nchw,c->nhw", maps, weight) + bias

    error = (term.features(p.x) - term.features(decoded)).square().sum(-1) / 2
    expected = 0.7 * error - 3 * judged(decoded).mean((1, 2))
    torch.testing.assert_close(term(p), expected, rtol=1e-4, atol=1e-4)
    real, fake = (1 - judged(p.x)).clamp(min=0), (1 + judged(decoded)).clamp(min=0)
    torch.testing.assert_close(term.critic_loss(p), 0.5 * (real.mean() + fake.mean()))


def test_each_side_has_its_own_gradient():
    term, decoded, p = made((12, 12))
    term.critic_loss(p).backward()
    assert decoded.grad is None
    # Both hinges are active at first, so that the gradient of the last bias is 0.
    found = [each.grad for each in term.parameters() if each is not term.head.bias]
    assert all(each.abs().sum() > 0 for each in found)
    term.zero_grad()
    term(p).sum().backward()
    assert decoded.grad.abs().sum() > 0
    without, other, q = made((12, 12), features=0.0, generator=0.0)
    without(q).sum().backward()
    assert other.grad.abs().sum() == 0


def test_the_critic_learns_to_tell():
    """The upper half of each real image is bright."""
    term, _, p = made((16, 12))
    optimizer = torch.optim.Adam(term.parameters(), 3e-2)
    losses = []
    for _ in range(60):
        real = torch.rand(16, 16, 12)
        real[:, :8] = 1.0
        decoded = Independent(Normal(torch.rand(16, 16, 12), 1.0), 2)
        p = ForwardPass(real, real, None, p.code, decoded, None, p.model)
        loss = term.critic_loss(p)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[0] > 0.9
    assert losses[-1] < 0.7


def test_vectors_are_refused():
    with pytest.raises(RecipeError, match=r"needs images.*vectors of 20.*\"vq-vae\""):
        PatchCritic(Sizes((20,), (2,)))
