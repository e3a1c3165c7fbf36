"""Options without meaning: one sentence that names them, exit code 2, and nothing left behind."""

import numpy as np
import pytest

import autoencode.data
import autoencode.evaluation
import autoencode.evaluation.of_runs
import autoencode.report
from autoencode.errors import ResourceError, RunError
from autoencode.models.run import load, open_run

TRAIN = "train ae --data digits"


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("tran ae", ["'tran'", "'train'"]),
        ("train", ["Missing argument", "autoencode train --help"]),
        ("train vea", ['"vea"', 'Did you mean "vae"']),
        ("train ae --data dgits", ['"dgits"', 'Did you mean "digits"']),
        ("train ae --data nowhere/x.npy", ["nowhere/x.npy does not exist"]),
        ("train ae --data ''", ["empty"]),
        (
            f"{TRAIN} --latnt 3",
            ["no option --latnt", "Did you mean --latent?", "autoencode train --help"],
        ),
        (f"{TRAIN} --snapshot 10", ["no option --snapshot. Did you mean --snapshots?"]),
        (f"{TRAIN} --learning-rate 1", ["no option --learning-rate. Did you mean --lr?"]),
        (f"{TRAIN} --xyzxyz", ["no option --xyzxyz. See: autoencode train --help"]),
        (f"{TRAIN} --latent 0", ["latent must be a whole number from 1", "is 0"]),
        (f"{TRAIN} --latent -3", ["latent must be a whole number from 1", "is -3"]),
        (f"{TRAIN} --latent 2.5", ["--latent", "integer"]),
        (f"{TRAIN} --latent 9000000", ["latent must be", "1,000,000"]),
        (f"{TRAIN} --lr nan", ["lr must be a finite number", "is nan"]),
        (f"{TRAIN} --lr -1", ["lr must be"]),
        (f"{TRAIN} --lr fast", ["--lr", "number"]),
        (f"{TRAIN} --steps 0", ["steps must be a whole number from 1"]),
        (f"{TRAIN} --steps 1e3", ["--steps", "integer"]),
        (f"{TRAIN} --epochs -1", ["epochs must be", "is -1"]),
        (f"{TRAIN} --batch-size 0", ["batch_size must be"]),
        (f"{TRAIN} --seed -1", ["seed must be"]),
        (f"{TRAIN} --schedule cosin", ["schedule must be one of", 'Did you mean "cosine"']),
        (f"{TRAIN} --binarise statik", ["binarise must be one of", 'Did you mean "static"']),
        (f"{TRAIN} --memory disk", ["memory must be one of", '"map"']),
        (f"{TRAIN} --validation 1.5", ["validation is 1.5", "share between 0 and 1"]),
        (f"{TRAIN} --validation few", ["--validation", "'few' is not a number"]),
        (f"{TRAIN} --snapshots 1", ["snapshots must be a whole number from 2 to 1,000"]),
        (f"{TRAIN} --labelled-share 2", ["labelled must be a finite number from 0 to 1"]),
        (f"{TRAIN} --device gpu", ["device must be one of", '"cuda"']),
        (f"{TRAIN} --set latnt=3", ['"latnt"', 'Did you mean "latent"']),
        (f"{TRAIN} --set terms.kl.weight=4", ['Did you mean "terms.reconstruction.weight"']),
        ("train vae --set terms.rate.weight=4", ['Did you mean "terms.kl.weight"']),
        (f"{TRAIN} --set network.hidden", ["NAME=VALUE", "network.hidden"]),
        (f"{TRAIN} --set network.hidden=[512", ["network.hidden must be a list", "'[512'"]),
        (f"{TRAIN} --set network.hidden={'[' * 5000}", ["network.hidden must be a list"]),
        (f"{TRAIN} --set latent={'9' * 5000}", ["latent must be"]),
        (f"{TRAIN} --set latent=1{'0' * 400}", ["latent must be"]),
        (f"{TRAIN} --set network=none", ["no network", "conv, conv1d, dictionary, mlp"]),
        (f"{TRAIN} --set bottleneck=gausian", ['no bottleneck "gausian"', '"gaussian"']),
        (f"{TRAIN} --set terms.reconstruction.weight=NaN", ["must be a finite number", "nan"]),
        (f"{TRAIN} --set training.stps=3", ['"stps"', 'Did you mean "steps"']),
        (f"{TRAIN} --set terms.kl=kl", ['"kl" needs a posterior', '"gaussian"']),
        (f"{TRAIN} --on-bad skp", ["'skp'", 'Did you mean "skip"']),
        (f"{TRAIN} --max-bad nan", ["max_bad must be a finite number from 0 to 1", "is nan"]),
        (f"{TRAIN} --range 1 0", ["value_range"]),
        (f"{TRAIN} --range 0", ["--range", "2 arguments"]),
        (f"{TRAIN} --size 0 8", ["size must be", "from 1 to 8,192", "is (0, 8)"]),
        (f"{TRAIN} --split-seed -1", ["seed must be a whole number from 0", "is -1"]),
        (f"{TRAIN} --labels nowhere.npy", ["nowhere.npy does not exist"]),
        (f"{TRAIN} --out /proc/run", ["/proc/run cannot be written", "--out"]),
        (f"{TRAIN} --out /dev/null/run", ["/dev/null/run cannot be written", "--out"]),
        (f"{TRAIN} --out {'x' * 300}", ["cannot be written: File name too long"]),
        (f"{TRAIN} --out 'two\nlines'", ["two\\nlines is no name for a run"]),
        (f"{TRAIN} --set network.norm=batch --batch-size 1", ["at least two", "--batch-size"]),
        ("recipes vea", ['Did you mean "vae"']),
        ("recipes --code", ["Name it: autoencode recipes vae --code"]),
        ("recipes vae --latent 3", ["--latent", "autoencode recipes vae --code"]),
        ("recipes --data-shape 8x8", ["--data-shape", "autoencode recipes vae --code"]),
        ("recipes vq-vae --code", ['Bottleneck "vq"', '"vq-vae"', "vae, conv-vae"]),
        ("recipes vae --code --data-shape 8x", ['"8x" is no shape', "--data-shape 28x28"]),
        (f"recipes vae --code --data-shape {'9' * 5000}", ["no shape"]),
        ("recipes vae --code --data-shape 1x2x3x4", ["one to three dimensions"]),
        ("recipes vae --code --latent 0", ["latent must be"]),
        ("recipes conv-ae --code --data-shape 30", ["needs images"]),
        ("data fetch mnsit", ['Did you mean "mnist"']),
        ("data check nowhere.npy", ["nowhere.npy does not exist"]),
        ("data chek mnist", ["'chek'", "'check'"]),
        ("evaluate nowhere", ["no run at nowhere", "autoencode train"]),
        ("resume nowhere", ["no run at nowhere"]),
        (f"evaluate {'x' * 5000}", ["File name too long"]),
        ("generate nowhere", ["no run at nowhere"]),
        ("generate nowhere --n 0", ["'--n'", "greater than or equal to 1"]),
        ("generate nowhere --seed -1", ["'--seed'"]),
        (f"generate nowhere --seed {2**64}", ["seed must be"]),
        ("interpolate nowhere --from x", ["'--from'"]),
        ("demo --data dgits", ['Did you mean "digits"']),
    ],
    ids=lambda value: value[:60] if isinstance(value, str) else "",
)
def test_what_has_no_meaning_is_refused(refused, line, words):
    message = refused(line)
    assert all(word in message for word in words), message


