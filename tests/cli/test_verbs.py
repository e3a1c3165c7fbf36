"""Every verb does what its help says, on small data."""

import numpy as np
import pytest
import torch
from PIL import Image

from autoencode.models.run import load, open_run
from autoencode.report.pictures import SIDE

QUICK = "--data digits --steps 20 --batch-size 50 --validate-every 20 --set network.hidden=[16]"


def size_of(path):
    with Image.open(path) as image:
        image.load()
        return image.size


@pytest.mark.long
def test_train_leaves_a_run_and_says_where(run, folder):
    outcome = run(f"train ae {QUICK}")
    assert outcome.code == 0, outcome.err
    assert outcome.err == ""
    assert "MSE " in outcome.out
    assert "images/s" in outcome.out
    assert "runs/ae-digits/report.html" in outcome.out
    made = {path.name for path in (folder / "runs" / "ae-digits").iterdir()}
    assert made >= {"recipe.json", "weights.safetensors", "metrics.json", "report.html"}
    assert open_run("runs/ae-digits").status == "done"


@pytest.mark.long
def test_train_takes_the_next_free_name(run, folder):
    for name in ("ae-digits", "ae-digits-2"):
        assert f"runs/{name}\n" in run(f"train ae {QUICK} --no-report").out
    assert sorted(path.name for path in (folder / "runs").iterdir()) == ["ae-digits", "ae-digits-2"]
    assert not (folder / "runs" / "ae-digits" / "report.html").exists()


def test_train_prints_one_object(run):
    found = run(f"train vae {QUICK} --latent 3 --seed 4 --no-report --out r --json").json
    assert found["run"] == "r"
    assert found["steps"] == 20
    assert found["squared_error"] > 0
    opened = open_run("r")
    assert opened.settings["seed"] == 4
    assert opened.recipe.latent == 3
    assert opened.metrics()["squared_error"] == found["squared_error"]


@pytest.mark.long
def test_evaluate_prints_the_figures_as_json_and_in_words(run, ae):
    found = run("evaluate ae --json").json
    assert isinstance(found["squared_error"], float)
    assert 0 <= found["knn_accuracy"] <= 1
    assert found["n_test"] == 359
    assert found["units"]["squared_error"].startswith("squared error summed over pixels")
    assert open_run(ae).metrics() == found
    assert (
        f"MSE                  {found['squared_error']:.2f}, summed over" in run("evaluate ae").out
    )


@pytest.mark.long
def test_evaluate_on_other_data_leaves_the_runs_own_figures(run, ae, images):
    run("evaluate ae")
    kept = (ae / "metrics.json").read_bytes()
    other = "--data images --no-labels --range 0 255"
    assert run(f"evaluate ae {other} --measures quick --json").json["data"] == "images"
    assert (ae / "metrics.json").read_bytes() == kept


def test_resume_ends_what_was_interrupted(run, half, trained):
    assert "MSE " in run("resume half --no-report").out
    whole, resumed = load(trained / "ae").state_dict(), load(half).state_dict()
    assert all(torch.equal(whole[name], resumed[name]) for name in whole)
    assert open_run(half).metrics()["n_test"] == 359


@pytest.mark.parametrize(
    ("name", "words", "message"),
    [
        ("vae", "", "the prior, normal"),
        ("ae", "", "uniform codes in the bounding box of the training codes"),
        ("ae", "--label 4", 'the class "4"'),
    ],
)
def test_generate_draws_codes_and_decodes_them(run, folder, trained, name, words, message):
    outcome = run(f"generate {trained / name} --n 9 --seed 1 --out a.png {words}")
    assert message in outcome.out
    assert min(size_of("a.png")) > 3 * SIDE
    run(f"generate {trained / name} --n 9 --seed 1 --out b.png {words}")
    run(f"generate {trained / name} --n 9 --seed 2 --out c.png {words}")
    a, b, c = ((folder / f"{name}.png").read_bytes() for name in "abc")
    assert a == b
    assert a != c


def test_reconstruct_sets_originals_above_their_images(run, trained, images):
    outcome = run(f"reconstruct {trained / 'ae'} --n 6 --out pairs.png")
    assert "the first 6 of 359 images reconstructed" in outcome.out
    width, height = size_of("pairs.png")
    assert width > 6 * SIDE
    assert height > 2 * SIDE
    assert (
        run(
            f"reconstruct {trained / 'ae'} --data images --no-labels --range 0 255 --out own.webp"
        ).code
        == 0
    )
    assert size_of("own.webp")[0] > SIDE


