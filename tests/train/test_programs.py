"""Compiled programs that serve several trainings of a process."""

import pytest
import torch
from torch.fx import GraphModule, symbolic_trace

from autoencode.models.build import build, sizes_for
from autoencode.models.recipes.table import RECIPES
from autoencode.train import fit
from autoencode.train.compile import graph as graph_module
from autoencode.train.compile.step import CompiledStep
from autoencode.train.settings import Settings
from autoencode.train.trainer import Trainer

SMALL = RECIPES["ae"].set("network.hidden", (16,))


def identity(digits, recipe=SMALL, **settings):
    """What the program of a training's step depends on."""
    chosen = Settings.of(recipe, {"batch_size": 32, "precision": "float32", **settings})
    model = build(recipe, sizes_for(recipe, digits.shape, n=len(digits.train)), seed=chosen.seed)
    trainer = Trainer(model, recipe, digits, chosen, None, False)
    trainer.update()
    step = CompiledStep(trainer.state, trainer.batches)
    return graph_module._identity(step.graph, step._inputs(0, step._prepare(0, 1)[1]))


@pytest.mark.long
def test_trainings_that_differ_in_numbers_alone_have_one_program(digits):
    first = identity(digits, seed=0)
    assert first is not None
    for settings in ({"seed": 1}, {"lr": 1e-2}, {"steps": 77}, {"weight_decay": 0.3}):
        assert identity(digits, **settings) == first
    for settings in ({"batch_size": 16}, {"precision": "bf16"}, {"augment": 0.5}):
        assert identity(digits, **settings) != first
    for name, value in {
        "network.hidden": (17,),
        "network.activation": "silu",
        "likelihood.mean": "identity",
        "terms.reconstruction.weight": 2.0,
    }.items():
        assert identity(digits, SMALL.set(name, value)) != first


def test_so_do_not_those_with_other_constants():
    class WithConstant(torch.nn.Module):
        def __init__(self, value):
            super().__init__()
            self.value = torch.tensor([value, 1.0])

        def forward(self, x):
            return x + self.value

    def of(value, x):
        return graph_module._identity(symbolic_trace(WithConstant(value)), [x])

    x = torch.zeros(2)
    assert of(1.0, x) == of(1.0, torch.ones(2))
    assert of(1.0, x) != of(2.0, x)
    assert of(1.0, x) != of(1.0, torch.zeros(2, dtype=torch.float64))
    assert of(1.0, torch.zeros(2, 3)) != of(1.0, torch.zeros(3, 2).t())


def test_what_a_graph_calls_and_does_not_show_is_compiled_anew():
    hidden: GraphModule = symbolic_trace(torch.nn.Sequential(torch.nn.Linear(2, 2)))
    assert graph_module._identity(hidden, [torch.zeros(1, 2)]) is None


@pytest.mark.long
def test_a_second_seed_is_not_compiled_and_trains_as_if_it_were(digits, monkeypatch):
    compiled_graphs = []
    import torch._inductor

    compiler = torch._inductor.compile

    def counting(graph, *args, **options):
        compiled_graphs.append(graph)
        return compiler(graph, *args, **options)

    monkeypatch.setattr(torch._inductor, "compile", counting)
    graph_module._PROGRAMS.clear()
    settings = {"steps": 12, "batch_size": 32, "compile": "on", "progress": False}
    found = [fit(SMALL, digits, seed=seed, **settings).model for seed in (0, 1)]
    assert len(compiled_graphs) == 1
    graph_module._PROGRAMS.clear()
    alone = fit(SMALL, digits, seed=1, **settings).model
    assert len(compiled_graphs) == 2
    for name, value in alone.state_dict().items():
        assert torch.equal(value, found[1].state_dict()[name]), name


def test_the_oldest_program_is_forgotten(monkeypatch):
    monkeypatch.setattr(graph_module, "KEPT_PROGRAMS", 2)
    monkeypatch.setattr(graph_module, "_PROGRAMS", type(graph_module._PROGRAMS)())
    monkeypatch.setattr("torch._inductor.compile", lambda graph, inputs, options: object())
    graph = symbolic_trace(torch.nn.Identity())
    inputs = [[torch.zeros(n)] for n in (1, 2, 3)]
    first, second, third = (graph_module.compiled(graph, each) for each in inputs)
    assert graph_module.compiled(graph, inputs[2]) is third
    assert graph_module.compiled(graph, inputs[1]) is second
    assert graph_module.compiled(graph, inputs[0]) is not first
    assert graph_module.compiled(graph, inputs[2]) is not third
