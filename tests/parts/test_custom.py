"""Networks of the user's own: found, refused with a reason, tried before they are used."""

import importlib.util
import sys

import pytest
import torch
from torch import nn

from autoencode.arguments import arguments_of
from autoencode.contract import Network, Sizes
from autoencode.errors import RecipeError
from autoencode.parts.networks.conv import Conv
from autoencode.parts.networks.custom import custom_network, is_custom, kind_of_class, network_file
from autoencode.parts.networks.mlp import MLP
from autoencode.parts.networks.network_check import check_network
from autoencode.parts.networks.resnet import ResNet

CLASS = """
from __future__ import annotations
from dataclasses import dataclass
from torch import nn
from autoencode.contract import Network, Sizes

@dataclass
class Note:
    text: str = ""

class MyNet(Network):
    def __init__(self, width: int = 8):
        self.width = width
    def encoder(self, sizes: Sizes, features: int) -> nn.Module:
        return Half(sizes.pixels + sizes.context, self.width, (features,))
    def decoder(self, sizes: Sizes, channels: int) -> nn.Module:
        return Half(sizes.latent + sizes.context, self.width, (channels, *sizes.x))

class Half(nn.Module):
    def __init__(self, inputs, width, shape):
        super().__init__()
        import math, torch
        self.torch, self.shape = torch, shape
        self.body = nn.Sequential(
            nn.Linear(inputs, width), nn.BatchNorm1d(width), nn.ReLU(),
            nn.Linear(width, math.prod(shape)),
        )
    def forward(self, x, c):
        h = x.flatten(1)
        h = h if c is None else self.torch.cat([h, c], 1)
        return self.body(h).reshape(-1, *self.shape)
"""
PAIR = """
from torch import nn

class Encoder(nn.Module):
    def __init__(self, sizes, features):
        super().__init__()
        self.layer = nn.Linear(sizes.pixels, features)
    def forward(self, x):
        return self.layer(x.flatten(1))

class Decoder(nn.Module):
    def __init__(self, sizes, channels):
        super().__init__()
        self.shape = (channels, *sizes.x)
        self.layer = nn.Linear(sizes.latent, channels * sizes.pixels)
    def forward(self, z):
        return self.layer(z).unflatten(1, self.shape)
"""
SIZES = Sizes((5, 6), (3,))


@pytest.fixture
def file(tmp_path):
    def written(text, name="my_nets.py"):
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        return path

    yield written
    for name in [name for name in sys.modules if name.startswith("autoencode_own_")]:
        del sys.modules[name]


def test_a_class_of_a_file_is_a_network(file, tmp_path, monkeypatch):
    path = file(CLASS)
    network = custom_network(f"{path}:MyNet")
    assert issubclass(network, Network)
    assert dict(arguments_of(network)) == {"width": int}
    check_network(network(width=4), SIZES, 6, 2)
    check_network(network(), Sizes((5, 6), (3,), context=2), 6, 1)
    monkeypatch.chdir(tmp_path)
    assert custom_network("my_nets.py:MyNet") is network


def test_a_pair_of_plain_modules_is_a_network(file):
    network = custom_network(str(file(PAIR)))
    assert network is custom_network(str(file(PAIR)))
    check_network(network(), SIZES, 6, 2)
    encoder = network().encoder(SIZES, 6)
    x = torch.rand(4, 5, 6)
    torch.testing.assert_close(encoder(x, None), encoder.module.layer(x.flatten(1)))
    assert list(encoder.state_dict()) == ["module.layer.weight", "module.layer.bias"]


def test_a_pair_without_context_is_refused_in_a_conditional_model(file):
    network = custom_network(str(file(PAIR)))
    with pytest.raises(RecipeError, match=r"Encoder.forward takes no context.*\(B, 2\)"):
        check_network(network(), Sizes((5, 6), (3,), context=2), 6, 1)
    both = PAIR.replace("forward(self, x)", "forward(self, x, c)").replace(
        "forward(self, z)", "forward(self, z, c=None)"
    )
    conditional = custom_network(str(file(both)))
    check_network(conditional(), Sizes((5, 6), (3,), context=2), 6, 1)
    assert type(conditional().encoder(SIZES, 2)).__name__ == "Encoder"


def test_a_file_is_executed_once_for_each_content(file, tmp_path):
    count = "import pathlib\npathlib.Path(__file__).with_suffix(f'.{id(MyNet)}').touch()"
    path = file(CLASS + count)
    first = custom_network(f"{path}:MyNet")
    assert custom_network(f"{path}:MyNet") is first
    assert len(list(tmp_path.glob("my_nets.*"))) == 2
    file(CLASS.replace("width: int = 8", "depth: int = 8, width: int = 8"))
    assert list(arguments_of(custom_network(f"{path}:MyNet"))) == ["depth", "width"]


