"""Tables: R² and accuracy of columns, missing cells, and the names of examples."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from sklearn.metrics import r2_score

from autoencode.evaluation import evaluate, psnr, squared_error
from autoencode.evaluation.examples import example_names, in_own_units, row_columns
from autoencode.evaluation.metrics.table_columns import (
    category_hits,
    column_squares,
    r2_per_column,
)
from autoencode.models.inference import reconstruct

MIXED = {"age": None, "city": ("Lyon", "Paris", "Oslo"), "income": None, "sex": ("f", "m")}
TWO = ["reconstruction", "pca"]


def rand(*shape, seed=0):
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.mark.parametrize("missing", [False, True])
def test_r2_is_that_of_sklearn_around_the_training_mean(missing):
    x, y, mean = rand(40, 5), rand(40, 5, seed=1), rand(5, seed=2)
    if missing:
        x[::4, 2] = torch.nan
        x[3, 0] = torch.nan
    found = r2_per_column(column_squares(x, y), column_squares(x, mean.expand_as(x)))
    for k in range(5):
        seen = ~x[:, k].isnan()
        a, b = x[seen, k].numpy(), y[seen, k].numpy()
        # R² around another mean than the test's own: by the definition, and for its own by sklearn.
        assert found[k] == pytest.approx(
            1 - ((a - b) ** 2).sum() / ((a - mean[k].item()) ** 2).sum()
        )
        own = torch.tensor(a.mean()).expand(len(a), 1)
        again = r2_per_column(
            column_squares(x[seen, k : k + 1], y[seen, k : k + 1]),
            column_squares(x[seen, k : k + 1], own),
        )
        assert again.item() == pytest.approx(r2_score(a, b))


def test_r2_of_a_column_without_spread_is_unknown():
    x = torch.tensor([[1.0, 0.0], [1.0, 1.0]])
    found = r2_per_column(column_squares(x, x), column_squares(x, torch.full((2, 2), 1.0)))
    assert found.isnan().tolist() == [True, False]


def test_squares_of_batches_add_up():
    x, y = rand(11, 3), rand(11, 3, seed=1)
    parts = sum(column_squares(a, b) for a, b in zip(x.split(4), y.split(4), strict=True))
    torch.testing.assert_close(parts, column_squares(x, y))


def test_missing_originals_contribute_nothing_and_missing_reconstructions_are_seen():
    x = torch.tensor([[0.0, torch.nan, 1.0], [torch.nan] * 3])
    y = torch.tensor([[0.5, 9.0, 1.0], [1.0, 2.0, 3.0]])
    assert squared_error(x, y).tolist() == [0.25, 0.0]
    assert psnr(x, y).tolist() == pytest.approx([-10 * np.log10(0.125), 100.0])
    assert squared_error(y, x).isnan().tolist() == [True, True]


def test_categories_are_the_highest_values_of_their_blocks():
    nan = torch.nan
    x = torch.tensor([[1.0, 0, 0, 1.0], [0, 1.0, 1.0, 0], [nan, nan, 1.0, 0], [0, 1.0, 0, 1.0]])
    y = torch.tensor([[0.4, 0.3, 0.6, 0.5], [0.4, 0.6, 9, 0], [1.0, 0, 0, 0.1], [0.2, 0.1, 0, 2]])
    hits = category_hits(x, y, [slice(0, 2), slice(2, 4)])
    assert hits.isnan().tolist() == [[False] * 2] * 2 + [[True, False], [False] * 2]
    assert hits.nan_to_num(-1).tolist() == [[1, 0], [1, 1], [-1, 0], [0, 1]]
    assert category_hits(x, y, []).shape == (4, 0)


def test_columns_of_a_table_are_measured_by_kind(make_model, make_table):
    data = make_table(MIXED)
    model = make_model("ae-linear", data.shape)
    evaluation = evaluate(model, data, TWO, batch_size=7)
    found = json.loads(json.dumps(evaluation.to_dict(), allow_nan=False))
    again, x, mean = reconstruct(model, data.test.x), data.test.x, data.train.x.mean(0)
    numbers = [0, 4]
    expected = [
        1 - ((x - again)[:, k] ** 2).sum().item() / ((x - mean)[:, k] ** 2).sum().item()
        for k in numbers
    ]
    assert found["numeric_columns"] == ["age", "income"]
    assert found["r2_per_column"] == pytest.approx(expected, rel=1e-4)
    assert found["r2"] == pytest.approx(np.mean(expected), rel=1e-4)
    assert len(found["r2_per_column_of_pca"]) == 2
    assert found["r2_of_pca"] > found["r2"]
    assert found["categorical_columns"] == ["city", "sex"]
    right = [
        (x[:, block].argmax(1) == again[:, block].argmax(1)).double().mean().item()
        for block in (slice(1, 4), slice(5, 7))
    ]
    assert found["accuracy_per_column"] == pytest.approx(right)
    assert found["column_accuracy"] == pytest.approx(np.mean(right))
    for block, share in zip((slice(1, 4), slice(5, 7)), found["majority_share_per_column"]):  # noqa: B905
        frequent = data.train.x[:, block].sum(0).argmax()
        assert share == pytest.approx(x[:, block][:, frequent].mean().item())
    assert not {"psnr", "ssim", "ms_ssim", "missing_share"} & set(found)
    unit = "squared error summed over preprocessed values, mean over test examples"
    assert found["units"]["squared_error"] == unit
    assert found["worst_names"][0] == f"row {found['worst_examples'][0]}"
    assert found["worst_errors"][0] == max(found["worst_errors"])


@pytest.mark.parametrize(
    "columns",
    [
        {"a": None},
        {"a": None, "b": None},
        {"a": ("x", "y")},
        {"a": ("x",), "b": None},
        {f"c{i}": None if i % 2 else ("p", "q", "r") for i in range(30)},
        {"same": None},
    ],
)
@pytest.mark.parametrize("missing", [False, True])
def test_tables_of_every_kind(columns, missing, make_table_model, make_table):
    data = make_table(columns, missing=missing)
    model = make_table_model("ae", data)
    found = evaluate(model, data, TWO).to_dict()
    json.dumps(found, allow_nan=False)
    numeric = [name for name, categories in columns.items() if categories is None]
    assert list(found.get("numeric_columns", ())) == numeric
    assert ("r2" in found) == bool(numeric)
    assert list(found.get("categorical_columns", ())) == [n for n in columns if n not in numeric]
    x = data.test.x
    assert found.get("missing_share", 0) == pytest.approx(x.isnan().double().mean().item())
    again = reconstruct(model, x)
    squares = np.nansum((x - again).square().numpy(), 1)
    assert found["squared_error"] == pytest.approx(squares.mean(), rel=1e-4)
    observed = (~x.isnan()).sum().item()
    assert found["squared_error_per_pixel"] == pytest.approx(squares.sum() / observed, rel=1e-4)


def test_columns_without_spread_or_values_are_left_out(make_table_model, make_table):
    data = make_table({"a": None, "b": None, "c": ("x", "y")}, missing=True)
    data.train.x[:, 1] = data.test.x[:, 1] = 2.0
    data.test.x[:, 2:] = torch.nan
    found = evaluate(make_table_model("ae", data), data, TWO).to_dict()
    assert found["numeric_columns"] == ("a",)
    assert "categorical_columns" not in found


def test_without_a_training_part_categories_are_measured(make_model, make_table):
    data = make_table(MIXED, n=(0, 0, 40))
    found = evaluate(make_model("ae", data.shape, 2), data, TWO).to_dict()
    assert "r2" not in found
    assert found["left_out"]["r2"] == "needs the training part"
    assert "of the test part" in found["notes"]["majority_share_per_column"]


def test_other_vectors_have_r2_but_no_columns(make_model, make_data):
    data = make_data((11,))
    found = evaluate(make_model("ae", (11,)), data, TWO).to_dict()
    assert {"r2", "r2_of_pca", "psnr"} <= set(found)
    assert not {"r2_per_column", "numeric_columns", "column_accuracy"} & set(found)
    assert not data.is_table
    assert [column.name for column in row_columns(data)][:2] == ["value 0", "value 1"]
    flat = replace(data, test=replace(data.test, x=torch.full((5, 11), 0.5), y=None))
    flat = replace(flat, train=replace(data.train, x=torch.full((5, 11), 0.5), y=None))
    assert "r2" not in evaluate(make_model("ae", (11,)), flat, TWO).to_dict()


def test_values_that_hardly_vary_do_not_decide_the_r2_of_a_vector(make_model, make_data):
    data, model = make_data((11,)), make_model("ae", (11,))
    x = data.test.x.clone()
    x[:, 3] = data.train.x[:, 3].mean() + 1e-6 * torch.randn(len(x))
    data = replace(data, test=replace(data.test, x=x))
    found = evaluate(model, data, TWO).to_dict()
    y = model.decode(model.encode(x).z).mean.detach()
    sse, ss = (x - y).square().sum(), (x - data.train.x.mean(0)).square().sum()
    assert found["r2"] == pytest.approx(1 - (sse / ss).item(), rel=1e-4)
    assert found["squared_error"] * len(x) == pytest.approx(sse.item(), rel=1e-4)
    assert min(found["r2"], found["r2_of_pca"]) > -100


def test_examples_have_names(make_data, make_table):
    assert example_names(make_data((6, 5)), [0, 12]) == ["example 0", "example 12"]
    data = make_table(MIXED)
    assert example_names(data, [3]) == ["row 3"]
    object.__setattr__(data.test, "names", [f"id-{i}" for i in range(60)])
    assert example_names(data, [59, 0]) == ["id-59", "id-0"]
    object.__setattr__(data.test, "names", range(100, 160))
    assert example_names(data, [1]) == ["101"]


def test_rows_in_their_own_units(make_table):
    data = make_table(MIXED, missing=True)
    x = torch.tensor([[0.5, 0.1, 0.7, 0.2, torch.nan, 1.0, 0.0], [2.0, *[torch.nan] * 6]])
    assert in_own_units(data, x) == [[0.5, "Paris", None, "f"], [2.0, None, None, None]]
    age, *others = data.preprocessing.columns
    columns = (replace(age, centre=40.0, scale=10.0), *others)
    scaled = replace(data, preprocessing=replace(data.preprocessing, columns=columns))
    assert in_own_units(scaled, x) == [[45.0, "Paris", None, "f"], [60.0, None, None, None]]
