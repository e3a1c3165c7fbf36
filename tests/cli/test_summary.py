"""The lines that sum up what was measured of a run."""

import pytest

from autoencode.cli.measure import summary_lines
from autoencode.contract import Sizes
from autoencode.models.recipes.table import RECIPES
from autoencode.models.run import Run

SUMMARY = {
    "steps": 10,
    "seconds": 1.0,
    "images_per_second": 100,
    "device": "cpu",
    "precision": "float32",
}


@pytest.fixture
def lines(tmp_path):
    """lines(**metrics) -> the summary of a run with a squared error and these metrics."""
    run = Run(tmp_path, RECIPES["ae"], Sizes((4,), (2,)), "done", {}, {}, SUMMARY)
    found = {"data": "made", "n_test": 7, "squared_error": 18.6, "squared_error_per_pixel": 4.65}
    return lambda **metrics: list(summary_lines(run, {**found, "terms": {}, **metrics}))


@pytest.mark.parametrize(("interval", "advised"), [((3.0, 5.2), 1), ((-5.2, -3.0), 0)])
def test_pca_stands_beside_the_error(lines, interval, advised):
    said = lines(
        squared_error_of_pca=14.5,
        pca_dimensions=2,
        squared_error_above_pca=sum(interval) / 2,
        intervals={"squared_error_above_pca": interval},
    )
    word = "worse" if advised else "better"
    assert said[1] == (
        "MSE                  18.60, summed over 4 values; 4.65 per value; PCA with 2 dimensions "
        f"14.50: this model is {word} than PCA, by 4.10 (95 % interval 3.00 to 5.20)"
    )
    assert sum("more latent dimensions may help" in line for line in said) == advised


def test_what_was_left_out_is_named_with_the_reason(lines):
    reason = "needs the training part"
    said = lines(left_out={"pca": reason, "knn_accuracy": reason, "shift": "another reason"})
    assert "not measured         pca, knn_accuracy: needs the training part" in said
    assert "not measured         shift: another reason" in said
    assert not any(line.startswith("not measured") for line in lines())
