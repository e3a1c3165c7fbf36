import itertools
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy import stats

from autoencode.contract import Sizes
from autoencode.errors import RunError
from autoencode.evaluation.compare.comparison import (
    ALONE,
    INCOMPARABLE,
    NO_DIRECTION,
    UNKNOWN_NOISE,
    WITHIN_NOISE,
    compare,
)
from autoencode.evaluation.compare.run_records import RunRecord, digest_of_test
from autoencode.evaluation.measures import MEASURES
from autoencode.evaluation.metric_info import metric_group, metric_info, metric_order
from autoencode.evaluation.metrics.intervals import bootstrap
from autoencode.evaluation.metrics.significance import (
    EXAMPLES,
    SEEDS,
    difference,
    estimate,
    t_interval,
)
from autoencode.models.recipes.table import RECIPES
from autoencode.models.run import Run

SETTINGS = {"steps": 20, "lr": 0.001, "seed": 0}
DATA = {
    "name": "made",
    "source": "made",
    "options": {"seed": 0, "size": None},
    "fingerprint": "f",
    "classes": [],
}
SUMMARY = {"steps": 20, "seconds": 2.0, "images_per_second": 100.0, "device": "cpu"}
LOW = (10.0, 10.2, 10.1)
HIGH = (12.0, 12.3, 12.1)


def trial(recipe="ae", seed=0, folder=None, test="t", sets=(), data=None, settings=None, **figures):
    """A run that was never trained, with figures that were never measured."""
    row = RECIPES[recipe]
    for name, value in sets:
        row = row.set(name, value)
    intervals = figures.pop("intervals", {})
    terms = figures.pop("terms", {})
    metrics = {"n_test": 9, **figures, "terms": terms, "intervals": intervals}
    metrics["units"] = dict.fromkeys(figures, "units")
    run = Run(
        Path(folder or f"runs/{recipe}-{seed}"),
        row,
        Sizes((4,), (2,)),
        "done",
        {**DATA, **(data or {})},
        {**SETTINGS, "seed": seed, **(settings or {})},
        SUMMARY,
    )
    return RunRecord(run, 10, test, metrics)


def seeds(recipe, values, name="squared_error", **more):
    return [trial(recipe, i, **{name: value}, **more) for i, value in enumerate(values)]


def differ(one, other):
    found = difference(one, other)
    return found is not None and found.significant


def figure(found, name):
    (one,) = [each for each in found.figures if each.name == name]
    return one


def test_the_interval_over_seeds_is_that_of_students_t():
    low, high = stats.t.interval(0.95, 2, np.mean(LOW), stats.sem(LOW))
    assert t_interval(LOW) == pytest.approx((low, high), rel=1e-12)
    one = estimate(LOW, (0, 1))
    assert (one.over, one.mean) == (SEEDS, pytest.approx(10.1))
    assert one.interval == pytest.approx((low, high))
    # t of one degree of freedom: tan(0.475 π).
    assert t_interval((0.0, 2.0))[1] == pytest.approx(1 + np.tan(0.475 * np.pi))


def test_a_single_seed_has_the_interval_over_test_examples_if_any():
    assert estimate([3], [2, 5]).interval == (2, 5)
    assert estimate([3], [2, 5]).over == EXAMPLES
    assert estimate([3]).interval is None


def test_other_seeds_are_compared_by_welch():
    draw = np.random.default_rng(0)
    for n, m, apart in ((2, 3, 0.5), (5, 4, 1.5), (8, 3, 3.0)):
        a, b = draw.normal(0, 1, n), draw.normal(apart, 2, m)
        test = stats.ttest_ind(a, b, equal_var=False)
        found = difference(estimate(a, seeds=range(n)), estimate(b, seeds=range(20, 20 + m)))
        assert found.mean == pytest.approx(a.mean() - b.mean())
        assert found.interval == pytest.approx(tuple(test.confidence_interval(0.95)), rel=1e-9)
        assert found.significant == differ(estimate(a), estimate(b)) == (test.pvalue < 0.05)
        assert (found.over, found.test) == (SEEDS, f"Welch's t-test over {n} and {m} seeds")
    # Far apart, but of two seeds that scatter: nothing is known.
    assert not differ(estimate((1.0, 2.0)), estimate((3.0, 5.0)))


