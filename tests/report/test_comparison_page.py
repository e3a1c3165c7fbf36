import csv
import itertools
import shutil
from dataclasses import replace
from urllib.parse import unquote

import numpy as np
import pytest
import torch

import autoencode as ae
from autoencode.contract import Sizes
from autoencode.evaluation.compare.comparison import RULE, compare
from autoencode.evaluation.compare.run_records import RunRecord
from autoencode.evaluation.headlines import PCA_ADVICE
from autoencode.evaluation.metrics.significance import t_interval
from autoencode.evaluation.projections import projected
from autoencode.models.build import build
from autoencode.models.recipes.table import RECIPES
from autoencode.report import write_comparison_page
from autoencode.report.figures.comparison.interpolation import PAIRS, ComparedInterpolation
from autoencode.report.figures.comparison.reconstructions import ComparedReconstructions
from autoencode.report.figures.comparison.samples import ComparedSamples
from autoencode.report.figures.interpolation import POSITION, STEPS
from autoencode.report.pages.compared import groups, pca_sentences, table
from autoencode.report.tables import code_columns
from autoencode.report.view import View

pytestmark = pytest.mark.long

COMMAND = "autoencode compare 'a & b'"
HEAD = "data:text/csv;charset=utf-8,"
FIGURES = ["confidence-intervals", "reconstructions", "latent-space", "interpolation"]
FIGURES += ["samples", "decoded-grid"]
# Of two seeds each: in squared error one model is better, in k-NN accuracy none.
ERRORS = {"ae": (9.0, 9.1), "vae": (12.0, 12.1)}
ACCURACIES = {"ae": (0.5, 0.7), "vae": (0.6, 0.9)}


def rows_of(link):
    assert link["href"].startswith(HEAD)
    return list(csv.DictReader(unquote(link["href"].removeprefix(HEAD)).splitlines()))


@pytest.fixture(scope="module")
def trials(runs, tmp_path_factory):
    folder = tmp_path_factory.mktemp("seeds")
    found = []
    for name, run in runs.items():
        for seed in (0, 1):
            own = replace(run, folder=folder / f"{name}-{seed}", settings={"lr": 0.1, "seed": seed})
            shutil.copytree(run.folder, own.folder)
            figures = {
                "squared_error": ERRORS[name][seed],
                "knn_accuracy": ACCURACIES[name][seed],
            }
            found.append(RunRecord(own, 1234, "same", {**run.metrics(), **figures}))
    return found


@pytest.fixture(scope="module")
def page(trials, few, tmp_path_factory, read_page):
    path = tmp_path_factory.mktemp("page") / "compare.html"
    before = torch.random.get_rng_state()
    assert write_comparison_page(compare(trials), path, "", COMMAND, few) == path
    assert torch.equal(before, torch.random.get_rng_state())
    return read_page(path)


ABOVE_PCA = {"ae": (1.0, 1.01), "vae": (-2.0, -2.01)}


def test_each_model_stands_beside_pca(trials):
    def sentences(above, of_pca=8.0):
        changed = []
        for trial in trials:
            value = above[trial.run.recipe.name][trial.seeds[0]]
            metrics = {"squared_error_above_pca": value, "squared_error_of_pca": of_pca}
            changed.append(replace(trial, metrics={**trial.metrics, **metrics}))
        return pca_sentences(compare(changed))

    worse, better, advice = sentences(ABOVE_PCA)
    assert worse == (
        "ae is worse than PCA, by 1.00 (95 % interval 0.941 to 1.07), over seeds: the MSE of PCA "
        "with 2 dimensions is 8.00."
    )
    assert better.startswith("vae is better than PCA, by 2.00 (95 % interval 1.94 to 2.07)")
    assert advice == PCA_ADVICE
    unsure = sentences({"ae": (-1.0, 1.0), "vae": (-2.0, -2.01)})
    assert unsure[0].startswith("ae is not significantly different from PCA (difference 0, ")
    assert len(unsure) == 2
    # PCA without error has as many dimensions as an example has values.
    assert sentences(ABOVE_PCA, of_pca=0.0) == []
    bare = [
        replace(t, metrics={k: v for k, v in t.metrics.items() if "pca" not in k}) for t in trials
    ]
    assert pca_sentences(compare(bare)) == []


