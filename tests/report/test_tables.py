import csv
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.distributions import Categorical, Independent, MixtureSameFamily, Normal

from autoencode.contract import Sizes
from autoencode.evaluation import Projection
from autoencode.models.build import build
from autoencode.models.recipes.table import RECIPES
from autoencode.report.figures import (
    by_class,
    curves,
    extremes,
    grid,
    paths,
    plane,
    rates,
    reconstructions,
    restored,
    samples,
    tracking,
    wanted,
)
from autoencode.report.figures import map as neighbour_map
from autoencode.report.tables import Table, code_columns, left_out
from autoencode.report.view import MOST, look


def read(table):
    """A table's columns as any other program would read them."""
    lines = list(csv.reader(table.csv().splitlines()))
    assert len(lines) == 1 + len(table)
    return {name: list(column) for name, *column in zip(*lines, strict=True)}


def floats(column):
    return [float(value) for value in column]


@pytest.fixture
def square(glass):
    codes = 0.1 + 0.8 * torch.rand(500, 2, generator=torch.Generator().manual_seed(0))
    y = (codes[:, 0] > 0.5).long()
    return look(glass(), glass.images(codes), y, ["left", "right, or not"])


def told(model_name, few, **changes):
    """A small model that is told labels, or tells them, and a view of it."""
    recipe = RECIPES[model_name].but(latent=2).set("network.hidden", (16,))
    model = build(recipe, Sizes((8, 8), (2,), context=10, n=100), seed=0).eval()
    return model, look(model, few.test.x, few.test.y, few.classes, **changes)


def test_cells_are_what_any_program_reads():
    table = Table(
        {
            "a, b": [1, 20_000],
            "x": np.array([1 / 3, np.nan], np.float32),
            "name": ['say "7"', None],
        },
        digits=3,
    )
    assert table.csv() == "a, b,x,name\n".replace("a, b", '"a, b"') + (
        '1,0.333,"say ""7"""\n20000,,\n'
    )


def test_codes_are_rounded_by_the_largest_and_long_ones_cut():
    table = Table({**code_columns(torch.tensor([[12.3456, -0.00001], [0.5, 1.0]]))})
    assert table.csv() == "code 1,code 2\n12.35,0\n0.5,1\n"
    assert read(Table({**code_columns(torch.tensor([[0.00123456]]))})) == {"code 1": ["0.001235"]}
    assert list(code_columns(torch.zeros(2, 100))) == [f"code {i}" for i in range(1, 65)]
    assert left_out(64) == ""
    assert "first 64 of the 100 numbers" in left_out(100)


def test_plane_is_every_code_with_its_label_and_error(square):
    found = read(plane.table(square))
    names = ["first number of the code", "second number of the code"]
    assert found["position in the test set"] == [str(i) for i in range(500)]
    for name, known in zip(names, square.codes.T, strict=True):
        assert floats(found[name]) == pytest.approx(known.tolist(), rel=6e-3)
    assert found["label"][:2] == [square.classes[label] for label in square.y[:2].tolist()]
    assert floats(found["squared error, summed over one example"]) == [0] * 500


def test_positions_are_those_in_the_whole_test_set(glass):
    codes = torch.linspace(0, 1, MOST + 500).unsqueeze(1).expand(-1, 2)
    view = look(glass(), glass.images(codes))
    places = [int(place) for place in read(plane.table(view))["position in the test set"]]
    torch.testing.assert_close(view.codes, codes[places])


def test_codes_on_a_plane_of_principal_components_keep_all_their_numbers(make):
    view = look(make("ae", (8, 8), 5), torch.rand(50, 8, 8))
    found = read(grid.table(view))
    assert len(found["code 5"]) == grid.ROWS**2
    axes = [name for name in found if name.startswith("principal component")]
    points = torch.tensor([floats(found[name]) for name in axes]).T
    codes = torch.tensor([floats(found[f"code {i}"]) for i in range(1, 6)]).T
    scale = codes.abs().max().item()
    torch.testing.assert_close(view.plane.lift(points), codes, atol=2e-3 * scale, rtol=0)


def test_grid_reads_as_its_picture_does(square):
    found = read(grid.table(square))
    assert list(found) == ["row", "column", "code 1", "code 2"]
    assert (found["row"][:2], found["column"][:2]) == (["1", "1"], ["1", "2"])
    assert floats(found["code 1"])[: grid.ROWS] == sorted(floats(found["code 1"])[: grid.ROWS])
    assert float(found["code 2"][0]) > float(found["code 2"][-1])


def test_reconstructions_are_the_pairs_that_are_drawn(make, few):
    view = look(make("ae", (8, 8)), few.test.x, few.test.y, few.classes)
    found = read(reconstructions.table(view))
    assert found["row"] == ["random"] * 16 + ["median"] * 8
    which = [int(place) for place in found["position in the test set"]]
    assert found["label"] == [few.classes[label] for label in few.test.y[which].tolist()]
    errors = floats(found["squared error, summed over one example"])
    assert errors == pytest.approx(view.errors[which].tolist(), rel=1e-3)
    assert errors[16:] == pytest.approx(view.errors.sort().values[56:64].tolist(), rel=1e-3)