def test_equal_seeds_are_compared_in_pairs():
    draw = np.random.default_rng(1)
    for apart in (0.0, 0.05, 0.5):
        a = draw.normal(30, 2, 6)
        b = a + apart + draw.normal(0, 0.1, 6)  # seeds differ more than models
        test = stats.ttest_rel(a, b)
        found = difference(estimate(a, seeds=range(6)), estimate(b, seeds=range(6)))
        assert found.interval == pytest.approx(tuple(test.confidence_interval(0.95)), rel=1e-7)
        assert found.significant == (test.pvalue < 0.05)
        assert (found.over, found.test) == (SEEDS, "paired t-test over 6 seeds")
    assert found.significant
    assert not differ(estimate(a), estimate(b)), "without pairs the seeds hide it"


def test_single_models_are_compared_on_pairs_of_examples():
    """32.93 and 33.31 on the same 10,000 images: intervals overlap, the difference is certain."""
    draw = np.random.default_rng(2)
    hard = draw.gamma(4, 8, 10_000)
    a, b = (hard + shift + draw.normal(0, 3, 10_000) for shift in (0.0, 0.38))
    one, other = (
        estimate([e.mean()], bootstrap(torch.from_numpy(e)), [0], e.astype(np.float32))
        for e in (a, b)
    )
    assert one.interval[1] > other.interval[0]
    found = difference(other, one)
    assert found.significant
    assert (found.over, found.test) == (EXAMPLES, "paired t-test over 10,000 test examples")
    test = stats.ttest_rel(b, a).confidence_interval(0.95)
    assert found.interval == pytest.approx(tuple(test), abs=1e-5)
    each = b - a
    means = [each[draw.integers(len(each), size=len(each))].mean() for _ in range(2000)]
    assert found.interval == pytest.approx(tuple(np.quantile(means, [0.025, 0.975])), abs=0.01)
    assert found.mean == pytest.approx(each.mean(), abs=1e-5)
    # The two are still not different where their errors are.
    assert not differ(one, estimate(one.values, one.interval, [0], draw.permutation(a)))


def test_pairs_are_of_the_examples_that_both_were_measured_on():
    a = np.array([1.0, 2.0, np.nan, 4.0, 7.0])
    b = np.array([1.5, 2.4, 3.0, 4.7, np.nan])
    one, other = (estimate([np.nanmean(e)], [0, 9], [0], e) for e in (a, b))
    found = difference(one, other)
    test = stats.ttest_rel(a[[0, 1, 3]], b[[0, 1, 3]])
    assert found.interval == pytest.approx(tuple(test.confidence_interval(0.95)))
    assert found.test == "paired t-test over 3 test examples"
    # Values of other test parts are no pairs.
    other = estimate([2.0], [0, 9], [0], b[:4])
    assert difference(one, other).test == "overlap of the two 95 % intervals"


@pytest.mark.parametrize(("other", "differs"), [((0.1, 0.1, 0.1), False), ((0.2, 0.2), True)])
def test_seeds_without_any_noise(other, differs):
    assert differ(estimate((0.1, 0.1, 0.1)), estimate(other)) == differs
    pairs = estimate((0.1,) * len(other), seeds=range(len(other)))
    assert differ(pairs, estimate(other, seeds=range(len(other)))) == differs


def test_otherwise_intervals_must_not_overlap():
    assert differ(estimate([1], (0, 2)), estimate([4], (3, 5)))
    assert differ(estimate([4], (3, 5)), estimate([1], (0, 2)))
    assert not differ(estimate([1], (0, 3)), estimate([4], (3, 5)))
    assert not differ(estimate([1]), estimate([4], (3, 5)))
    assert not differ(estimate([1], (0, 2)), estimate((4.0, 6.0)))  # its t interval is wide
    assert differ(estimate([1], (0, 2)), estimate((4.0, 4.01)))
    found = difference(estimate([1], (0, 2)), estimate((4.0, 4.01)))
    assert (found.interval, found.over) == (None, "seeds and test examples")
    # Examples say nothing about the seeds of the other model.
    single = estimate([1], (0, 2), [0], np.arange(3.0))
    assert difference(single, estimate((4.0, 4.01), seeds=[0, 1])).interval is None


def test_the_best_is_marked_where_it_differs_from_every_other():
    found = compare([*seeds("ae", LOW), *seeds("vae", HIGH)])
    assert [model.name for model in found.models] == ["ae", "vae"]
    assert figure(found, "squared_error").best == "ae"
    assert figure(found, "squared_error").why == ""
    assert found.to_dict()["figures"][0]["reference"] == "ae"
    (other,) = found.to_dict()["figures"][0]["differences"].items()
    low, high = stats.ttest_rel(HIGH, LOW).confidence_interval(0.95)
    assert other[0] == "vae"
    assert other[1]["interval"] == pytest.approx([low, high])
    assert other[1]["mean"] == pytest.approx(np.mean(HIGH) - np.mean(LOW))
    assert other[1]["test"] == "paired t-test over 3 seeds"
    # Where higher is better, it is the other one.
    found = compare([*seeds("ae", LOW, "psnr"), *seeds("vae", HIGH, "psnr")])
    assert figure(found, "psnr").best == "vae"


