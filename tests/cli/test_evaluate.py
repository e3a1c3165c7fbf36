"""What `evaluate` leaves in the run beside its figures: a map of the codes, and a new report."""

import sys

import pytest

from autoencode.models.run import open_run

TRAIN = "train ae --data digits --steps 4 --batch-size 50 --set network.hidden=[16]"


@pytest.fixture
def drawn(monkeypatch):
    """How the report is written, in a moment: what was called, with what the run then held."""
    calls = []

    def note(name):
        def written(run, **_):
            calls.append((name, sorted(run.metrics())))
            return run.folder / name

        return written

    monkeypatch.setattr("autoencode.report.write_report", note("report.html"))
    monkeypatch.setattr("autoencode.report.write_card", note("card.md"))
    return calls


@pytest.mark.long
def test_it_brings_the_report_up_to_date(run, folder, drawn):
    assert run(f"{TRAIN} --latent 3 --out r").code == 0
    (folder / "r" / "report.html").write_text("old")
    drawn.clear()
    outcome = run("evaluate r --measures quick,space")
    assert outcome.code == 0, outcome.err
    assert [name for name, _ in drawn] == ["card.md", "report.html"]
    assert all("silhouette" in figures for _, figures in drawn)
    assert "report               r/report.html" in outcome.out
    assert "projection           tsne of 359 of 359 test codes" in outcome.out
    assert (folder / "r" / "projections" / "tsne.safetensors").exists()
    drawn.clear()
    assert "report.html" not in run("evaluate r --measures quick --no-report").out
    assert run("evaluate r --measures quick --json").json == open_run("r").metrics()
    assert [name for name, _ in drawn] == ["card.md", "report.html"]


def test_a_run_without_a_report_gets_none(run, folder, drawn):
    assert run(f"{TRAIN} --out r --no-report").code == 0
    assert run("evaluate r --measures quick").code == 0
    assert not drawn


@pytest.mark.long
def test_only_what_was_asked_for_is_mapped(run, folder, drawn):
    assert run(f"{TRAIN} --latent 3 --out r --no-report").code == 0
    maps = folder / "r" / "projections"
    for words in ("quick", "quick,space --projection none"):
        assert run(f"evaluate r --measures {words}").code == 0
        assert not maps.exists()
    assert "pca of 359" in run("evaluate r --measures quick --projection pca").out
    assert [path.name for path in maps.iterdir()] == ["pca.safetensors"]


@pytest.mark.long
def test_codes_of_two_numbers_need_no_map(run, folder, ae):
    assert run("evaluate ae --measures space --no-report").code == 0
    assert not (ae / "projections").exists()


def test_codes_that_have_no_map_cost_no_figure(run, folder, drawn):
    assert run(f"{TRAIN} --latent 1 --out r --no-report").code == 0
    outcome = run("evaluate r --measures quick --projection tsne")
    assert outcome.code == 0
    assert "MSE " in outcome.out
    assert "so the codes are not projected" in outcome.err


def test_what_cannot_be_mapped_is_refused_before_anything_is_measured(run, ae, images, monkeypatch):
    monkeypatch.setattr(
        "autoencode.evaluation.of_runs.measure_run", None
    )  # would fail if it were called
    assert 'Did you mean "tsne"' in run("evaluate ae --projection tnse").error
    assert (
        "Leave out"
        in run("evaluate ae --data images --no-labels --range 0 255 --projection pca").error
    )
    monkeypatch.setitem(sys.modules, "umap", None)
    outcome = run("evaluate ae --projection umap")
    assert outcome.code == 2
    assert 'pip install "autoencode[umap]"' in outcome.error


@pytest.mark.long
def test_a_summary_names_only_what_the_model_has(run, ae, vae, drawn):
    """A plain autoencoder has no prior, so no line says anything about one."""
    without, with_prior = (
        run(f"evaluate {name} --measures quick,space --projection none").out.splitlines()
        for name in ("ae", "vae")
    )
    assert not [line for line in without if "prior" in line or "ctive" in line or "KL" in line]
    assert [line for line in with_prior if line.startswith("prior ") and "ctive" in line]


@pytest.mark.long
def test_a_classification_loss_is_not_called_like_the_error(run, folder, drawn):
    """Test examples of a semi-supervised model are classified without their labels."""
    out = run(f"{TRAIN.replace(' ae ', ' m2 ')} --labelled 50 --out m2 --no-report").out
    titles = [line for line in out.splitlines() if "lassification" in line]
    assert len(titles) == 1
    assert titles[0].startswith("Classification error ")
    assert "nats" not in titles[0]


def test_the_precision_of_the_likelihood(run, folder, drawn):
    assert run("train vae --data digits --latent 2 --steps 4 --out r --no-report").code == 0
    words = "evaluate r --measures likelihood --samples 10 --images 50 --json"
    exact, outcome = run(words).json, run(f"{words} --precision bf16")
    rounded = outcome.json
    assert "decoder in bf16: the values of 18 of them were also computed" in outcome.err
    assert 0 < abs(exact["nll"] - rounded["nll"]) < 0.1
    assert "bf16" not in exact["notes"]["nll"]
    assert "decoder in bf16" in rounded["notes"]["nll"]
    refused = run(f"{words} --precision half")
    assert refused.code == 2
    assert "bf16" in refused.err
