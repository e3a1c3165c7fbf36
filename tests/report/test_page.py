import csv
import re
import resource
import signal
from dataclasses import replace
from urllib.parse import unquote

import pytest
import torch

from autoencode.errors import DataError, ResourceError, RunError
from autoencode.evaluation import projected
from autoencode.evaluation.headlines import PCA_ADVICE
from autoencode.models.run import data_record
from autoencode.report import write_card, write_report

pytestmark = pytest.mark.long

EVIL = "<script>alert(1)</script>"
FIGURES = ["reconstructions", "best-and-worst", "class-errors", "latent-space", "samples"]
FIGURES += ["decoded-grid", "interpolation", "class-samples"]
OF_TRAINING = ["training-curves", "training-progress"]
LAST = ["all-metrics", "architecture", "recipe", "reproduction"]


@pytest.fixture(scope="module")
def page(runs, few, read_page):
    before = torch.random.get_rng_state()
    data = replace(few, classes=(EVIL, "$\\frac{1}{0}$", *few.classes[2:]))
    path = write_report(replace(runs["vae"], data=data_record(data)), data=data)
    assert torch.equal(before, torch.random.get_rng_state())
    assert path == runs["vae"].folder / "report.html"
    assert not list(path.parent.glob("*.tmp"))
    return read_page(path)


def test_asks_nothing_of_the_network(page):
    assert "http://" not in page.text
    assert "https://" not in page.text
    assert "url(" not in page.text
    assert "@import" not in page.text
    assert "script" not in page.tags
    assert page.loads
    assert all(load.startswith("data:") for load in page.loads)


def test_tells_the_story_in_order(page):
    assert page.sections == ["metrics", *FIGURES, "kl-by-dimension", *OF_TRAINING, *LAST]


def test_every_figure_has_a_picture_an_alt_and_a_caption(page):
    assert [figure["section"] for figure in page.figures] == page.sections[1 : -len(LAST)]
    for figure in page.figures:
        assert figure["src"].startswith("data:image/webp;base64,UklGR")
        assert len(figure["alt"]) > 20
        assert len(figure["words"].strip()) > 40
        assert int(figure["width"]) == 720
        assert int(figure["height"]) > 100


def test_the_data_of_every_figure_lie_in_the_page(page):
    head = "data:text/csv;charset=utf-8,"
    linked = {f["section"]: f["link"] for f in page.figures if "link" in f}
    # Its figure is images alone.
    assert list(linked) == [
        name for name in page.sections[1 : -len(LAST)] if name != "training-progress"
    ]
    for section, link in linked.items():
        assert link["download"] == f"vae-{section}.csv"
        assert link["href"].startswith(head)
        rows = list(csv.reader(unquote(link["href"].removeprefix(head)).splitlines()))
        assert len({len(row) for row in rows}) == 1
        words = f"Data (CSV, {len(rows) - 1} rows)"
        assert words in page.said()
        # The name that is heard begins with what is seen.
        assert link["aria-label"].startswith(f"{words}: ")


def test_the_error_of_pca_stands_beside_that_of_the_model(page, runs):
    metrics = runs["vae"].metrics()
    of_pca = f"PCA with 2 dimensions {metrics['squared_error_of_pca']:.2f}: this model is worse"
    assert of_pca in page.said()
    assert f"This model is worse than PCA with as many dimensions. {PCA_ADVICE}" in page.said()
    card = write_card(runs["vae"]).read_text(encoding="utf-8")
    assert of_pca in card
    assert PCA_ADVICE in card


def test_is_a_page_for_every_screen(page):
    assert '<html lang="en">' in page.text
    assert '<meta name="viewport" content="width=device-width' in page.text
    assert "prefers-color-scheme: dark" in page.text
    assert "@media print" in page.text
    assert page.tags.count("h1") == 1
    assert page.tags.count("main") == 1


def test_says_what_was_measured_and_how_it_was_made(page, runs):
    metrics, said = runs["vae"].metrics(), page.said()
    error, sizes = metrics["squared_error"], runs["vae"].sizes
    assert f"MSE {error:.2f} summed over {sizes.pixels} pixels" in said
    assert f"KL {metrics['terms']['kl']:.3g}" in said
    assert f"{runs['vae'].recipe.likelihood.kind} likelihood" in said
    assert "Aim of the recipe (not measured)" in said
    assert "Training time 1 min 15 s for 40 steps" in said
    assert "12,345" in said
    assert "loss = −ln p(x|z) + KL(q(z|x) ‖ p(z))" in said
    assert "Kingma" in said
    assert "autoencode train ae '&' co" in said
    assert runs["vae"].data["fingerprint"] in said
    assert "lr 0.001" in said