def test_one_other_model_within_the_noise_is_enough_for_no_mark():
    close = seeds("conv-ae", (9.9, 10.3, 10.3))
    found = figure(compare([*seeds("ae", LOW), *seeds("vae", HIGH), *close]), "squared_error")
    assert (found.best, found.why) == (None, WITHIN_NOISE)


def test_single_runs_are_compared_on_pairs_of_test_examples():
    each = torch.linspace(5, 60, 50)
    runs = []
    for name, errors in (("ae", each), ("vae", each + torch.linspace(0.3, 0.5, 50))):
        error = errors.mean().item()
        run = trial(name, squared_error=error, intervals={"squared_error": [error - 5, error + 5]})
        runs.append(replace(run, per_example={"squared_error": errors}))
    found = figure(compare(runs), "squared_error")
    assert found.best == "ae"
    assert found.differences["vae"].over == EXAMPLES
    bare = [replace(run, per_example={}) for run in runs]
    assert figure(compare(bare), "squared_error").why == WITHIN_NOISE


def test_figures_without_a_direction_or_a_rival_are_not_marked():
    one = trial("ae", loss=1.0, ssim=0.5, intervals={"loss": [0.9, 1.1], "ssim": [0.4, 0.6]})
    two = trial("contractive-ae", loss=5.0, intervals={"loss": [4.9, 5.1]})
    found = compare([one, two])
    assert figure(found, "loss").why == NO_DIRECTION
    assert figure(found, "ssim").why == ALONE
    assert {each.best for each in found.figures} == {None}


def test_where_the_noise_of_one_is_not_known_nothing_is_marked():
    found = compare([trial("ae", continuity=0.1), *seeds("vae", LOW, "continuity")])
    assert figure(found, "continuity").why == UNKNOWN_NOISE


def test_nats_under_two_likelihoods_stand_apart_and_are_not_marked():
    rows = ["gaussian", "auto"]  # in a run, the likelihood that was chosen
    assert [RECIPES[name].likelihood.kind for name in ("ae", "vae")] == rows
    runs = [
        trial(name, nll=nll, terms={"reconstruction": nll}, intervals={"nll": [nll - 1, nll + 1]})
        for name, nll in (("ae", 500.0), ("vae", 100.0))
    ]
    found = compare(runs)
    for name in ("nll", "terms.reconstruction"):
        apart = [each for each in found.figures if each.name == name]
        assert [each.likelihood for each in apart] == rows[::-1]
        assert [[model.name for model in each.models] for each in apart] == [["vae"], ["ae"]]
        assert {each.best for each in apart} == {None}
    rival = trial("beta-vae", nll=50.0, intervals={"nll": [49.0, 51.0]})
    assert figure(compare([runs[1], rival]), "nll").best == "beta-vae"


def test_nats_that_were_measured_otherwise_are_not_marked():
    runs = []
    for name, nll, note in (("vae", 100.0, "10 samples"), ("beta-vae", 50.0, "1,000 samples")):
        each = trial(name, nll=nll, intervals={"nll": [nll - 1, nll + 1]})
        runs.append(replace(each, metrics={**each.metrics, "notes": {"nll": note}}))
    assert figure(compare(runs), "nll").why == INCOMPARABLE


def test_what_was_restored_from_another_corruption_is_not_marked():
    name = "restored_squared_error"
    sets = [("corruption.scale", 0.1)]
    runs = [*seeds("denoising-ae", HIGH, name), *seeds("denoising-ae", LOW, name, sets=sets)]
    runs = [
        replace(each, run=replace(each.run, folder=Path(str(i)))) for i, each in enumerate(runs)
    ]
    assert figure(compare(runs), name).why == INCOMPARABLE


def test_runs_that_differ_in_nothing_but_seeds_are_one_model():
    runs = seeds("ae", LOW)
    runs.append(trial("ae", 0, "runs/split", squared_error=10.4, data={"options": {"seed": 5}}))
    (model,) = compare(runs).models
    assert [each.seeds for each in model.trials] == [(0, 0), (0, 5), (1, 0), (2, 0)]
    assert model.figures["squared_error"].values == (10.0, 10.4, 10.2, 10.1)
    # 10.0, 10.1, 10.2, 10.4: of an even number the lower one of the two in the middle.
    assert model.median.metrics["squared_error"] == 10.1