def test_a_class_given_in_python_is_named_by_its_file(file):
    path = file(CLASS)
    spec = importlib.util.spec_from_file_location("my_nets_of_a_test", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules["my_nets_of_a_test"] = module
    try:
        spec.loader.exec_module(module)
        kind = kind_of_class(module.MyNet)
        assert kind == f"{path}:MyNet"
        assert is_custom(kind)
        assert network_file(kind) == (path, "MyNet")
        check_network(custom_network(kind)(), SIZES, 6, 1)
        with pytest.raises(RecipeError, match="must be given as a class"):
            kind_of_class(module.MyNet())
    finally:
        del sys.modules["my_nets_of_a_test"]


def test_a_class_that_no_file_holds_is_refused():
    class Inner(MLP):
        pass

    with pytest.raises(RecipeError, match=r"Inner is not defined at the top level.*my_nets.py"):
        kind_of_class(Inner)
    Inner.__qualname__, Inner.__module__ = "Inner", "__main__"
    with pytest.raises(RecipeError, match="%%writefile"):
        kind_of_class(Inner)


@pytest.mark.parametrize(
    ("name", "text", "kind", "sentence"),
    [
        ("other.py", "", "my_nets.py:MyNet", r"my_nets.py, cannot be read: it does not exist"),
        ("my_nets.py", CLASS, "my_nets.py:MyNett", r"no class MyNett.*Did you mean \"MyNet\""),
        ("my_nets.py", "x = 1", "my_nets.py:MyNet", r"no class MyNet in .*The file has no classes"),
        (
            "my_nets.py",
            CLASS,
            "my_nets.py:Half",
            r"Half in .* is not a network.*class Half\(Network",
        ),
        ("my_nets.py", CLASS, "my_nets.py", r"no class Encoder in"),
        ("my_nets.py", "\n1 / 0", "my_nets.py:A", r"line 2: ZeroDivisionError: division by zero"),
        ("my_nets.py", "a = (", "my_nets.py:A", r"cannot be imported: SyntaxError"),
        ("my_nets.py", "import neighbour_of", "my_nets.py:A", r"ModuleNotFound.*not other files"),
        ("my_nets.py", "raise SystemExit(3)", "my_nets.py:A", r"cannot be imported.*SystemExit"),
        (
            "my_nets.py",
            CLASS.replace("width: int = 8", "width=8"),
            "my_nets.py:MyNet",
            r"argument width of MyNet .* no type annotation.*width: int = 64",
        ),
        (
            "my_nets.py",
            CLASS.replace("def decoder", "def decode"),
            "my_nets.py:MyNet",
            r"lacks decoder",
        ),
        (
            "my_nets.py",
            PAIR.replace("class Decoder(nn.Module)", "class Decoder"),
            "my_nets.py",
            r"Decoder in .* is not a torch.nn.Module",
        ),
    ],
)
def test_what_cannot_be_used_is_refused(file, monkeypatch, tmp_path, name, text, kind, sentence):
    file(text, name)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(RecipeError, match=sentence):
        custom_network(kind)


def test_a_file_that_failed_is_tried_again(file):
    path = file("raise ValueError('no')")
    for _ in range(2):
        with pytest.raises(RecipeError, match="ValueError: no"):
            custom_network(f"{path}:MyNet")


class Given(Network):
    """Two modules that were made before."""

    def __init__(self, encoder, decoder):
        self.modules = encoder, decoder

    def encoder(self, sizes, features):
        return self.modules[0]

    def decoder(self, sizes, channels):
        return self.modules[1]


class Says(nn.Module):
    def __init__(self, answer):
        super().__init__()
        self.answer = answer

    def forward(self, x, context):
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


GOOD = Says(torch.zeros(2, 6)), Says(torch.zeros(2, 2, 5, 6))


@pytest.mark.parametrize(
    ("encoder", "decoder", "sentence"),
    [
        (
            Says(torch.zeros(2, 5)),
            GOOD[1],
            r"encoder.*\(2, 5, 6\), returns shape \(2, 5\), and \(2, 6\)",
        ),
        (
            GOOD[0],
            Says(torch.zeros(2, 5, 6)),
            r"decoder.*\(2, 3\), returns shape \(2, 5, 6\), and \(2, 2",
        ),
        (Says((1, 2)), GOOD[1], r"encoder of Given.* returns a tuple and not a tensor"),
        (Says(torch.zeros(2, 6).long()), GOOD[1], r"returns torch.int64.*floating-point"),
        (
            lambda x, context: x,
            GOOD[1],
            r"encoder of Given is a function and not a torch.nn.Module",
        ),
        (GOOD[0], nn.LazyLinear(5), r"decoder of Given has lazy layers"),
        (Says(ValueError("bad mood")), GOOD[1], r"fails, in line \d+: ValueError: bad mood"),
        (
            nn.Linear(3, 6),
            GOOD[1],
            r"encoder of Given, called with shape \(2, 5, 6\), fails: TypeError",
        ),
    ],
)
def test_a_network_that_does_not_do_what_it_should_is_refused(encoder, decoder, sentence):
    check_network(Given(*GOOD), SIZES, 6, 2)
    with pytest.raises(RecipeError, match=sentence):
        check_network(Given(encoder, decoder), SIZES, 6, 2)


def test_memory_that_runs_out_is_not_blamed_on_the_file():
    with pytest.raises(MemoryError):
        check_network(Given(Says(MemoryError()), GOOD[1]), SIZES, 6, 2)


@pytest.mark.parametrize("network", [MLP(), Conv(), ResNet(width=4)])
def test_the_trial_leaves_randomness_alone_and_passes_our_own(network):
    torch.manual_seed(0)
    before = torch.get_rng_state()
    check_network(network, Sizes((12, 13), (3,), context=2), 6, 2)
    assert torch.equal(torch.get_rng_state(), before)
