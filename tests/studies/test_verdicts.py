"""The verdict on each hypothesis of each study, from numbers on both sides and in the noise."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from autoencode.models.recipes.table import recipe_named
from autoencode.studies import STUDIES, Verdict
from autoencode.studies.conditional import MIN_FIDELITY
from autoencode.studies.noise import FILTERS, PLAIN, UNRESTORED
from autoencode.studies.results import Result, Results, StudyRun
from autoencode.studies.rules import compare_models, compare_with_threshold

YES, NO, UNDECIDED = Verdict.SUPPORTED, Verdict.NOT_SUPPORTED, Verdict.UNDECIDED
ONE_SEED = Verdict.ONE_SEED
# Differences of three seeds: well below zero, well above it, and on both sides of it.
CASES = {YES: (-3.0, -3.2, -2.9), NO: (3.0, 3.2, 2.9), UNDECIDED: (-3.0, 3.2, 0.1)}
BASE = np.array([20.0, 25.0, 22.0])
DECLARED = [
    pytest.param(name, hypothesis, id=f"{name}: {hypothesis.text}")
    for name, study in STUDIES.items()
    for hypothesis in study.hypotheses
    if hypothesis.pairs
]
EACH = pytest.mark.parametrize("verdict", CASES)


def results_of(models):
    """Results of models with values of a metric for each seed: {"a": {"nll": [1, 2]}}."""
    found = []
    for model, metrics in models.items():
        for seed in range(len(next(iter(metrics.values())))):
            values = {name: each[seed] for name, each in metrics.items()}
            terms = {k.removeprefix("terms."): v for k, v in values.items() if "." in k}
            run = SimpleNamespace(summary={"seconds": 1.0})
            training = StudyRun(model, recipe_named("ae"), {}, seed)
            result = Result(training, run, {**values, "terms": terms})
            vars(result)["per_example"] = {}  # there is no folder to read them from
            found.append(result)
    return Results(found)


def shifted(verdict, sign=1):
    """Values of three seeds that are lower than `BASE`, higher, or neither."""
    return list(BASE + sign * np.array(CASES[verdict]))


def verdict_on(findings, start):
    [found] = [each for each in findings if each.hypothesis.startswith(start)]
    assert "against" in found.sentence
    assert "95 % interval" in found.sentence
    return found.verdict


@EACH
@pytest.mark.parametrize(("name", "hypothesis"), DECLARED)
def test_hypotheses_on_pairs_of_models(name, hypothesis, verdict):
    sign = 1 if hypothesis.expected == "lower" else -1
    values = {other: {hypothesis.metric: list(BASE)} for _, other in hypothesis.pairs}
    for one, _ in hypothesis.pairs:
        values[one] = {hypothesis.metric: shifted(verdict, sign)}
    found = hypothesis.test(results_of(values))
    assert found.verdict is verdict
    assert found.sentence.count("paired t-test over 3 seeds") == len(hypothesis.pairs)
    single = {model: {k: v[:1] for k, v in each.items()} for model, each in values.items()}
    assert hypothesis.test(results_of(single)).verdict is Verdict.ONE_SEED


def test_every_study_states_hypotheses():
    assert len(STUDIES) == 8
    assert all(len(study.hypotheses) >= 3 for study in STUDIES.values())
    texts = [each.text for study in STUDIES.values() for each in study.hypotheses]
    assert len(set(texts)) == len(texts)
    assert all(text.endswith(".") for text in texts)


def of_beta(kl, distortion, active=((16, 16, 16), (9, 9, 8), (4, 5, 4))):
    values = zip(("β = 0.25", "β = 1", "β = 16"), kl, distortion, active, strict=True)
    names = "terms.kl", "terms.reconstruction", "active_dimensions"
    models = {n: dict(zip(names, map(list, each), strict=True)) for n, *each in values}
    for metrics in models.values():
        both = metrics["terms.kl"], metrics["terms.reconstruction"]
        metrics["negative_elbo"] = list(np.add(*both))
    results = results_of(models)
    return STUDIES["beta"].findings(results)


RISING = BASE - 10, BASE, BASE + 10
FALLING = RISING[::-1]


def test_beta_against_kl_and_distortion():
    start = "Each increase of β"
    assert verdict_on(of_beta(FALLING, RISING), start) is YES
    assert verdict_on(of_beta(FALLING, FALLING), start) is NO
    flat = BASE - 10, BASE - 10 + CASES[UNDECIDED], BASE + 10
    assert verdict_on(of_beta(FALLING, flat), start) is UNDECIDED


def test_beta_against_active_dimensions():
    start = "The largest β leaves fewer"
    assert verdict_on(of_beta(FALLING, RISING), start) is YES
    more = (16, 16, 16), (15, 15, 15), (16, 16, 16)
    assert verdict_on(of_beta(FALLING, RISING, more), start) is NO
    noisy = (9, 9, 9), (9, 9, 9), (8, 11, 9)
    assert verdict_on(of_beta(FALLING, RISING, noisy), start) is UNDECIDED


@EACH
def test_beta_against_the_elbo(verdict):
    middle = BASE * 0, shifted(verdict), BASE * 0
    findings = of_beta((BASE, BASE * 0, BASE), middle)
    assert verdict_on(findings, "The negative ELBO") is verdict


def of_architecture(at_equal_time):
    values = {f"{kind}, equal parameters": list(BASE) for kind in ("shallow", "deep", "dropout")}
    values["conv, equal parameters"] = list(BASE - 5)
    values |= {f"{kind}, equal time": list(BASE - 5) for kind in ("shallow", "dropout", "conv")}
    values["deep, equal time"] = list(BASE + at_equal_time)
    models = {name: {"squared_error": each} for name, each in values.items()}
    return STUDIES["architecture"].findings(results_of(models))


@EACH
def test_architectures_at_equal_time(verdict):
    assert verdict_on(of_architecture(np.array(CASES[verdict])), "At equal training") is verdict


def of_bottleneck(pca=30.0, last=None, ari=(0.3, 0.3, 0.3), ends=None):
    error, accuracy = ends or (BASE - 9, (0.9, 0.9, 0.9))
    models = {
        "d = 2": {"squared_error": list(BASE)},
        "d = 8": {"squared_error": list(BASE - 9) if last is None else last},
        "d = 2, trained fully": {
            "squared_error": list(BASE),
            "knn_accuracy": [0.5, 0.6, 0.55],
            "kmeans_ari": list(ari),
        },
        "d = 8, trained fully": {
            "squared_error": list(error),
            "knn_accuracy": list(accuracy),
            "kmeans_ari": [0.6] * 3,
        },
    }
    results = results_of(models)
    return STUDIES["bottleneck"]._findings(
        results, (2, 8), torch.full((2, 9), pca, dtype=torch.float64), 8
    )


@EACH
def test_bottleneck_error_falls(verdict):
    found = of_bottleneck(last=shifted(verdict))
    assert verdict_on(found, "The squared error is lower with the most") is verdict


def test_bottleneck_against_pca():
    start = "With every number"
    assert verdict_on(of_bottleneck(pca=60.0), start) is YES
    assert verdict_on(of_bottleneck(pca=5.0), start) is NO
    assert verdict_on(of_bottleneck(pca=23.0), start) is UNDECIDED


@pytest.mark.parametrize(
    ("ari", "verdict"),
    [((0.3, 0.31, 0.3), YES), ((0.05, 0.04, 0.06), NO), ((0.05, 0.3, 0.1), UNDECIDED)],
)
def test_bottleneck_classes(ari, verdict):
    found = of_bottleneck(ari=ari)
    assert verdict_on(found, "K-means on codes") is verdict


@EACH
def test_bottleneck_after_full_training(verdict):
    accuracy = np.array([0.5, 0.6, 0.55]) - np.array(CASES[verdict]) / 10
    found = of_bottleneck(ends=(shifted(verdict), accuracy))
    assert verdict_on(found, "After full training") is verdict
    assert verdict_on(found, "Classes are predicted better") is verdict


def of_noise(own=-3.0, low_at_high=9.0, high_at_low=9.0, seeds=1, spread=0.5):
    """Errors of 200 test examples; the model trained on a noise is `own` below the others."""
    rng = torch.Generator().manual_seed(0)
    noises = ["σ = 0.25", "σ = 0.5", "σ = 0.75", "masking"]
    errors = {name: {} for name in (UNRESTORED, PLAIN, *noises, *FILTERS)}
    for noise in noises:
        for name, each in errors.items():
            error = 20.0 + (own if name == noise else 0.0)
            error += low_at_high if (name, noise) == ("σ = 0.25", "σ = 0.75") else 0.0
            error += high_at_low if (name, noise) == ("σ = 0.75", "σ = 0.25") else 0.0
            each[noise] = error + spread * torch.randn(seeds, 200, generator=rng)
    return STUDIES["noise"]._findings(errors)


def test_noise_is_removed_best_by_its_own_model():
    for start in ("Each noise is removed", "Gaussian noise of σ = 0.5"):
        assert verdict_on(of_noise(own=-3.0), start) is YES
        assert verdict_on(of_noise(own=3.0), start) is NO
        assert verdict_on(of_noise(own=0.0, spread=5.0), start) is UNDECIDED
        assert verdict_on(of_noise(own=-3.0, seeds=3), start) is YES


def test_noise_of_a_wrong_level():
    start = "Training at σ = 0.75"
    assert verdict_on(of_noise(low_at_high=20.0, high_at_low=2.0), start) is YES
    assert verdict_on(of_noise(low_at_high=2.0, high_at_low=20.0), start) is NO
    assert verdict_on(of_noise(spread=5.0), start) is UNDECIDED
    assert verdict_on(of_noise(low_at_high=20.0, high_at_low=2.0, seeds=3), start) is YES


def test_the_factor_of_a_wrong_level_is_one_of_means():
    found = of_noise(low_at_high=20.0, high_at_low=3.0, spread=0.0, own=0.0)[-1].sentence
    for factor in (23 / 20, 40 / 20):
        assert f"{np.log(factor):.3f}"[:5] in found


def of_conditional(alone, semi, fidelity=0.95):
    models = {
        "CVAE": {
            "nll": shifted(YES),
            "label_fidelity": list(fidelity + np.array([0, 0.01, -0.01])),
        },
        "VAE": {"nll": list(BASE)},
    }

    def wrong(share):
        rng = torch.Generator().manual_seed(round(1e4 * share))
        return (torch.rand(1, 2_000, generator=rng) < share).double()

    return STUDIES["conditional"]._findings(
        results_of(models),
        {n: wrong(share) for n, share in semi.items()},
        {n: wrong(share) for n, share in alone.items()},
    )


def test_conditional_samples_of_the_class():
    for fidelity, verdict in ((0.95, YES), (0.7, NO), (MIN_FIDELITY + 0.001, UNDECIDED)):
        found = of_conditional({}, {}, fidelity)
        assert verdict_on(found, "More than 90% of the samples") is verdict


@pytest.mark.parametrize(
    ("semi", "verdict"), [(0.1, YES), (0.35, NO), (0.2002, UNDECIDED)], ids=str
)
def test_conditional_with_few_labels(semi, verdict):
    found = of_conditional({100: 0.2}, {100: semi})
    assert verdict_on(found, "With the fewest labels") is verdict
    assert len(found) == 3, "with one number of labels nothing shrinks"


@pytest.mark.parametrize(
    ("at_most", "verdict"), [(0.095, YES), (0.02, NO), (0.0502, UNDECIDED)], ids=str
)
def test_conditional_with_many_labels(at_most, verdict):
    start = {YES: 0.1, NO: 0.28, UNDECIDED: 0.25}[verdict]
    found = of_conditional({100: 0.3, 10_000: 0.1}, {100: start, 10_000: at_most})
    assert verdict_on(found, "The advantage of the semi-supervised") is verdict


def test_examples_of_one_seed_decide_on_the_squared_error():
    results = results_of({"AE": {"squared_error": [1.0]}, "VAE": {"squared_error": [2.5]}})
    assert compare_models(results, "AE", "VAE", "squared_error").verdict is Verdict.ONE_SEED
    error, more = torch.arange(40.0) % 3, 1 + torch.arange(40.0) % 2
    for result, each in zip(results, (error, error + more), strict=True):
        result.per_example["squared_error"] = each
    found = compare_models(results, "AE", "VAE", "squared_error")
    assert found.verdict is YES
    assert "over 40 test examples of one seed" in found.text


def test_a_comparison_states_both_values_and_the_difference():
    found = compare_models(
        results_of({"a": {"gaps": [0.1, 0.3]}, "b": {"gaps": [0.2, 0.5]}}), "a", "b", "gaps"
    )
    assert found.text.startswith(
        "20.0 % (a) against 35.0 % (b): difference −15.0 percentage points"
    )
    assert found.text.endswith("over 2 seeds")
    assert found.verdict is UNDECIDED, "two seeds, and the difference doubles"


@pytest.mark.parametrize(
    ("value", "interval", "verdict"),
    [
        (0.95, [0.93, 0.97], YES),
        (0.80, [0.78, 0.82], NO),
        (0.91, [0.89, 0.93], UNDECIDED),
        (0.95, None, ONE_SEED),
    ],
)
def test_a_threshold_is_exceeded_beyond_the_noise(value, interval, verdict):
    results = results_of({"CVAE": {"label_fidelity": [value]}})
    if interval:
        results.first("CVAE").metrics["intervals"] = {"label_fidelity": interval}
    found = compare_with_threshold(results, "CVAE", "label_fidelity", 0.9)
    assert found.verdict is verdict
    assert f"{100 * value:.1f} % (CVAE) against 90.0 % (threshold)" in found.text
