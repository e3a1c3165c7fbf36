"""The critic of images: who pays what, and that it learns."""

import pytest
import torch
from torch import nn
from torch.distributions import Independent, Normal
from torch.nn.functional import softplus

from autoencode.contract import Adversary, Code, ForwardPass, Sizes
from autoencode.errors import RecipeError
from autoencode.maths import standard_normal
from autoencode.parts.terms.image_critic import ImageCritic

SHAPES = [(28, 28), (3, 17, 40), (1, 8, 8), (2, 1, 5)]


class Plain(nn.Module):
    """A model of two linear layers: all that a pass asks of one."""

    def __init__(self, x, latent, context=0):
        super().__init__()
        self.x = x
        pixels = torch.Size(x).numel()
        self.encoder = nn.Linear(pixels, latent)
        self.decoder = nn.Linear(latent + context, pixels)

    def decode(self, z, context=None):
        if context is not None:
            z = torch.cat([z, context.expand(*z.shape[:-1], -1)], -1)
        mean = self.decoder(z).sigmoid().unflatten(-1, self.x)
        return Independent(Normal(mean, 1.0), len(self.x))


def made(x, context=0, samples=2, batch=4, generator=10.0):
    torch.manual_seed(0)
    sizes = Sizes(x, (3,), context=context)
    term, model = ImageCritic(sizes, width=4, generator=generator), Plain(x, 3, context)
    images = torch.rand(batch, *x)
    context = torch.rand(batch, context) if context else None
    z = model.encoder(images.flatten(1)).expand(samples, batch, 3)
    pz = standard_normal((3,), like=z)
    return (
        term,
        model,
        ForwardPass(images, images, context, Code(z), model.decode(z, context), pz, model),
    )


@pytest.mark.parametrize("context", [0, 2])
@pytest.mark.parametrize("x", SHAPES)
def test_shapes_of_any_image(x, context):
    term, _, p = made(x, context)
    assert isinstance(term, Adversary)
    assert term(p).shape == (2, 4)
    assert (term(p) > 0).all()
    assert term.critic_loss(p).shape == ()
    assert term.features(p.px.mean).shape[:2] == (2, 4)


def test_value_is_the_feature_error_and_what_the_critic_says():
    term, model, p = made((12, 12), context=2, generator=3.0)
    head = term.head

    def logit(images):
        return head(torch.cat([term.features(images), p.context.expand(*images.shape[:2], -1)], -1))

    torch.manual_seed(5)
    value = term(p)
    torch.manual_seed(5)
    drawn = model.decode(torch.randn(2, 4, 3), p.context).mean
    error = (term.features(p.x) - term.features(p.px.mean)).square().sum(-1) / 2
    fooled = softplus(-logit(p.px.mean)) + softplus(-logit(drawn))
    torch.testing.assert_close(value, error + 1.5 * fooled.squeeze(-1))

    torch.manual_seed(5)
    own = term.critic_loss(p)
    real = softplus(-logit(p.x.expand(2, 4, 12, 12))).mean()
    told = 0.5 * (softplus(logit(p.px.mean)).mean() + softplus(logit(drawn)).mean())
    torch.testing.assert_close(own, 0.5 * (real + told))


def test_the_encoder_does_not_pay_the_critic():
    def gradient(generator, of):
        term, model, p = made((12, 12), generator=generator)
        torch.manual_seed(1)
        term(p).sum().backward()
        return getattr(model, of).weight.grad

    torch.testing.assert_close(gradient(0.0, "encoder"), gradient(100.0, "encoder"))
    assert gradient(0.0, "encoder").abs().sum() > 0
    assert not torch.allclose(gradient(0.0, "decoder"), gradient(100.0, "decoder"))


def test_no_gradient_of_the_critics_loss_reaches_the_model():
    term, model, p = made((12, 12))
    term.critic_loss(p).backward()
    assert all(parameter.grad is None for parameter in model.parameters())
    assert all(parameter.grad.abs().sum() > 0 for parameter in term.parameters())


def test_features_keep_their_scale_whatever_the_weights():
    term, _, p = made((28, 28))
    before = term.features(p.x)
    with torch.no_grad():
        for module in term.body:
            if isinstance(module, nn.Conv2d):
                module.weight *= 30
    torch.testing.assert_close(term.features(p.x), before, rtol=1e-2, atol=1e-2)


def test_the_critic_learns_to_tell():
    term, _, p = made((12, 12), samples=1, batch=32)
    bright = torch.rand(32, 12, 12)
    bright[:, :6] = 1.0
    p = ForwardPass(bright, bright, None, p.code, p.px, p.pz, p.model)
    optimizer = torch.optim.Adam(term.parameters(), 1e-2)
    losses = []
    for _ in range(15):
        loss = term.critic_loss(p)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[0] > 0.3
    assert losses[-1] < 0.1


def test_vectors_are_refused():
    with pytest.raises(RecipeError, match=r"needs images.*vectors of 20"):
        ImageCritic(Sizes((20,), (2,)))