def test_a_device_that_is_not_there_is_refused_before_an_old_run_is_replaced(run, ae):
    if open_run(ae).summary["device"] == "cuda":
        pytest.skip("this machine has it")
    outcome = run(f"{TRAIN} --device mps --out ae --overwrite")
    assert outcome.code == 2
    assert 'Device "mps"' in outcome.error
    assert "It has: cpu" in outcome.error
    load(ae)


def test_a_giant_is_a_matter_of_resources(refused):
    message = refused(f"{TRAIN} --set network.hidden=[1000000,1000000]", code=4)
    assert "parameters" in message
    assert "network.hidden" in message


def test_an_existing_run_or_picture_is_replaced_only_when_asked(run, ae, folder):
    quick = f"{TRAIN} --steps 2 --no-report --out ae"
    outcome = run(quick)
    assert outcome.code == 2
    assert "ae exists and is not empty" in outcome.error
    assert "--overwrite" in outcome.error
    assert open_run(ae).summary["steps"] == 20
    assert run(f"{quick} --overwrite").code == 0
    assert open_run(ae).summary["steps"] == 2

    (folder / "thesis").mkdir()
    (folder / "thesis" / "thesis.tex").write_text("years of work")
    outcome = run(f"{TRAIN} --steps 2 --out thesis --overwrite")
    assert "thesis holds files that are not of a run" in outcome.error
    assert (folder / "thesis" / "thesis.tex").exists()

    for verb in ("generate", "reconstruct", "interpolate"):
        (folder / "a.png").write_bytes(b"mine")
        outcome = run(f"{verb} ae --out a.png")
        assert outcome.code == 2
        assert "a.png exists" in outcome.error
        assert (folder / "a.png").read_bytes() == b"mine"
        assert run(f"{verb} ae --out a.png --overwrite").code == 0
        assert (folder / "a.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("generate ae --out nowhere/x.png", ["nowhere/x.png cannot be written: No such file"]),
        ("generate ae --out ae --overwrite", ["ae is a run", "--out"]),
        ("generate ae --out x.tga", ["unknown ending", ".png"]),
        ("generate ae --out /proc/x.png", ["/proc/x.png cannot be written"]),
        ("generate ae --label 99", ['no class "99"']),
        ("generate ae --label x --data images --no-labels --range 0 255", ['no class "x"']),
        ("generate ae --data nowhere --label 3", ['"nowhere"', "digits"]),
        ("interpolate ae --from 0 --to 5000", ["--to 5000", "359"]),
        ("interpolate ae --n 1", ["'--n'"]),
        ("reconstruct ae --data digits --n 0", ["'--n'"]),
        ("evaluate ae --data images/a/00.png", ["00.png", "0 to 16", "--range 0 255"]),
        ("resume ae", ["ae is done", "autoencode evaluate ae"]),
    ],
)
@pytest.mark.usefixtures("ae", "images")
def test_pictures_and_measures_of_what_is_not_there_are_refused(refused, line, words):
    message = refused(line)
    assert all(word in message for word in words), message