def test_the_error_of_pca_has_a_row(page):
    assert "MSE of PCA" in page.said()
    assert "MSE above that of PCA" in page.said()
    assert "over seeds: the MSE of PCA with 2 dimensions is" in page.said()


def test_the_page_tells_its_story_and_loads_nothing(page):
    assert page.sections == ["metrics", *FIGURES, "recipes", "reproduction"]
    assert "<title>2 models on digits</title>" in page.text
    assert page.loads
    assert all(load.startswith("data:") for load in page.loads)
    assert "script" not in page.tags
    assert page.tags.count("h1") == page.tags.count("main") == page.tags.count("table") == 1


def test_means_with_their_noise_and_the_best_of_them(page):
    said = page.said()
    half = (t_interval(ERRORS["ae"])[1] - t_interval(ERRORS["ae"])[0]) / 2
    assert f"9.05 ± {half:.2f}" in said
    error, accuracy = (
        said.index("MSE (sum over values) ↓ lower"),
        said.index("k-NN accuracy ↑ higher"),
    )
    marks = [i for i in range(len(said)) if said.startswith("★ best", i)]
    assert sum(error < mark < said.index("PSNR") for mark in marks) == 1
    assert not any(accuracy < mark < accuracy + 200 for mark in marks)
    assert "no significant difference" in said[accuracy : accuracy + 200]
    # Not by colour alone: a star, a word, and heavier letters.
    assert 'class="best"' in page.text
    assert RULE in said
    assert "Parameters trainable ae 1,234 vae 1,234" in said


def test_nats_of_two_likelihoods_stand_in_two_rows(page):
    said = page.said()
    for row, empty in (
        ("−log p(x|z), gaussian", "vae –"),
        (f"−log p(x|z), {RECIPES['vae'].likelihood.kind}", "ae –"),
    ):
        place = said.index(row)
        assert empty in said[place : place + 60]


def test_says_how_to_make_it_again(page):
    said = page.said()
    assert COMMAND in said
    assert said.count("autoencode train ae '&' co") == 4  # one of each training
    assert said.count("seed 0, 1") == 2
    assert "Seeds of these runs: 0 (ae), 0 (vae)." in said
    assert "How each metric was measured" in said


def test_every_figure_has_words_and_its_data(page, trials):
    of = [figure["section"] for figure in page.figures]
    assert [of.count(section) for section in FIGURES] == [1, 1, 2, 1, 1, 2]
    for figure in page.figures:
        assert figure["src"].startswith("data:image/webp;base64,UklGR")
        assert len(figure["alt"]) > 20
        assert rows_of(figure["link"])
    links = {figure["link"]["download"]: figure["link"] for figure in page.figures}
    assert len(links) == len(page.figures)
    rows = rows_of(links["compare-confidence-intervals.csv"])
    (error,) = [r for r in rows if r["figure"] == "squared_error" and r["model"] == "vae"]
    assert float(error["mean"]) == 12.05
    assert (error["seeds"], error["better"], error["best"]) == ("2", "lower", "")
    low, high = t_interval(ERRORS["vae"])
    assert float(error["lower end of 95 % interval"]) == pytest.approx(low, rel=1e-4)
    assert float(error["upper end of 95 % interval"]) == pytest.approx(high, rel=1e-4)


@pytest.mark.slow
def test_the_order_of_runs_changes_no_byte(trials, few, page, tmp_path):
    for i, order in enumerate(itertools.permutations(trials)):
        if i in (5, 23):
            path = write_comparison_page(compare(order), tmp_path / "a.html", "", COMMAND, few)
            assert path.read_text(encoding="utf-8") == page.text