def test_interpolate_draws_the_way(run, trained):
    outcome = run(f"interpolate {trained / 'vae'} --from 3 --to 5 --n 7 --out way.png")
    assert "from test example 3 to test example 5" in outcome.out
    width, height = size_of("way.png")
    assert width > 7 * SIDE
    assert SIDE <= height < 2 * SIDE


def test_recipes_as_code(run):
    code = run("recipes vae --code --latent 3 --data-shape 3x8x8").out
    names = {}
    exec(compile(code, "vae.py", "exec"), names)
    codes, images = names["Autoencoder"]()(torch.rand(2, 3, 8, 8))
    assert codes.shape == (2, 3)
    assert images.shape == (2, 3, 8, 8)
    listed = run("recipes vae --code --latent 3 --data-shape 3x8x8 --json").json
    assert listed == {"recipe": "vae", "code": code}


def test_recipes_as_a_list_and_one_by_one(run):
    rows = run("recipes --json").json
    assert {"ae", "vae", "conv-ae"} <= {row["name"] for row in rows}
    listed = run("recipes").out.splitlines()
    assert [line.split()[0] for line in listed] == [row["name"] for row in rows]
    assert run("recipes vae --json").json["name"] == "vae"
    shown = run("recipes vae").out
    for word in ("loss = ", "KL(", "bottleneck gaussian", "terms.kl.weight", "Kingma"):
        assert word in shown


def test_data_list_fetch_and_check(run):
    rows = run("data list --json").json
    assert {row["name"]: row["where"] for row in rows}["digits"] == "installed"
    assert "digits" in run("data list").out
    assert run("data fetch digits --json").json == {"name": "digits", "where": "installed"}
    assert run("data fetch digits").out == "digits is installed\n"
    found = run("data check digits --json").json
    assert found["usable"]
    assert found["shape"] == [8, 8]
    assert sum(part["examples"] for part in found["parts"]) == 1797
    words = run("data check digits").out
    assert "1,294 examples" in words
    assert "can be trained on" in words


def test_data_check_of_what_cannot_be_used_says_why_and_leaves_with_2(run, images):
    (images / "a" / "bad.png").write_bytes(b"no image")
    outcome = run("data check images")
    assert outcome.code == 2
    assert "a/bad.png: it is not an image" in outcome.out
    assert "cannot be used as is" in outcome.out
    outcome = run("data check images --json")
    assert outcome.code == 2
    assert not outcome.json["usable"]
    assert run("data check images --on-bad skip --max-bad 0.1").code == 0


@pytest.mark.long
def test_demo_trains_two_models_and_sets_them_side_by_side(run, folder):
    outcome = run("demo --data digits --steps 20")
    assert outcome.code == 0, outcome.err
    assert "[1/2] training ae on digits" in outcome.out
    assert "[2/2] training vae on digits" in outcome.out
    assert (folder / "runs" / "demo" / "report.html").stat().st_size > 50_000
    assert {open_run(folder / "runs" / "demo" / name).status for name in ("ae", "vae")} == {"done"}
    again = run("demo --data digits --steps 20")
    assert again.code == 2
    assert "--overwrite" in again.error


def test_version_and_help(run):
    assert run("--version").out.strip().count(".") >= 1
    assert "Example: autoencode train vae" in run("train --help").out


def test_a_model_of_a_table_writes_rows_in_its_units(run, folder):
    draw = np.random.default_rng(0)
    colours = draw.choice(["red", "blue"], 40)
    lines = [
        f"{a:.3f},{c},{b:.3f}"
        for a, b, c in zip(draw.normal(9, 1, 40), draw.normal(0, 99, 40), colours, strict=True)
    ]
    (folder / "t.csv").write_text("\n".join(["size,colour,price", *lines]))
    assert run("train vae --data t.csv --steps 60 --out table --no-report").code == 0
    for verb, words, rows in (
        ("reconstruct", "", 8),
        ("generate", "--n 4", 4),
        ("interpolate", "--n 3", 3),
    ):
        refused = run(f"{verb} table {words} --out rows.png")
        assert refused.code == 2
        assert "--out rows.csv" in refused.error
        assert run(f"{verb} table {words} --out {verb}.csv").code == 0
        header, *found = (folder / f"{verb}.csv").read_text().splitlines()
        assert header.removeprefix("name,") == "size,colour,price"
        assert len(found) == rows
        size, colour, _ = found[0].split(",")[-3:]
        assert 4 < float(size) < 14
        assert colour in ("red", "blue")
    gap = run("evaluate table --data gap.csv")
    assert gap.code == 2
    (folder / "gap.csv").write_text("size,colour,price\n1,red,\n2,blue,3\n")
    gap = run("evaluate table --data gap.csv")
    assert "1 of 2 rows have missing values, the first row 0" in gap.error
