"""Graphs: what is stored, what is left out, and what is refused."""

import json
import logging

import pytest
import torch
from torch import nn

from autoencode.errors import AutoencodeError
from autoencode.explorer.graph import Unsupported, network_graph

pytestmark = pytest.mark.long


class Function(nn.Module):
    """A function as a module."""

    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, x):
        return self.function(x)


def graph_of(function, x):
    return network_graph(Function(function), {"x": x})


def ops(graph):
    return [node["op"] for node in graph.nodes]


def test_a_graph_is_json_and_bytes():
    torch.manual_seed(0)
    graph = network_graph(nn.Linear(3, 2), {"x": torch.zeros(1, 3)})
    assert json.loads(json.dumps(graph.to_dict())) == {
        "inputs": [{"name": "x", "shape": [1, 3]}],
        "constants": [
            {"shape": [2, 3], "type": "float32", "offset": 0},
            {"shape": [2], "type": "float32", "offset": 24},
        ],
        "nodes": [{"op": "linear", "in": [0, 1, 2], "args": {}, "shape": [1, 2]}],
        "outputs": [3],
    }
    assert len(graph.weights) == 32


def test_large_constants_are_stored_in_half_precision_if_that_changes_little():
    weights = torch.rand(5000) - 0.5
    kinds = {
        "float16": [weights, weights * 100, torch.arange(5000.0) % 2048, weights.sign() * 1e-3],
        "float32": [torch.arange(5000.0) * 20, weights * 1e-8, weights[:2000]],
    }
    for kind, constants in kinds.items():
        for constant in constants:
            graph = graph_of(lambda x, add=constant: x + add, torch.zeros(1, len(constant)))
            assert [each["type"] for each in graph.constants] == [kind]
            assert len(graph.weights) == len(constant) * (2 if kind == "float16" else 4)


def test_halved_weights_are_close(compare):
    torch.manual_seed(0)
    wide = nn.Sequential(nn.Linear(100, 100), nn.ReLU(), nn.Linear(100, 100))
    ((page, expected),) = compare({"wide": wide}, torch.randn(1, 100)).values()
    error = (page[0] - expected[0]).abs().max()
    assert 0 < error < 2e-3


def test_unused_and_constant_operations_are_left_out():
    def function(x):
        x.exp()
        return x * torch.linspace(0, 1, 3).exp().sum()

    graph = graph_of(function, torch.zeros(1, 3))
    assert ops(graph) == ["binary"]
    assert [each["shape"] for each in graph.constants] == [[]]


def test_equal_constants_are_stored_once():
    graph = graph_of(lambda x: (x + torch.ones(3)) * torch.ones(3), torch.zeros(1, 3))
    assert len(graph.constants) == 1


def test_batch_norm_is_folded_into_the_preceding_layer():
    layers = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.ReLU()).eval()
    assert ops(network_graph(layers, {"x": torch.zeros(1, 1, 4, 4)})) == ["conv2d", "unary"]


def test_a_chain_of_reshapes_is_one():
    graph = graph_of(lambda x: x.flatten(1).reshape(1, 2, 6)[:, None] * 2, torch.zeros(1, 3, 4))
    assert ops(graph) == ["reshape", "binary"]


def test_outputs_may_be_inputs_and_constants(run):
    graph = graph_of(lambda x: (x, torch.ones(2), x + 1), torch.zeros(1, 2))
    found = run({"mixed": (graph, [torch.tensor([[3.0, 4.0]])])})["mixed"]
    assert [each.tolist() for each in found] == [[[3, 4]], [1, 1], [[4, 5]]]


def branches(x):
    return x if x.sum() > 0 else -x


@pytest.mark.parametrize(
    ("function", "words"),
    [
        (lambda x: torch.linalg.svdvals(x), "svd"),
        (lambda x: torch.fft.rfft(x).real, "fft"),
        (lambda x: x + torch.rand(3), "random"),
        (lambda x: x + torch.randn_like(x), "randn_like"),
        (nn.functional.dropout, "dropout"),
        (lambda x: nn.functional.max_pool2d(x[None], 2, return_indices=True), "all results"),
        (branches, "cannot be exported as a graph"),
        (lambda x: x[x > 0], "shape depends on the values"),
        (lambda x: x.new_zeros(3).fill_(x.max().item()), "cannot be exported|item"),
    ],
)
@pytest.mark.filterwarnings("error")
def test_unsupported_operations_are_named(function, words, capfd):
    level = logging.root.manager.disable
    with pytest.raises(Unsupported, match=words) as caught:
        graph_of(function, torch.rand(3, 3))
    assert isinstance(caught.value, AutoencodeError)
    assert caught.value.fix
    assert capfd.readouterr() == ("", "")
    assert logging.root.manager.disable == level


def test_a_network_in_training_mode_is_refused():
    layers = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2)).train()
    with pytest.raises(Unsupported, match=r"model\.eval\(\)"):
        network_graph(layers, {"x": torch.zeros(1, 1, 4, 4)})
    assert layers[1].num_batches_tracked == 0
