"""The page of a sweep: each figure over trials of any kind."""

import pytest

from autoencode.report.figures.sweep.base import ShownMetric, ShownTrial, SweepView
from autoencode.report.figures.sweep.history import SweepHistory
from autoencode.report.figures.sweep.importances import SweepImportances
from autoencode.report.figures.sweep.parallel import ParallelCoordinates
from autoencode.report.figures.sweep.pareto import ParetoFront
from autoencode.report.pages.sweep import SweepPage, write_sweep_page

MSE = ShownMetric("squared_error", "MSE", "lower")
SSIM = ShownMetric("ssim", "SSIM", "higher")


def view_of(points, varied=None, metrics=(MSE,), values=None, importances=None, best=(0,)):
    """A view of trials whose metrics are `points`, None for a failed one."""
    varied = varied or {"lr": True}
    trials = [
        ShownTrial(
            n,
            "failed" if point is None else "complete",
            values[n] if values else dict.fromkeys(varied, 0.1 * (n + 1)),
            () if point is None else point,
            f"trials/{n:05d}/",
            1.5,
            n in best,
            "" if point is not None else "Training <b>diverged</b>",
        )
        for n, point in enumerate(points)
    ]
    return SweepView(metrics, trials, varied, importances or {})


def page_of(view):
    return SweepPage("Sweep", "A sweep.", view, view.complete, "autoencode train ae", [], [])


KINDS = {
    "one": view_of([(3.0,)]),
    "equal": view_of([(3.0,)] * 4),
    "spread": view_of([(1e-3,), None, (1e5,), (2.0,)]),
    "negative": view_of([(-3.0,), (2.0,), None]),
    "shares": view_of([(0.3,), (0.9,)], metrics=(SSIM,), best=(1,)),
    "choices": view_of(
        [(1.0,), (2.0,), (3.0,)],
        {"network.hidden": None, "prior": None, "ema": None, "latent": False},
        values=[
            {"network.hidden": (8,), "prior": "normal", "ema": None, "latent": 2},
            {"network.hidden": (), "prior": "mixture", "ema": 0.9, "latent": 64},
            {"network.hidden": (8, 4), "prior": "normal", "ema": True, "latent": 2},
        ],
        importances={"squared_error": {"latent": 0.25, "prior": 0.75}},
    ),
    "many choices": view_of(
        [(float(n),) for n in range(20)], {"a": None}, values=[{"a": f"<{n}>"} for n in range(20)]
    ),
    "two metrics": view_of(
        [(1.0, 0.1), (2.0, 0.9), None, (3.0, 0.5)], metrics=(MSE, SSIM), best=(0, 1)
    ),
    "three metrics": view_of([(1.0, 2.0, 3.0), (2.0, 1.0, 3.0)], metrics=(MSE, SSIM, MSE)),
    "none": view_of([None, None]),
}
QUICK = {"choices", "three metrics", "none"}


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=() if name in QUICK else pytest.mark.long) for name in KINDS]
)
def test_pages_of_any_trials(name, tmp_path):
    view = KINDS[name]
    page = write_sweep_page(page_of(view), tmp_path / "report.html").read_text()
    for figure in page_of(view).figures():
        assert figure.caption()
        assert figure.alt()
        assert f'id="{figure.key}"' in page
    for trial in view.trials:
        assert (f'href="{trial.run}"' in page) == (trial.state == "complete" and shown(view, trial))
    assert "<b>diverged" not in page
    assert ("Training &lt;b&gt;diverged" in page) == any(t.state == "failed" for t in view.trials)


def shown(view, trial):
    return trial.best if len(view.metrics) > 1 else view.complete.index(trial) < 10


def test_which_figures_apply():
    def keys(name):
        return [figure.key for figure in page_of(KINDS[name]).figures()]

    assert keys("none") == []
    assert keys("one") == ["history"]
    assert keys("choices") == ["history", "importances", "parallel-coordinates"]
    assert keys("two metrics") == ["history", "history-2", "pareto-front", "parallel-coordinates"]
    assert "pareto-front" not in keys("three metrics")


def test_the_best_so_far_follows_the_direction():
    (lower,) = SweepHistory.for_sweep(view_of([(3.0,), None, (5.0,), (1.0,), (2.0,)]))
    assert lower.best_so_far().tolist() == [3.0, 3.0, 1.0, 1.0]
    assert "The best value is 1.00, of trial 3" in lower.findings()
    (higher,) = SweepHistory.for_sweep(view_of([(0.3,), (0.2,), (0.9,)], metrics=(SSIM,)))
    assert higher.best_so_far().tolist() == [0.3, 0.3, 0.9]


def test_tables_hold_every_trial_and_every_digit():
    (history,) = SweepHistory.for_sweep(view_of([(1 / 3,), None]))
    assert history.table().csv().splitlines() == [
        "trial,lr,squared_error,state,seconds",
        "0,0.10000000000000001,0.33333333333333331,complete,1.5",
        "1,0.20000000000000001,,failed,1.5",
    ]
    (front,) = ParetoFront.for_sweep(KINDS["two metrics"])
    assert front.table().columns["trial"] == [0, 1]
    assert front.findings() == "2 of 3 complete trials are in the front."


def test_importances_are_sorted_and_need_two_arguments():
    (figure,) = SweepImportances.for_sweep(KINDS["choices"])
    assert [name for name, _ in figure.shares] == ["prior", "latent"]
    alone = view_of([(1.0,), (2.0,)], importances={"squared_error": {"lr": 1.0}})
    assert SweepImportances.for_sweep(alone) == []


def test_parallel_coordinates_have_an_axis_for_each_argument_and_the_metric():
    (figure,) = ParallelCoordinates.for_sweep(KINDS["choices"])
    (axes,) = figure.draw().axes
    labels = [label.get_text() for label in axes.get_xticklabels()]
    assert labels == ["network.hidden", "prior", "ema", "latent", "MSE"]
    lines = [line for line in axes.get_lines() if len(line.get_xdata()) == len(labels)]
    assert len(lines) == 3
    last = sorted(line.get_ydata()[-1] for line in lines)
    assert last == pytest.approx([0.0, 0.5, 1.0])
