"""Figures of tables: rows in their own units, R² and accuracy by column, no pictures of rows."""

import csv
import io
from dataclasses import replace

import numpy as np
import pytest
import torch

from autoencode.contract import Sizes
from autoencode.evaluation import evaluate
from autoencode.models.recipes.table import RECIPES
from autoencode.models.run import Run, data_record
from autoencode.report.figures.base import ReportContext
from autoencode.report.figures.column_scores import MAX_COLUMNS, ColumnScores
from autoencode.report.figures.registry import comparison_figures, report_figures
from autoencode.report.figures.table_rows import TableRows
from autoencode.report.view import View

MIXED = {"age": None, "city": ("Lyon", "Paris", "Oslo"), "income": None, "sex": ("f", "m")}
PICTURES = {"best-and-worst", "samples", "decoded-grid", "interpolation", "class-samples"}


@pytest.fixture
def context_of(make_table_model, tmp_path):
    """context_of(data) -> a report's context of a small model that is not trained."""

    def made(data, recipe="vae"):
        model = make_table_model(recipe, data)
        sizes = Sizes(data.shape, (2,), n=len(data.train), bounded=False)
        run = Run(tmp_path, RECIPES[recipe], sizes, "done", data_record(data), {}, {})
        metrics = evaluate(model, data, ["reconstruction", "pca"]).to_dict()
        return ReportContext(run, data, View.of(model, data.test.x), metrics)

    return made


def texts(figure):
    return [text.get_text() for axes in figure.axes for text in axes.texts]


def rows_of(table):
    return list(csv.DictReader(io.StringIO(table.csv())))


@pytest.mark.parametrize(
    ("columns", "missing"),
    [
        pytest.param(MIXED, False, marks=pytest.mark.long),
        (MIXED, True),
        pytest.param({"a": None}, False, marks=pytest.mark.long),
        ({"x": ("p", "q"), "y": ("r",)}, True),
        pytest.param(
            {f"column {i} of a long name": None for i in range(50)},
            False,
            marks=pytest.mark.long,
        ),
        ({"猫": None, "b": ("犬", "b")}, False),
    ],
)
def test_tables_of_every_kind_have_figures(columns, missing, make_table, context_of):
    context = context_of(make_table(columns, missing=missing))
    figures = {figure.key: figure for figure in report_figures(context)}
    kinds = {categories is None for categories in columns.values()}
    expected = {"reconstructions", "latent-space"}
    expected |= {"column-r2"} if True in kinds else set()
    expected |= {"column-accuracy"} if False in kinds else set()
    assert expected <= set(figures)
    assert not PICTURES & set(figures)
    for figure in figures.values():
        assert figure.draw().pixels(20).std() > 0
        assert min(len(figure.caption()), len(figure.alt()), len(figure.findings())) > 20
        assert len(rows_of(figure.table()))


def test_denoising_draws_no_rows(make_table, context_of):
    context = context_of(make_table(MIXED), "denoising-ae")
    assert "denoising" not in {figure.key for figure in report_figures(context)}


@pytest.mark.parametrize("n", [1, 2, 60])
def test_rows_are_random_ones_and_those_of_highest_error(n, make_table, context_of):
    data = make_table(MIXED, n=(50, 5, n))
    age, *others = data.preprocessing.columns
    columns = (replace(age, scale=1000.0), *others)
    data = replace(data, preprocessing=replace(data.preprocessing, columns=columns))
    context = context_of(data)
    figure = TableRows.for_run(context)
    shown = min(3, n)
    order = context.view.errors.argsort(descending=True, stable=True)[:shown]
    assert list(figure.rows[shown:]) == [f"row {i}" for i in order.tolist()]
    assert figure.errors[shown] == context.view.errors.max().item()
    found = rows_of(figure.table())
    assert len(found) == 2 * shown * 4
    worst = [row for row in found if row["block"] == "highest error"][:4]
    assert [row["column"] for row in worst] == list(MIXED)
    expected = 1000 * data.test.x[order[0], 0].item()
    assert float(worst[0]["original"]) == pytest.approx(expected, rel=1e-3)
    said = texts(figure.draw())
    assert {"random", "highest error", worst[1]["original"]} <= set(said)
    assert worst[1]["original"] in MIXED["city"]
    assert f"of row {order[0]}" in figure.findings()