def test_all_figures_are_grouped_and_say_their_interval(page, runs):
    metrics, said = runs["vae"].metrics(), page.said()
    low, high = metrics["intervals"]["knn_accuracy"]
    value = re.search(r"k-NN accuracy (\S+)% \((\S+) to (\S+)\)", said)
    assert [float(each) for each in value.groups()] == pytest.approx(
        [100 * metrics["knn_accuracy"], 100 * low, 100 * high], abs=0.6
    )
    titles = [said.rindex(f" {title} ") for title in ("Reconstruction MSE", "Objective", "Codes")]
    assert titles == sorted(titles)
    link = page.of_page["vae-metrics.csv"]
    lines = csv.DictReader(unquote(link["href"].split(",", 1)[1]).splitlines())
    found = {line["metric"]: line for line in lines}
    assert float(found["terms.kl"]["value"]) == pytest.approx(metrics["terms"]["kl"], rel=1e-4)
    assert found["squared_error"]["unit"] == metrics["units"]["squared_error"]
    assert float(found["knn_accuracy"]["lower end of 95 % interval"]) == pytest.approx(
        low, rel=1e-4
    )
    assert found["loss"]["lower end of 95 % interval"] == ""


@pytest.mark.slow
def test_a_map_is_drawn_where_one_is_kept(fresh_run, few, read_page):
    for name in ("log.jsonl", "metrics.json"):
        (fresh_run.folder / name).unlink()
    (fresh_run.folder / "figures" / "training" / "originals.png").unlink()
    found = projected(fresh_run, few, method="tsne")
    page = read_page(write_report(fresh_run, data=few))
    assert page.sections[page.sections.index("latent-space") + 1] == "projection-tsne"
    (link,) = [f["link"] for f in page.figures if f["section"] == "projection-tsne"]
    assert link["download"] == "ae-projection-tsne.csv"
    lines = list(csv.DictReader(unquote(link["href"].split(",", 1)[1]).splitlines()))
    assert [float(line["t-SNE 1"]) for line in lines] == pytest.approx(
        found.points[:, 0].tolist(), rel=1e-3
    )
    assert "t-SNE projection of the codes" in page.said()
    assert "have no meaning" in page.said()
    # A map of other weights is not this model's.
    model = fresh_run.load_model()
    torch.nn.init.zeros_(next(model.parameters()))
    fresh_run.write_weights(model)
    page = read_page(write_report(fresh_run, data=few))
    assert "projection-tsne" not in page.sections


def test_the_card_has_the_figures_by_kind(runs):
    said = write_card(runs["vae"]).read_text(encoding="utf-8")
    assert said.index("### Reconstruction") < said.index("### Objective") < said.index("### Codes")
    assert re.search(r"\| k-NN accuracy \| \S+% \(\S+ to \S+\) \| Test examples classified", said)


def test_names_of_classes_are_text(page):
    assert "script" not in page.tags
    assert EVIL in page.said()


def test_a_bare_run_has_a_shorter_report(fresh_run, few, read_page):
    for name in ("metrics.json", "environment.json", "log.jsonl"):
        (fresh_run.folder / name).unlink()
    (fresh_run.folder / "figures" / "training" / "originals.png").unlink()
    data = replace(few, test=replace(few.test, y=None))
    page = read_page(write_report(fresh_run, data=data))
    # Neither measured by class, nor of classes.
    figures = [name for name in FIGURES if name not in ("class-errors", "class-samples")]
    assert page.sections == ["metrics", *figures, "architecture", "recipe", "reproduction"]
    assert "MSE" not in page.said()
    assert "Trainable parameters" in page.said()


def test_a_full_disk_leaves_the_old_page(fresh_run, few):
    path = fresh_run.folder / "report.html"
    path.write_text("the old page")
    (fresh_run.folder / "log.jsonl").unlink()  # the fewer figures the faster
    (fresh_run.folder / "figures" / "training" / "originals.png").unlink()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, limits[1]))
        with pytest.raises(ResourceError, match=r"no room on the disk for .*report\.html"):
            write_report(fresh_run, data=few)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)
    assert path.read_text() == "the old page"
    assert not list(fresh_run.folder.glob("*.tmp"))


@pytest.mark.parametrize("content", [b"no picture", None])
def test_a_damaged_strip_is_named(fresh_run, few, content):
    strip = fresh_run.folder / "figures" / "training" / "000000020.png"
    if content is None:
        content = strip.read_bytes()
        strip = strip.with_name("originals.png")
        content = content[: len(content) // 2]
    strip.write_bytes(content)
    with pytest.raises(RunError, match=strip.name):
        write_report(fresh_run, data=few)
    assert not (fresh_run.folder / "report.html").exists()


def test_data_of_another_run_are_refused(fresh_run, few):
    with pytest.raises(DataError, match="not those"):
        write_report(fresh_run, data=replace(few, fingerprint="0" * 64))


def test_arrays_in_memory_have_to_be_given(fresh_run):
    run = replace(fresh_run, data={**fresh_run.data, "source": ""})
    with pytest.raises(RunError, match="arrays in memory"):
        write_report(run)
