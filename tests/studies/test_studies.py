import json
import re
import shutil

import numpy as np
import pytest

from autoencode.data import load_data
from autoencode.errors import DataError, RunError
from autoencode.scale import jobs as many
from autoencode.studies import STUDIES, StudyPlan, Verdict, beta, run_study


def carried_out(name, source, folder, steps=6, workers=1, **plan):
    plan = StudyPlan(load_data(source), steps=steps, seeds=plan.pop("seeds", 1), **plan)
    command = f"autoencode study {name} --data bars"
    return run_study(STUDIES[name], plan, folder, command, workers, None, lambda line: None)


def words(conclusion):
    return " ".join(each.sentence for each in conclusion.findings)


@pytest.mark.slow
def test_classes_that_can_be_seen_cluster(source, tmp_path):
    found = carried_out("bottleneck", source, tmp_path / "s", steps=50)
    assert re.search(r"classes cluster with d = \d+", words(found))
    assert "do not cluster" not in words(found)
    record = json.loads((tmp_path / "s" / "study.json").read_text())
    assert [each["sentence"] for each in record["findings"]] == [f.sentence for f in found.findings]
    assert [each["verdict"] for each in record["findings"]] == [f.verdict for f in found.findings]
    errors = {each["model"]: each["metrics"]["squared_error"] for each in record["trainings"]}
    assert f"{errors['d = 2']:.2g}"[:3] in words(found), "the sentence states the values"
    page = (tmp_path / "s" / "report.html").read_text()
    assert found.findings[0].sentence.split(";")[0] in page
    assert (tmp_path / "s" / "figures" / "curve.png").stat().st_size > 5_000
    assert "autoencode study bottleneck" in (tmp_path / "s" / "study.md").read_text()


@pytest.mark.slow  # a study of its own
def test_shuffled_labels_do_not_cluster(shuffled, tmp_path):
    found = carried_out("bottleneck", shuffled, tmp_path / "s", steps=50)
    [verdict] = [each.verdict for each in found.findings if "K-means" in each.hypothesis]
    # Of 48 test examples, the interval may reach the threshold.
    assert verdict in (Verdict.NOT_SUPPORTED, Verdict.UNDECIDED)
    assert re.search(r"classes do not cluster with d = \d+", words(found))
    assert "classes cluster" not in words(found)


@pytest.mark.long
def test_what_is_done_is_not_done_again(source, tmp_path, monkeypatch):
    first = carried_out("beta", source, tmp_path / "s")
    before = json.loads((tmp_path / "s" / "study.json").read_text())
    monkeypatch.setattr(many, "fit", None)  # would fail if it were called
    again = carried_out("beta", source, tmp_path / "s")
    assert again.findings == first.findings
    assert json.loads((tmp_path / "s" / "study.json").read_text()) == before
    for file in (tmp_path / "s").rglob("run.json"):  # as a version without this setting wrote it
        record = json.loads(file.read_text())
        del record["settings"]["snapshots"]
        file.write_text(json.dumps(record))
    assert carried_out("beta", source, tmp_path / "s").findings == first.findings
    with pytest.raises(TypeError):  # other settings are trained anew
        carried_out("beta", source, tmp_path / "s", steps=7)


@pytest.mark.slow
def test_a_study_that_was_cut_short_goes_on(source, tmp_path, monkeypatch):
    complete = carried_out("beta", source, tmp_path / "complete")
    fit, calls = many.fit, []

    def cut(*given, **options):
        calls.append(options["out"])
        if len(calls) == 2:
            raise KeyboardInterrupt
        return fit(*given, **options)

    monkeypatch.setattr(many, "fit", cut)
    with pytest.raises(KeyboardInterrupt):
        carried_out("beta", source, tmp_path / "s")
    assert carried_out("beta", source, tmp_path / "s").findings == complete.findings
    assert len(set(calls)) == len(beta.WEIGHTS)
    assert len(calls) == len(beta.WEIGHTS) + 1, "one was done, one was begun twice"


def test_a_folder_of_something_else_is_left_alone(source, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter.txt").write_text("dear")
    with pytest.raises(RunError, match="files that are not of a study"):
        carried_out("beta", source, tmp_path / "mine")
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["letter.txt"]


def test_arrays_in_memory_cannot_be_shared(tmp_path):
    with pytest.raises(RunError, match="arrays in memory"):
        carried_out("beta", np.zeros((40, 6, 6), np.uint8), tmp_path / "s")


@pytest.mark.parametrize("name", ["noise", "architecture"])
def test_vectors_are_refused_where_images_are_needed(name, tmp_path):
    np.save(tmp_path / "v.npy", np.random.default_rng(0).random((60, 20)))
    with pytest.raises(DataError, match="vectors"):
        carried_out(name, tmp_path / "v.npy", tmp_path / "s")
    assert not (tmp_path / "s").exists()


def test_labels_are_required(tmp_path):
    np.save(tmp_path / "x.npy", np.random.default_rng(0).integers(0, 255, (60, 6, 6), np.uint8))
    with pytest.raises(DataError, match="needs labels"):
        carried_out("conditional", tmp_path / "x.npy", tmp_path / "s")


@pytest.mark.slow
@pytest.mark.parametrize("name", STUDIES)
def test_every_study_ends_in_a_report(name, tmp_path):
    found = carried_out(name, "digits", tmp_path / "s", steps=20, workers=2)
    assert len(found.findings) >= 2
    assert all(each.sentence.endswith(".") for each in found.findings)
    assert {each.hypothesis for each in found.findings} <= {
        each.text for each in STUDIES[name].hypotheses
    }
    assert {path.stem for path in (tmp_path / "s" / "figures").iterdir()} == set(found.figures)
    shutil.rmtree(tmp_path / "s")


@pytest.mark.slow
def test_parallel_processes_find_the_same(source, tmp_path):
    one = carried_out("beta", source, tmp_path / "one", workers=1)
    two = carried_out("beta", source, tmp_path / "two", workers=2)
    assert one.findings == two.findings


@pytest.mark.slow  # six trainings with all their figures
def test_a_vae_that_is_worse_is_not_called_better(tmp_path):
    """So little trained, the VAE's samples are farther from digits than the codes of the AE."""
    found = carried_out("generation", "digits", tmp_path / "s", steps=200)
    verdicts = {each.hypothesis: each for each in found.findings}
    for hypothesis, each in verdicts.items():
        if "squared error" in hypothesis:
            assert each.verdict is Verdict.SUPPORTED
            assert "over 359 test examples of one seed" in each.sentence
        else:
            assert each.verdict is Verdict.ONE_SEED
            assert "difference" in each.sentence
            assert each.sentence.endswith("one seed.")
    record = json.loads((tmp_path / "s" / "study.json").read_text())
    distance = {each["model"]: each["metrics"]["frechet_distance"] for each in record["trainings"]}
    assert distance["VAE"] > distance["AE"]
    page = (tmp_path / "s" / "report.html").read_text()
    assert "Hypotheses: 1 supported, 0 not supported, 4 undecided." in page
    assert page.count("undecided: one seed") == 4
    two = carried_out("generation", "digits", tmp_path / "s", steps=200, seeds=2)
    [frechet] = [each for each in two.findings if "lower Fréchet distance than" in each.hypothesis]
    assert frechet.verdict in (Verdict.NOT_SUPPORTED, Verdict.UNDECIDED)
    assert "over 2 seeds" in frechet.sentence