def test_a_model_has_the_figures_that_all_its_seeds_have():
    runs = seeds("ae", LOW)
    runs[1].metrics["psnr"] = 20.0
    assert "psnr" not in compare(runs).models[0].figures


@pytest.mark.parametrize(
    ("changes", "names"),
    [
        ({"sets": [("latent", 16)]}, ["ae (latent=2)", "ae (latent=16)"]),
        ({"settings": {"lr": 0.01}}, ["ae (lr=0.001)", "ae (lr=0.01)"]),
        ({"data": {"options": {"labelled": 100}}}, ["ae (labelled=100)", "ae (labelled=default)"]),
        (
            {"sets": [("network.hidden", (16, 8))], "settings": {"steps": 9}},
            ["ae (hidden=[16, 8], steps=9)", "ae (hidden=default, steps=20)"],
        ),
    ],
)
def test_models_of_one_recipe_are_named_by_how_they_differ(changes, names):
    found = compare([trial("ae", psnr=1.0), trial("ae", folder="runs/other", psnr=1.0, **changes)])
    assert [model.name for model in found.models] == names


def test_two_names_that_would_be_the_same_are_told_apart():
    paths = [{"options": {"labels": f"/somewhere/{i}/under/the/very/same/name.npy"}} for i in "ab"]
    runs = [trial("ae", folder=d["options"]["labels"], psnr=1.0, data=d) for d in paths]
    first, second = (model.name for model in compare(runs).models)
    assert first != second


def test_the_order_of_runs_changes_nothing():
    runs = [*seeds("vae", HIGH), *seeds("ae", LOW[:1])]
    runs.append(trial("ae", 0, "runs/wide", squared_error=9.0, sets=[("latent", 8)]))
    texts = {json.dumps(compare(order).to_dict()) for order in itertools.permutations(runs)}
    assert len(texts) == 1
    found = json.loads(texts.pop())
    assert [model["name"] for model in found["models"]][-1] == "vae"
    assert found["models"][-1]["runs"][2] == {"run": "runs/vae-2", "seed": 2, "split_seed": 0}
    (error,) = found["figures"]
    assert error["models"]["vae"]["values"] == list(HIGH)
    assert error["models"]["vae"]["interval"] == pytest.approx(list(t_interval(HIGH)))


def test_refuses_what_cannot_be_set_side_by_side():
    one, two = trial("ae"), trial("vae")
    with pytest.raises(RunError, match="two runs or more, and there is 1"):
        compare([one])
    with pytest.raises(RunError, match="there are none"):
        compare([])
    with pytest.raises(RunError, match="runs/ae-0 is given twice"):
        compare([one, two, trial("ae", folder="runs/../runs/ae-0")])
    with pytest.raises(RunError, match="runs/ae-0 and runs/again are the same training"):
        compare([one, two, trial("ae", folder="runs/again")])
    other = trial("vae", test="u", data={"name": "digits", "options": {"seed": 3, "size": None}})
    with pytest.raises(RunError, match=r"runs/ae-0 and runs/vae-0 are measured on different"):
        compare([one, other])
    with pytest.raises(RunError, match=r"seed is 0 and 3, source is made and digits.*--split-seed"):
        compare([other, one])


def test_the_test_part_is_known_by_its_bytes_and_labels(make_data):
    data = make_data((4, 4))
    other = replace(data, train=make_data((4, 4), seed=1).train, fingerprint="other", name="b")
    assert digest_of_test(data) == digest_of_test(other)
    for changed in (
        replace(data.test, x=data.test.x.flip(0)),
        replace(data.test, y=None),
        replace(data.test, y=(data.test.y + 1) % 3),
        replace(data.test, x=data.test.x.float() / 255),
    ):
        assert digest_of_test(data) != digest_of_test(replace(data, test=changed))


@pytest.mark.long
def test_every_figure_that_is_measured_is_known(make_data, make_model):
    from autoencode.evaluation import evaluate

    data = make_data((8, 8))
    measures = [name for name in MEASURES if name not in ("generation", "gaps")]
    with torch.random.fork_rng():
        found = evaluate(make_model("vae", (8, 8)), data, measures, samples=5, images=5)
    for record in found.records:
        if not isinstance(record.value, tuple) and not record.name.endswith(("stderr", "pixel")):
            assert metric_group(record.name) != "Other", record.name
    assert metric_info("new_thing").title == "New thing"
    assert (
        metric_order("squared_error")
        < metric_order("terms.kl")
        < metric_order("nll")
        < metric_order("new")
    )