@pytest.mark.usefixtures("ae")
def test_images_of_another_size_than_the_models(refused, folder):
    np.save(folder / "other.npy", np.zeros((9, 5, 7)))
    for verb in ("evaluate", "reconstruct", "interpolate", "generate"):
        message = refused(f"{verb} ae --data other.npy")
        assert "shape (5, 7), and the model takes (8, 8)" in message
        assert "--size 8 8" in message


def test_memory_that_runs_out_anywhere_is_a_sentence(run, ae, monkeypatch):
    for error in (
        MemoryError(),
        RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes"),
    ):

        def fail(*_, error=error, **__):
            raise error

        monkeypatch.setattr("autoencode.use.reconstructions.write_reconstructions", fail)
        outcome = run("reconstruct ae --out x.png")
        assert outcome.code == 4
        assert "Memory ran out" in outcome.error


def test_ctrl_c_outside_of_training_is_a_word_and_130(run, folder, monkeypatch):
    def pressed(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(autoencode.data, "load_data", pressed)
    outcome = run("train ae --data digits")
    assert outcome.code == 130
    assert outcome.err.strip() == "note: Interrupted."
    assert not list(folder.iterdir())


def test_a_report_that_fails_takes_nothing_from_a_finished_training(run, folder, monkeypatch):
    """The figures are printed, the weights are kept, and the exit code is the error's."""

    def fail(*_, **__):
        raise RunError("The report cannot be drawn", "Mend it.")

    monkeypatch.setattr(autoencode.report, "write_report", fail)
    outcome = run(f"{TRAIN} --steps 20 --validate-every 20 --out r")
    assert outcome.code == 2
    assert outcome.error == "error: The report cannot be drawn. Mend it."
    assert "MSE " in outcome.out
    assert open_run("r").status == "done"
    load(folder / "r")
    monkeypatch.undo()
    monkeypatch.chdir(folder)
    assert run("evaluate r --measures quick").code == 0


def test_figures_that_cannot_be_kept_are_told_all_the_same(run, ae, monkeypatch):
    (ae / "metrics.json").mkdir()
    outcome = run("evaluate ae --measures quick --json")
    assert outcome.code == 0
    assert outcome.json["squared_error"] > 0
    assert outcome.err.startswith("warning: ae/metrics.json cannot be written")

    def full(path, _):
        raise ResourceError(f"There is no room on the disk for {path}")

    monkeypatch.setattr(autoencode.evaluation.of_runs, "write_json", full)
    outcome = run(f"{TRAIN} --steps 20 --validate-every 20 --out r --json")
    assert outcome.code == 4
    assert "metrics.json" in outcome.error
    assert outcome.json["squared_error"] > 0
    load("r")