def test_single_runs_say_what_their_intervals_are_over(trials):
    found = compare(trials[:3])  # two seeds of one model, one of the other
    (error,) = [
        line
        for _, lines in groups(found)
        for line in lines
        if line.title == "MSE (sum over values)"
    ]
    assert [cell.note for cell in error.cells] == ["", "over test examples; +2.950 from ae"]
    over = dict(zip(table(found).columns["model"], table(found).columns["interval over"]))  # noqa: B905
    assert set(over.values()) <= {"seeds", "test examples", ""}


@pytest.fixture(scope="module")
def views(few):
    """Three models that are new, with codes of 2, 3 and 2 numbers; one of entries of a book."""
    made = {}
    for name, latent in (("ae", 2), ("vae", 3), ("fsq", 2)):
        recipe = RECIPES[name].but(latent=latent).set("network.hidden", (16,))
        model = build(recipe, Sizes((8, 8), (latent,), n=100), seed=0).eval()
        made[name] = View.of(model, few.test.x, few.test.y, few.classes)
    return made


def test_the_same_examples_go_through_each_model(views):
    chosen = ComparedReconstructions(views).chosen()
    mean = torch.stack([view.errors for view in views.values()]).mean(0)
    assert torch.equal(mean[chosen["highest error"]], mean.topk(10).values)
    columns = ComparedReconstructions(views).table().columns
    first = int(columns["position in the test set"][0])
    for name, view in views.items():
        assert columns[f"squared error, {name}"][0] == view.errors[first]
    assert ComparedReconstructions(views).draw().get_size_inches()[0] == 6


def test_ways_lead_between_the_same_two_examples(views):
    assert list(ComparedInterpolation(views).continuous) == ["ae", "vae"]
    assert "fsq has discrete codes" in ComparedInterpolation(views).caption()
    columns = ComparedInterpolation(views).table().columns
    ends = set(zip(columns[POSITION.format("left")],
                   columns[POSITION.format("right")], strict=True))  # fmt: skip
    assert len(ends) == PAIRS
    assert np.isnan(columns["z3"][: PAIRS * STEPS]).all()
    assert np.isfinite(columns["z3"][PAIRS * STEPS :]).all()
    assert ComparedInterpolation(views).draw().get_size_inches()[0] == 6


def test_random_codes_of_each_model(views):
    views = {name: views[name] for name in ("ae", "vae")}
    columns = ComparedSamples(views).table().columns
    assert columns["model"] == [name for name in views for _ in range(20)]
    sources = "the bounding box of the test codes (ae), the prior (vae)"
    assert f"sampled from {sources}." in ComparedSamples(views).findings()


def test_codes_of_several_sizes_in_one_table():
    columns = code_columns(torch.ones(2, 1), torch.full((1, 2), 3.0))
    assert columns["z1"].tolist() == [1, 1, 3]
    assert np.array_equal(columns["z2"], [np.nan, np.nan, 3], equal_nan=True)


def test_kept_projections_of_models_with_more_dimensions(few, tmp_path, read_page):
    found = []
    for name, latent in (("ae", 2), ("vae", 5), ("ae-deep", 4)):
        recipe = RECIPES[name].but(latent=latent)
        ae.fit(recipe, few, steps=2, out=tmp_path / name, progress=False)
        run = ae.open_run(tmp_path / name)
        metrics = ae.evaluate(run.load_model(), few).to_dict()
        found.append(RunRecord(run, 1, "same", metrics))
        if name != "ae-deep":
            projected(run, few, method="tsne")
    path = write_comparison_page(compare(found), tmp_path / "a.html", data=few)
    page = read_page(path)
    assert page.sections.index("projection-tsne") == page.sections.index("latent-space") + 1
    shown = [each for each in page.figures if each["section"] == "projection-tsne"]
    # Two dimensions are shown as they are, and a run without a projection has none.
    assert len(shown) == 1
    section = page.text.partition('id="projection-tsne"')[2].partition("</section>")[0]
    assert '<p class="run">vae</p>' in section
