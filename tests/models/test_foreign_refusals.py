"""Modules that cannot be used are refused, and the fix in the sentence works."""

import pytest
import torch
from torch import nn

import autoencode as ae
from autoencode.errors import AutoencodeError


class Plain(nn.Module):
    def __init__(self, pixels=64, channels=None):
        super().__init__()
        first = [nn.Flatten(), nn.Linear(pixels, 2)]
        if channels is not None:
            first = [nn.Conv2d(channels, 2, 8), nn.Flatten()]
        self.encoder = nn.Sequential(*first)
        self.decoder = nn.Sequential(nn.Linear(2, pixels * (channels or 1)), nn.Sigmoid())


def images(n=7, side=8):
    return torch.rand(n, side, side, generator=torch.Generator().manual_seed(0))


def refusal(module, x):
    with pytest.raises(AutoencodeError) as error:
        ae.plot(module, x)
    return str(error.value)


def test_a_sequential_has_no_halves():
    module = nn.Sequential(nn.Flatten(), nn.Linear(64, 2), nn.Linear(2, 64))
    text = refusal(module, images())
    assert "has no decoder" in text
    assert "module.encoder, module.decoder = module[:k], module[k:]" in text
    k = 2
    module.encoder, module.decoder = module[:k], module[k:]
    assert ae.embed(module, images()).shape == (7, 2)


def test_halves_with_other_names():
    class Names(nn.Module):
        def __init__(self):
            super().__init__()
            self.inference = nn.Sequential(nn.Flatten(), nn.Linear(64, 2))
            self.generator = nn.Linear(2, 64)

    module = Names()
    text = refusal(module, images())
    assert "has no encoder and no method encode" in text
    assert "module.encoder = module.inference" in text
    module.encoder = module.inference
    text = refusal(module, images())
    assert "module.decoder = module.generator" in text or "has no decoder" in text
    module.decoder = module.generator
    assert ae.embed(module, images()).shape == (7, 2)


def test_a_forward_that_fails_is_shown_with_its_own_error():
    class Fails(Plain):
        def forward(self, x, labels):
            return self.decoder(self.encoder(x)) + labels

    text = refusal(Fails(), images())
    assert "forward of Fails fails: TypeError" in text
    assert "'labels'" in text
    assert "what else it needs can have a default" in text

    class Fixed(Fails):
        def forward(self, x, labels=0):
            return super().forward(x, labels)

    assert ae.plot(Fixed(), images())


def test_images_of_another_size_than_the_first_layer():
    module, x = Plain(256), images()
    text = refusal(module, x)
    assert (
        "encoder of Plain fails for examples of shape (8, 8): RuntimeError: mat1 and mat2" in text
    )
    fix = "nn.functional.interpolate(x.reshape(-1, 1, 8, 8), (16, 16))"
    assert fix in text
    assert ae.plot(module, eval(fix))
    data = ae.load_data("digits", size=(16, 16))
    assert ae.evaluate(module, data, ["reconstruction"])["squared_error"] > 0


@pytest.mark.parametrize("channels", [1, 3])
def test_another_number_of_channels(channels):
    module = Plain(channels=channels)
    x = images() if channels == 3 else images()[:, None].expand(-1, 3, -1, -1)
    text = refusal(module, x)
    assert f"takes {channels} channels. Give as many: " in text
    fix = text.partition("Give as many: ")[2].removesuffix(".")
    assert ae.plot(module, eval(fix))


def test_rows_of_another_width():
    module = Plain(10)
    text = refusal(module, torch.rand(6, 7))
    assert "takes 10 values, and an example has 7" in text
    assert ae.plot(module, torch.rand(6, 10))


def test_decoded_images_of_another_size():
    class Larger(Plain):
        def __init__(self):
            super().__init__()
            self.decoder = nn.Sequential(nn.Linear(2, 100), nn.Unflatten(1, (1, 10, 10)))

    module = Larger()
    text = refusal(module, images())
    assert "decoder of Larger gives examples of shape (1, 10, 10), and the data have (8, 8)" in text
    fix = "module.decoder = nn.Sequential(module.decoder, nn.Upsample(size=(8, 8)))"
    assert fix in text
    exec(fix)
    assert ae.plot(module, images())


def test_a_layer_between_the_halves():
    class Between(Plain):
        def __init__(self):
            super().__init__()
            self.encoder = nn.Sequential(nn.Flatten(), nn.Linear(64, 16))
            self.down = nn.Linear(16, 2)

        def forward(self, x):
            return self.decoder(self.down(self.encoder(x)))

    text = refusal(Between(), images())
    assert "decoder of Between fails for codes of shape (16,)" in text
    assert "encode(self, x)" in text

    class Fixed(Between):
        def encode(self, x):
            return self.down(self.encoder(x))

    assert ae.plot(Fixed(), images())


def test_values_that_are_not_finite():
    module = Plain()
    weights = module.encoder[1].weight.detach().clone()
    with torch.no_grad():
        module.encoder[1].weight[0, 0] = torch.nan
    text = refusal(module, images())
    assert "encoder of Plain gives NaN or infinity" in text
    with torch.no_grad():
        module.encoder[1].weight.copy_(weights)
    assert ae.plot(module, images())


def test_a_module_without_parameters():
    class Fixed(nn.Module):
        def __init__(self, wrap):
            super().__init__()
            self.weights = wrap(torch.eye(64)[:2])

        def encode(self, x):
            return x.flatten(1) @ self.weights.T

        def decode(self, z):
            return z @ self.weights

    text = refusal(Fixed(lambda w: w), images())
    fix = "nn.Parameter(weights, requires_grad=False)"
    assert fix in text
    assert ae.plot(Fixed(lambda weights: eval(fix, {"nn": nn, "weights": weights})), images())


def test_lazy_layers():
    module = Plain()
    module.encoder = nn.Sequential(nn.Flatten(), nn.LazyLinear(2))
    assert "Call it once on a batch" in refusal(module, images())
    assert isinstance(module.encoder[1].weight, nn.parameter.UninitializedParameter)
    module.encoder(images())
    assert ae.plot(module, images())


def test_examples_that_are_not_finite():
    x = images()
    x[0, 0, 0] = torch.nan
    text = refusal(Plain(), x)
    assert "1 of these 7 examples contain NaN" in text
    fix = "torch.where(torch.isfinite(x), x, 0)"
    assert fix in text
    assert ae.plot(Plain(), eval(fix))


@pytest.mark.parametrize(
    ("model", "said"),
    [
        (Plain, r"Create one and load its weights: Plain\(\)"),
        ("runs/vae", r'Load it: ae.load\("runs/vae"\)'),
        ({"weight": 1}, "A dict is no model"),
    ],
)
def test_what_is_no_module(model, said):
    for call in (ae.plot, ae.embed, ae.evaluate):
        with pytest.raises(AutoencodeError, match=said):
            call(model, images())


def test_no_examples():
    with pytest.raises(AutoencodeError, match="no examples"):
        ae.plot(Plain(), images(0))
