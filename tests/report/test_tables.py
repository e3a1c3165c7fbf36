import csv
from dataclasses import replace

import numpy as np
import pytest
import torch

from autoencode.contract import Sizes
from autoencode.evaluation import Projection
from autoencode.models.build import build
from autoencode.models.recipes.table import RECIPES
from autoencode.report.figures import decoded_grid, interpolation, samples
from autoencode.report.figures.best_and_worst import BestAndWorst
from autoencode.report.figures.class_errors import ClassErrors
from autoencode.report.figures.class_samples import ClassSamples
from autoencode.report.figures.decoded_grid import DecodedGrid
from autoencode.report.figures.denoising import Denoising
from autoencode.report.figures.interpolation import POSITION, Interpolation
from autoencode.report.figures.kl_by_dimension import KLByDimension
from autoencode.report.figures.latent_space import LatentSpace
from autoencode.report.figures.projection import CodeProjection
from autoencode.report.figures.reconstructions import Reconstructions
from autoencode.report.figures.samples import Samples
from autoencode.report.figures.training_curves import TrainingCurves
from autoencode.report.figures.training_progress import TrainingProgress
from autoencode.report.tables import Table, code_columns, omitted_dimensions
from autoencode.report.view import MAX_EXAMPLES, View


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
    return View.of(glass(), glass.images(codes), y, ["left", "right, or not"])


def conditional(model_name, few, **changes):
    """A small model that is conditioned on labels, or predicts them, and a view of it."""
    recipe = RECIPES[model_name].but(latent=2).set("network.hidden", (16,))
    model = build(recipe, Sizes((8, 8), (2,), context=10, n=100), seed=0).eval()
    return model, View.of(model, few.test.x, few.test.y, few.classes, **changes)


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
    assert table.csv() == "z1,z2\n12.35,0\n0.5,1\n"
    assert read(Table({**code_columns(torch.tensor([[0.00123456]]))})) == {"z1": ["0.001235"]}
    assert list(code_columns(torch.zeros(2, 100))) == [f"z{i}" for i in range(1, 65)]
    assert omitted_dimensions(64) == ""
    assert "first 64 of 100 latent dimensions" in omitted_dimensions(100)


def test_plane_is_every_code_with_its_label_and_error(square):
    found = read(LatentSpace(square).table())
    names = ["z1", "z2"]
    assert found["position in the test set"] == [str(i) for i in range(500)]
    for name, known in zip(names, square.codes.T, strict=True):
        assert floats(found[name]) == pytest.approx(known.tolist(), rel=6e-3)
    assert found["label"][:2] == [square.classes[label] for label in square.y[:2].tolist()]
    assert floats(found["squared error, summed over one example"]) == [0] * 500


def test_positions_are_those_in_the_whole_test_set(glass):
    codes = torch.linspace(0, 1, MAX_EXAMPLES + 500).unsqueeze(1).expand(-1, 2)
    view = View.of(glass(), glass.images(codes))
    places = [int(place) for place in read(LatentSpace(view).table())["position in the test set"]]
    torch.testing.assert_close(view.codes, codes[places])


def test_codes_on_a_plane_of_principal_components_keep_all_their_numbers(make):
    view = View.of(make("ae", (8, 8), 5), torch.rand(50, 8, 8))
    found = read(DecodedGrid(view).table())
    assert len(found["z5"]) == decoded_grid.ROWS**2
    axes = [name for name in found if name.startswith("principal component")]
    points = torch.tensor([floats(found[name]) for name in axes]).T
    codes = torch.tensor([floats(found[f"z{i}"]) for i in range(1, 6)]).T
    scale = codes.abs().max().item()
    torch.testing.assert_close(view.plane.lift(points), codes, atol=2e-3 * scale, rtol=0)


def test_grid_reads_as_its_picture_does(square):
    found = read(DecodedGrid(square).table())
    assert list(found) == ["row", "column", "z1", "z2"]
    assert (found["row"][:2], found["column"][:2]) == (["1", "1"], ["1", "2"])
    assert floats(found["z1"])[: decoded_grid.ROWS] == sorted(
        floats(found["z1"])[: decoded_grid.ROWS]
    )
    assert float(found["z2"][0]) > float(found["z2"][-1])


def test_reconstructions_are_the_pairs_that_are_drawn(make, few):
    view = View.of(make("ae", (8, 8)), few.test.x, few.test.y, few.classes)
    found = read(Reconstructions(view).table())
    assert found["row"] == ["random"] * 16 + ["median"] * 8
    which = [int(place) for place in found["position in the test set"]]
    assert found["label"] == [few.classes[label] for label in few.test.y[which].tolist()]
    errors = floats(found["squared error, summed over one example"])
    assert errors == pytest.approx(view.errors[which].tolist(), rel=1e-3)
    assert errors[16:] == pytest.approx(view.errors.sort().values[56:64].tolist(), rel=1e-3)