def test_extremes_keep_their_places_in_the_whole_test_set(make, few):
    rows = torch.tensor([70, 7, 100])
    seen = look(make("ae", (8, 8)), few.test.x[rows], few.test.y[rows], few.classes)
    found = read(extremes.table(replace(seen, places=rows), 1, 1.0))
    assert found["row"] == ["best", "worst", "worst"]
    assert found["position in the test set"] == ["70", "7", "100"]
    assert found["label"] == [few.classes[label] for label in few.test.y[rows].tolist()]


def test_a_map_has_a_row_for_each_dot():
    found = Projection(torch.tensor([[1.0, 2.0], [3.0, 4.0]]), torch.tensor([5, 9]), "umap", 0, 10)
    assert read(neighbour_map.table(found, torch.tensor([1, 0]), ["a", "b"], False)) == {
        "position in the test set": ["5", "9"],
        "UMAP 1": ["1", "3"],
        "UMAP 2": ["2", "4"],
        "label": ["b", "a"],
    }
    assert "label" not in read(neighbour_map.table(found, None, [], False))


def test_classes_are_in_their_own_order():
    assert read(by_class.table([2.0, 8.0], ["a", "b"], 5.0)) == {
        "class": ["a", "b"],
        "squared error, mean of the examples": ["2", "8"],
    }


def test_paths_begin_and_end_at_the_codes_of_their_examples(square):
    found = read(paths.table(square))
    ends = [f"{end} end, position in the test set" for end in ("left", "right")]
    for name, at in zip(ends, (0, paths.STEPS - 1), strict=True):
        code = square.codes[int(found[name][at])]
        assert floats([found["code 1"][at], found["code 2"][at]]) == pytest.approx(
            code.tolist(), abs=1e-3
        )
    assert found["step"] == [str(i) for i in range(1, paths.STEPS + 1)]


def test_wanted_has_the_mean_and_those_near_it(square):
    found = read(wanted.table(square))
    assert found["class"] == ["left"] * 5 + ["right, or not"] * 5
    assert found["what"][:2] == ["mean", "near it"]
    assert found["position in the test set"][0] == ""
    mean = square.codes[square.y == 0].mean(0).tolist()
    assert [float(found["code 1"][0]), float(found["code 2"][0])] == pytest.approx(mean, abs=1e-3)
    near = int(found["position in the test set"][1])
    assert float(found["code 1"][1]) == pytest.approx(square.codes[near, 0].item(), abs=1e-3)


def test_samples_are_the_random_codes(square):
    found = read(samples.table(square))
    assert floats(found["code 1"]) == pytest.approx(
        samples.random_codes(square, samples.ROWS * samples.COLUMNS)[:, 0].tolist(), abs=1e-3
    )


def test_restored_has_both_errors(make):
    view = look(make("denoising-ae", (8, 8)), torch.rand(30, 8, 8))
    found = read(restored.table(view))
    clean, seen, _ = view.restored
    before = (seen - clean).square().flatten(1).sum(1)
    assert floats(found["squared error as seen, summed over one example"]) == pytest.approx(
        before.tolist(), rel=1e-3
    )


def test_curves_are_the_lines_of_the_log():
    figures = {"loss": 3.0, "squared_error": 2.5, "terms": {"kl": 0.5}}
    log = [{"step": 7, **figures}, {"step": 9, "validation": {**figures, "terms": {}}}]
    assert read(curves.table(log)) == {
        "data": ["training", "validation"],
        "step": ["7", "9"],
        "loss, nats per example": ["3", "3"],
        "squared error, summed over one example": ["2.5", "2.5"],
        "kl, nats per example": ["0.5", ""],
    }


def test_rates_are_in_the_order_of_the_code():
    found = read(rates.table([0.5, 2.0]))
    assert found == {"number of the code": ["1", "2"], "KL, nats per example": ["0.5", "2"]}


def test_images_alone_have_no_table(tmp_path):
    assert tracking.table(tmp_path, (5, 4)) is None


def test_a_model_that_tells_labels_is_shown_under_those_that_it_tells(few):
    model, view = told("m2", few)
    assert torch.equal(view.context, model.predict(few.test.x))
    # The errors that are written below the pictures are those of the pictures.
    images = view.decode(view.codes, torch.arange(len(view.x)))
    errors = (images - view.examples(len(view.x))).square().flatten(1).sum(1)
    torch.testing.assert_close(errors, view.errors, rtol=1e-4, atol=1e-4)
    assert "which the model tells from the image" in plane.about(view)
    assert f"the class “{few.classes[int(view.context[0])]}”" in grid.see(view)
    assert read(samples.table(view))["told class"][:3] == list(few.classes[:3])


def test_a_model_that_is_told_labels_says_so(few):
    _, view = told("cvae", few, context=few.test.y)
    assert "which the model takes beside the image" in plane.about(view)
    assert "are the reconstructions" not in paths.about(view)
    assert "told the same of all of them" in paths.about(view)


def test_words_know_the_prior(glass):
    normal = Independent(Normal(torch.zeros(2), torch.ones(2)), 1)
    mixture = MixtureSameFamily(
        Categorical(torch.ones(3)), Independent(Normal(torch.randn(3, 2), torch.ones(3, 2)), 1)
    )
    x = glass.images(torch.rand(50, 2))
    assert "around the origin" in plane.see(look(glass(normal), x))
    assert "was learned together" in plane.see(look(glass(mixture), x))
    assert "Nothing told this model" in plane.see(look(glass(), x))
