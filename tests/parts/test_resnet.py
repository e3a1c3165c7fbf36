from itertools import pairwise

import pytest
import torch
from torch import nn

from autoencode.contract import Sizes
from autoencode.errors import RecipeError
from autoencode.parts.networks.resnet import ResidualBlock, ResNet

SHAPES = [(28, 28), (1, 28, 28), (3, 32, 32), (37, 53), (8, 8), (2, 1, 5)]


def halves(x, channels=1, context=0, **args):
    torch.manual_seed(0)
    sizes = Sizes(x, (3,), context=context)
    network = ResNet(**args)
    return network.encoder(sizes, 6), network.decoder(sizes, channels)


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("x", SHAPES)
def test_shapes_of_any_image(x, channels):
    encoder, decoder = halves(x, channels, width=4)
    assert encoder(torch.rand(5, *x)).shape == (5, 6)
    assert decoder(torch.randn(5, 3)).shape == (5, channels, *x)


@pytest.mark.parametrize("args", [{"stages": 1}, {"blocks": 3}, {"hidden": ()}, {"norm": "none"}])
def test_gradients_reach_every_parameter(args):
    encoder, decoder = halves((12, 12), width=4, **args)
    decoder(encoder(torch.rand(6, 12, 12))[:, :3]).square().sum().backward()
    for half in (encoder, decoder):
        for name, parameter in half.named_parameters():
            assert parameter.grad.abs().sum() > 0, name


def test_blocks_keep_the_map_and_add_to_it():
    """With F = 0 a block is the activation alone, so that nothing but the halvings remain."""
    encoder, _ = halves((28, 28), width=4, blocks=2, activation="relu")
    without, _ = halves((28, 28), width=4, blocks=1)
    convolutions = [m for m in encoder.modules() if isinstance(m, nn.Conv2d)]
    assert len(convolutions) == 2 * (1 + 2 * 2)  # two halvings, each with two blocks of two
    for conv in convolutions:
        if conv.stride == (1, 1):
            nn.init.zeros_(conv.weight)
    x = torch.rand(4, 28, 28)
    h = x[:, None]
    for module in encoder.eval().body:
        if not isinstance(module, ResidualBlock):
            h = module(h)
    torch.testing.assert_close(encoder.body(x[:, None]), h)
    assert sum(p.numel() for p in without.parameters()) < sum(
        p.numel() for p in encoder.parameters()
    )


def test_no_bias_is_normalised_away():
    for half in halves((28, 28)):
        found = list(half.body.modules())
        for conv, norm in pairwise(found):
            if isinstance(norm, nn.BatchNorm2d):
                assert conv.bias is None


def test_context_reaches_both_halves():
    encoder, decoder = (half.eval() for half in halves((12, 12), context=2, width=4))
    x, z = torch.rand(1, 12, 12), torch.randn(1, 3)
    one, other = torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, 1.0]])
    assert not torch.allclose(encoder(x, one), encoder(x, other))
    assert not torch.allclose(decoder(z, one), decoder(z, other))


def test_vectors_are_refused():
    with pytest.raises(RecipeError, match=r'resnet network needs images.*vectors of 20.*"mlp"'):
        ResNet().encoder(Sizes((20,), (2,)), 2)