def test_a_wrong_category_and_a_far_number_are_coloured(make_table, context_of):
    context = context_of(make_table(MIXED))
    figure = TableRows.for_run(context)
    wrong = np.array([a != b for a, b in zip(figure.originals, figure.restored, strict=True)])
    for k, (originals, restored) in enumerate(zip(figure.originals, figure.restored, strict=True)):
        assert figure.differences[k, 0] == pytest.approx(abs(originals[0] - restored[0]), rel=1e-5)
        for column in (1, 3):
            assert figure.differences[k, column] == (originals[column] != restored[column])
    assert wrong.any()


def test_missing_cells_are_dashes(make_table, context_of):
    context = context_of(make_table(MIXED, missing=True))
    figure = TableRows.for_run(context)
    gaps = [value is None for row in figure.originals for value in row]
    assert texts(figure.draw()).count("–") == sum(gaps)
    assert np.isnan(figure.differences).flatten().tolist() == gaps


def test_of_many_columns_those_of_highest_error_are_drawn(make_table, context_of):
    context = context_of(make_table({f"c{i}": None for i in range(30)}))
    figure = TableRows.for_run(context)
    assert len(figure.shown()) == 20
    assert "10 columns with lower errors are in the data below only" in figure.caption()
    means = figure.differences.mean(0)
    assert min(means[figure.shown()]) >= max(np.delete(means, figure.shown()))


def scores(values, references=()):
    names = [f"c{i}" for i in range(len(values))]
    about = "PCA with 2 dimensions" if references else ""
    return ColumnScores("column-r2", "R² by column", "R²", names, values, about, references, "R².")


def test_bars_are_sorted_with_the_lowest_on_top_beside_pca():
    figure = scores([0.9, -7.0, 0.5], [0.8, 0.1, 0.6]).draw()
    axes = figure.axes[0]
    figure.canvas.draw()
    assert [label.get_text() for label in axes.get_yticklabels()] == ["c1", "c2", "c0"]
    widths = [bar.get_width() for bar in axes.patches]
    assert widths == [-1.0, 0.5, 0.9, 0.1, 0.6, 0.8]
    assert texts(figure) == ["−7.00", "0.50", "0.90", "0.10", "0.60", "0.80"]
    found = scores([0.9, -7.0, 0.5], [0.8, 0.1, 0.6])
    assert "Bars end at −1." in found.caption()
    assert (
        "the lowest is −7.00, of “c1”. It is below that of PCA with 2 dimensions in 2 columns"
        in (found.findings())
    )


def test_bars_of_many_columns_say_what_is_left_out():
    found = scores([i / 100 for i in range(100)])
    assert len(found.draw().axes[0].patches) == MAX_COLUMNS
    assert "The 40 columns with the lowest R²; 60 others are in the data below" in found.caption()
    assert len(rows_of(found.table())) == 100
    assert "others" not in scores([0.5] * 40).caption()
    assert "PCA" not in found.findings()


def test_a_page_of_compared_tables_draws_no_rows(make_table, context_of):
    views = {name: context_of(make_table(MIXED)).view for name in ("a", "b")}
    sections = comparison_figures(views, tables=True)
    assert [next(iter(section.values())).key for section in sections] == ["latent-space"]


def test_errors_of_a_view_leave_out_missing_values(make_table, context_of):
    data = make_table(MIXED, missing=True)
    context = context_of(data)
    assert context.view.errors.mean().item() == pytest.approx(
        context.metrics["squared_error"], rel=1e-5
    )
    assert torch.isfinite(context.view.errors).all()