def test_extremes_keep_their_places_in_the_whole_test_set(make, few):
    rows = torch.tensor([70, 7, 100])
    seen = View.of(make("ae", (8, 8)), few.test.x[rows], few.test.y[rows], few.classes)
    found = read(BestAndWorst(replace(seen, positions=rows), 1, 1.0).table())
    assert found["row"] == ["lowest", "highest", "highest"]
    assert found["position in the test set"] == ["70", "7", "100"]
    assert found["label"] == [few.classes[label] for label in few.test.y[rows].tolist()]


def test_a_map_has_a_row_for_each_dot():
    found = Projection(torch.tensor([[1.0, 2.0], [3.0, 4.0]]), torch.tensor([5, 9]), "umap", 0, 10)
    assert read(CodeProjection(found, torch.tensor([1, 0]), ["a", "b"]).table()) == {
        "position in the test set": ["5", "9"],
        "UMAP 1": ["1", "3"],
        "UMAP 2": ["2", "4"],
        "label": ["b", "a"],
    }
    assert "label" not in read(CodeProjection(found, None, []).table())


def test_classes_are_in_their_own_order():
    assert read(ClassErrors([2.0, 8.0], ["a", "b"], 5.0).table()) == {
        "class": ["a", "b"],
        "squared error, mean of the examples": ["2", "8"],
    }


def test_paths_begin_and_end_at_the_codes_of_their_examples(square):
    found = read(Interpolation(square).table())
    ends = [POSITION.format(end) for end in ("left", "right")]
    for name, at in zip(ends, (0, interpolation.STEPS - 1), strict=True):
        code = square.codes[int(found[name][at])]
        assert floats([found["z1"][at], found["z2"][at]]) == pytest.approx(code.tolist(), abs=1e-3)
    assert found["step"] == [str(i) for i in range(1, interpolation.STEPS + 1)]


def test_wanted_has_the_mean_and_those_near_it(square):
    found = read(ClassSamples(square).table())
    assert found["class"] == ["left"] * 5 + ["right, or not"] * 5
    assert found["row"][:2] == ["mean", "near it"]
    assert found["position in the test set"][0] == ""
    mean = square.codes[square.y == 0].mean(0).tolist()
    assert [float(found["z1"][0]), float(found["z2"][0])] == pytest.approx(mean, abs=1e-3)
    near = int(found["position in the test set"][1])
    assert float(found["z1"][1]) == pytest.approx(square.codes[near, 0].item(), abs=1e-3)


def test_samples_are_the_random_codes(square):
    found = read(Samples(square).table())
    assert floats(found["z1"]) == pytest.approx(
        square.random_codes(samples.ROWS * samples.COLUMNS)[:, 0].tolist(), abs=1e-3
    )


def test_restored_has_both_errors(make):
    view = View.of(make("denoising-ae", (8, 8)), torch.rand(30, 8, 8))
    found = read(Denoising(view).table())
    clean, seen, _ = view.denoised
    before = (seen - clean).square().flatten(1).sum(1)
    assert floats(found["squared error corrupted, summed over one example"]) == pytest.approx(
        before.tolist(), rel=1e-3
    )


def test_curves_are_the_lines_of_the_log():
    figures = {"loss": 3.0, "squared_error": 2.5, "terms": {"kl": 0.5}}
    log = [{"step": 7, **figures}, {"step": 9, "validation": {**figures, "terms": {}}}]
    assert read(TrainingCurves(log, {"kl": "nats"}).table()) == {
        "data": ["training", "validation"],
        "step": ["7", "9"],
        "loss, per example": ["3", "3"],
        "squared error, summed over one example": ["2.5", "2.5"],
        "kl, nats per example": ["0.5", ""],
    }


def test_rates_are_in_the_order_of_the_code():
    found = read(KLByDimension([0.5, 2.0]).table())
    assert found == {"latent dimension": ["1", "2"], "KL, nats per example": ["0.5", "2"]}


def test_images_alone_have_no_table(tmp_path):
    assert TrainingProgress(tmp_path, (5, 4)).table() is None


def test_a_model_that_tells_labels_is_shown_under_those_that_it_tells(few):
    model, view = conditional("m2", few)
    assert torch.equal(view.context, model.predict(few.test.x))
    # The errors that are written below the pictures are those of the pictures.
    images = view.decode(view.codes, torch.arange(len(view.x)))
    errors = (images - view.examples(len(view.x))).square().flatten(1).sum(1)
    torch.testing.assert_close(errors, view.errors, rtol=1e-4, atol=1e-4)
    assert "which the model learns to predict" in LatentSpace(view).caption()
    assert f"the class “{few.classes[int(view.context[0])]}”" in DecodedGrid(view).caption()
    assert read(Samples(view).table())["conditioned on class"][:3] == list(few.classes[:3])


def test_a_model_that_is_told_labels_says_so(few):
    _, view = conditional("cvae", few, context=few.test.y)
    assert "which the model is conditioned on" in LatentSpace(view).caption()
    assert "are the reconstructions" not in Interpolation(view).caption()
    assert "have the context of the left example" in Interpolation(view).caption()
