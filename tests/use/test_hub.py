"""Runs on the hub: uploaded, copied, loaded by name, and what of them is public."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch

import autoencode as ae
from autoencode.cli.main import main
from autoencode.errors import AutoencodeError, RunError
from autoencode.evaluation.of_runs import measure_run, save_metrics
from autoencode.io.hub import hub_address
from autoencode.io.store import read_json, write_json
from autoencode.report import write_card, write_report
from autoencode.report.pages.card import card_text
from autoencode.use.service.served import named_runs
from autoencode.use.sharing import card_metadata

pytestmark = pytest.mark.long

LONG = pytest.mark.long
SLOW_RECIPES = [pytest.param(name, marks=LONG) for name in ("cvae", "vq-vae", "ae-mixture")]
VERBS = ("embed", "reconstruct", "generate", "anomalies")
USER, HOST = "annette-q", "annettes-laptop.local"


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """The home of a user, with a run on a folder of images."""
    return tmp_path_factory.mktemp("disk") / "home" / USER


@pytest.fixture(scope="module")
def images(home, write_images):
    return write_images(home / "pictures" / "photos")


@pytest.fixture(scope="module")
def trained(home, images):
    fitted = ae.fit(
        "vae", images, latent=3, steps=2, out=home / "runs" / "vae", progress=False, seed=1
    )
    run = fitted.run
    save_metrics(run, fitted.data, measure_run(run, fitted.data, fitted.model).to_dict())
    write_card(run)
    words = f"autoencode train vae --data {images} --init {home}/runs/first --out={home}/runs/vae"
    environment = run.folder / "environment.json"
    write_json(environment, {**read_json(environment), "command": words})
    change(run.folder, settings={"init": f"{home}/runs/first"})
    (run.folder / "report.html").write_text("<p>A report.</p>")
    (run.folder / "figures" / "training").mkdir(parents=True, exist_ok=True)
    (run.folder / "figures" / "training" / "000000001.png").write_bytes(b"a picture")
    (run.folder / "state").mkdir(exist_ok=True)
    (run.folder / "state" / "step.safetensors").write_bytes(b"a checkpoint")
    return run.folder


@pytest.fixture
def run(trained, tmp_path):
    """A copy of the run that a test may change."""
    folder = tmp_path / "home" / USER / "runs" / "vae"
    shutil.copytree(trained, folder)
    return folder


@pytest.fixture(autouse=True)
def _person(monkeypatch, home):
    monkeypatch.setenv("HOME", str(home))
    for name in ("USER", "LOGNAME", "LNAME", "USERNAME"):
        monkeypatch.setenv(name, USER)
    monkeypatch.setattr("socket.gethostname", lambda: HOST)


def change(folder, **entries):
    """Replace entries of run.json; mappings are merged."""
    record = read_json(folder / "run.json")
    for name, value in entries.items():
        record[name] = {**record[name], **value} if isinstance(value, dict) else value
    write_json(folder / "run.json", record)


def command(*words):
    with pytest.raises(SystemExit) as end:
        main([*map(str, words)])
    return end.value.code


def files_of(folder):
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*.*")}


def test_a_copy_is_the_same_model(hub, run, images, tmp_path):
    ae.push(run, "me/vae", license="mit")
    copy = ae.pull("me/vae", out=tmp_path / "copy").folder
    for name in ("weights.safetensors", "metrics.json", "log.jsonl", "report.html"):
        assert (copy / name).read_bytes() == (run / name).read_bytes()
    own, copied, remote = ae.load(run), ae.load(copy), ae.load("hf:me/vae")
    for model in (copied, remote):
        assert torch.equal(ae.embed(model, images), ae.embed(own, images))
        assert torch.equal(ae.reconstruct(model, images), ae.reconstruct(own, images))
        drawn = [ae.generate(each, 4, seed=1) for each in (own, model)]
        assert (drawn[0] == drawn[1]).all()
    assert not (copy / "state").exists()
    # The same content at another path is the data of the run.
    assert ae.open_run(copy).data_for(images).notices == ()
    assert (copy / "card.md").read_text() == hub.repositories["me/vae"].files["README.md"].decode()


@pytest.mark.long
def test_the_command_evaluates_a_copy_on_new_data(hub, run, images, tmp_path, capsys):
    ae.push(run, "me/vae")
    assert command("pull", "me/vae", "--out", tmp_path / "copy") == 0
    (tmp_path / "copy" / "metrics.json").unlink()
    assert command("evaluate", tmp_path / "copy", "--data", images, "--measures", "quick") == 0
    assert (tmp_path / "copy" / "metrics.json").exists()
    out = capsys.readouterr().out
    assert "a copy of me/vae, commit " in out
    # Without data, the message says how to give them.
    assert command("embed", tmp_path / "copy", "--out", tmp_path / "codes.csv") == 2
    message = capsys.readouterr().err
    assert "photos does not exist here, and " in message
    assert "Give the data: --data SOURCE" in message


@pytest.mark.parametrize("verb", [*VERBS, pytest.param("export", marks=LONG)])
def test_verbs_take_a_name_of_the_hub(verb, hub, run, images, tmp_path, monkeypatch, capsys):
    if verb == "export":
        pytest.importorskip("onnxscript")
    ae.push(run, "me/vae")
    monkeypatch.chdir(tmp_path)
    ending = {"embed": "csv", "anomalies": "csv", "export": "onnx"}.get(verb, "png")
    data = [] if verb in ("generate", "export") else ["--data", images]
    data += ["--contamination", "0.1"] if verb == "anomalies" else []
    for name, out in (("hf:me/vae", "a"), (run, "b")):
        words = [verb, name, *data, "--out", f"{out}.{ending}"]
        assert command(*words) == 0, capsys.readouterr().err
    assert Path(f"a.{ending}").read_bytes() == Path(f"b.{ending}").read_bytes()


def test_nothing_of_this_computer_is_uploaded(hub, run, images, home, tmp_path):
    change(run, data={"options": {"labels": f"{home}/l.csv"}})
    done = ae.push(run, "me/vae")
    shared = hub.repositories["me/vae"].files
    for text in (str(tmp_path), str(home), str(home.parent.parent), USER, HOST, "/home", "l.csv/"):
        assert not [name for name, content in shared.items() if text.encode() in content], text
    record = json.loads(shared["run.json"])
    assert record["data"]["source"] == "photos"
    assert record["data"]["options"]["labels"] == "l.csv"
    assert record["settings"]["init"] == "first"
    assert "--data photos --init first --out=vae" in shared["README.md"].decode()
    assert "--data photos" in json.loads(shared["environment.json"])["command"]
    assert any('shared as "photos"' in notice for notice in done.notices)
    assert not [name for name in shared if "state" in name or "lock" in name or "tmp" in name]
    # The run itself is unchanged.
    assert read_json(run / "run.json")["data"]["source"] == str(images)


@pytest.mark.long
def test_a_report_that_is_written_today_names_no_folder(hub, run, images, home, tmp_path):
    shutil.rmtree(run / "figures")
    write_report(ae.open_run(run))
    done = ae.push(run, "me/vae")
    content = hub.repositories["me/vae"].files["report.html"]
    for text in (str(tmp_path), str(home), USER, HOST):
        assert text.encode() not in content
    assert "report.html" in done.sizes


@pytest.mark.parametrize(
    "text",
    [
        f"/home/{USER}/x",
        f"C:\\Users\\{USER}\\x",
        f"{USER}@{HOST}",
        HOST,
        "{home}/photos",
        "{run}",
        "%7Bhome%7D",
        "{quoted}",
    ],
)
def test_a_page_that_names_this_computer_is_left_out(text, hub, run, home, tmp_path):
    odd = tmp_path / "a & b" / "run"
    shutil.copytree(run, odd)
    quoted = str(odd).replace("&", "&amp;")
    text = text.replace("{home}", str(home)).replace("{run}", str(odd)).replace("{quoted}", quoted)
    (odd / "report.html").write_text(f"<p>{text}</p>")
    done = ae.push(odd, "me/vae")
    found = [notice for notice in done.notices if notice.startswith("report.html")]
    harmless = text == "%7Bhome%7D"
    assert ("report.html" in hub.repositories["me/vae"].files) == harmless
    assert ("is not uploaded" in found[0]) != harmless


def test_needed_files_that_name_this_computer_are_refused(hub, run):
    header = {"recipe": {"kind": str(run / "network.py")}}
    from autoencode.io.tensors import read_tensors, write_tensors

    weights = read_tensors(run / "weights.safetensors")[0]
    write_tensors(run / "weights.safetensors", weights, header)
    with pytest.raises(RunError, match=r"would be public. Write it anew: r = ae.open_run") as found:
        ae.push(run, "me/vae")
    assert not hub.repositories
    exec(found.value.fix.partition("anew: ")[2], {"ae": ae})
    ae.push(run, "me/vae")


def test_links_in_a_run_are_not_followed(hub, run, tmp_path):
    secret = tmp_path / "id_rsa"
    secret.write_text("a private key")
    for name in ("report.html", "log.jsonl"):
        (run / name).unlink(missing_ok=True)
        (run / name).symlink_to(secret)
    (run / "evaluation" / "codes.safetensors").unlink()
    (run / "evaluation" / "codes.safetensors").symlink_to(secret)
    done = ae.push(run, "me/vae")
    assert sum("is a link" in notice for notice in done.notices) == 3
    assert not [c for c in hub.repositories["me/vae"].files.values() if b"private key" in c]


def test_a_second_push_replaces_files_and_removes_old_ones(hub, run, images):
    ae.push(run, "me/vae")
    repository = hub.repositories["me/vae"]
    repository.commit({**repository.files, "LICENSE": b"mine", "samples/a.png": b"mine"})
    (run / "figures" / "training" / "000000001.png").unlink()
    (run / "report.html").write_text("<p>Another report.</p>")
    done = ae.push(run, "me/vae", message="The second")
    assert done.removed == ("figures/training/000000001.png",)
    assert done.changed
    assert repository.files["report.html"] == b"<p>Another report.</p>"
    assert repository.files["LICENSE"] == repository.files["samples/a.png"] == b"mine"
    assert hub.messages == ["Upload vae on photos", "The second"]


def test_a_push_without_changes_says_so(hub, run, capsys):
    ae.push(run, "me/vae")
    assert command("push", run, "me/vae") == 0
    assert "nothing has changed" in capsys.readouterr().out
    assert len(hub.messages) == 1


@pytest.mark.long
def test_revisions(hub, run, images, tmp_path):
    first = ae.push(run, "me/vae").commit
    codes = ae.embed(ae.load(run), images)
    other = ae.fit("vae", images, latent=3, steps=3, out=tmp_path / "b", progress=False)
    ae.push(tmp_path / "b", "me/vae")
    hub.repositories["me/vae"].branches |= {"v1": first, "feature/x": first}
    for revision in (first, "v1", "feature/x"):
        assert torch.equal(ae.embed(ae.load(f"hf:me/vae@{revision}"), images), codes)
    newest = ae.embed(other.model, images)
    assert torch.equal(ae.embed(ae.load("hf:me/vae"), images), newest)
    assert torch.equal(ae.embed(ae.load("hf:me/vae@main"), images), newest)
    copy = ae.pull("me/vae", out=tmp_path / "c", revision="v1")
    assert copy.commit == first
    assert torch.equal(ae.embed(ae.load(copy.folder), images), codes)
    with pytest.raises(AutoencodeError, match="hf:me/vae@v2 does not exist"):
        ae.load("hf:me/vae@v2")
    with pytest.raises(AutoencodeError, match="has a revision"):
        ae.pull("me/vae@v1", out=tmp_path / "d", revision="v1")
    with pytest.raises(AutoencodeError, match="Give me/vae"):
        ae.push(run, "me/vae@v1")


def test_a_new_commit_is_seen_at_once(hub, run, images, tmp_path):
    ae.push(run, "me/vae")
    before = ae.open_run("hf:me/vae")
    ae.fit("ae", images, latent=2, steps=2, out=tmp_path / "b", progress=False)
    ae.push(tmp_path / "b", "me/vae")
    after = ae.open_run("hf:me/vae")
    assert (before.recipe.name, after.recipe.name) == ("vae", "ae")
    assert before.address != after.address
    assert before.name == after.name == "me/vae"


def test_private_repositories_need_a_token(hub, hub_standin, run, images, tmp_path, monkeypatch):
    assert ae.push(run, "me/secret", private=True).private
    ae.load("hf:me/secret")
    monkeypatch.setenv("HF_TOKEN", hub_standin.READER)
    ae.pull("me/secret", out=tmp_path / "a")
    monkeypatch.delenv("HF_TOKEN")
    for call in (lambda: ae.load("hf:me/secret"), lambda: ae.pull("me/secret", tmp_path / "b")):
        with pytest.raises(AutoencodeError, match="or it is private") as found:
            call()
        assert "hf auth login" in found.value.fix
    assert not (tmp_path / "b").exists()


def test_a_public_repository_does_not_become_private_silently(hub, run):
    ae.push(run, "me/vae")
    with pytest.raises(AutoencodeError, match="exists and is public"):
        ae.push(run, "me/vae", private=True)


def test_the_repository_of_something_else_is_not_replaced(hub, run):
    hub.add("me/bert", {"README.md": b"# BERT", "model.safetensors": b"x"})
    with pytest.raises(AutoencodeError, match="no run of autoencode"):
        ae.push(run, "me/bert")
    assert hub.repositories["me/bert"].files["README.md"] == b"# BERT"
    hub.add("me/empty", {".gitattributes": b""})
    ae.push(run, "me/empty")


def test_a_dry_run_sends_nothing(hub, run, monkeypatch, capsys):
    monkeypatch.delenv("HF_TOKEN")
    assert command("push", run, "me/vae", "--dry-run") == 0
    found = capsys.readouterr()
    assert "nothing was sent" in found.out
    assert "weights.safetensors" in found.out
    assert 'shared as "photos"' in found.err
    assert hub.requests == []


def test_uploading_needs_a_token_that_writes(hub, hub_standin, run, monkeypatch, capsys):
    monkeypatch.setenv("HF_TOKEN", hub_standin.READER)
    assert command("push", run, "me/vae") == 2
    assert "permission" in capsys.readouterr().err
    monkeypatch.setenv("HF_TOKEN", "hf_expired")
    assert command("push", run, "me/vae") == 2
    found = capsys.readouterr()
    assert "does not accept your token" in found.err
    monkeypatch.delenv("HF_TOKEN")
    assert command("push", run, "me/vae") == 2
    assert "hf auth login" in (found := capsys.readouterr()).err
    assert "hf_" not in found.err + found.out
    assert not hub.repositories


@pytest.mark.parametrize("status", ["running", "interrupted", "diverged"])
def test_only_finished_runs_are_uploaded(status, hub, run, capsys):
    change(run, status=status)
    assert command("push", run, "me/vae") == 2
    message = capsys.readouterr().err
    assert {"diverged": "--lr"}.get(status, f"autoencode resume {run}") in message
    assert hub.requests == []


def test_damaged_weights_are_not_uploaded(hub, run):
    content = bytearray((run / "weights.safetensors").read_bytes())
    content[-1] ^= 1
    (run / "weights.safetensors").write_bytes(content)
    with pytest.raises(RunError, match="damaged"):
        ae.push(run, "me/vae")
    assert hub.requests == []


@pytest.mark.parametrize(
    "name",
    [
        *("a", "a/b/c", "../x", "a b/c", "a/b c", "x" * 200, "me/" + "x" * 200, "", "/", "me/"),
        *("/me", "me/..", "me/a--b", "me/a.git", "me/-a", "me/ä", "me/a\nb", "https://x.y/me/a"),
        *("datasets/me/a", "me\\a", "me/a?b", "me/a#b", "me/%2e%2e", "~/me", "me/a@", "me/a@../b"),
        *("me/a@a b", "me/a@" + "x" * 201, "me/a@-" + "\0", "me/a@b//c", "me/a@/b"),
    ],
)
def test_invalid_names(name, hub, run, tmp_path):
    with pytest.raises(AutoencodeError, match=r"no name of|has a revision"):
        ae.push(run, name)
    with pytest.raises(AutoencodeError, match="no name of"):
        ae.pull(name, out=tmp_path / "out")
    with pytest.raises(AutoencodeError, match="no name of"):
        ae.load(f"hf:{name}")
    assert hub.requests == []


@pytest.mark.parametrize("license", ["", "MIT License", "mit\n", "a" * 100, "-", "mit; x: y"])
def test_invalid_licenses(license, hub, run):
    with pytest.raises(AutoencodeError, match="identifier of a license"):
        ae.push(run, "me/vae", license=license)


@pytest.mark.parametrize("message", ["", " ", "a\nb", "x" * 201, "\0"])
def test_invalid_messages(message, hub, run):
    with pytest.raises(AutoencodeError, match="message"):
        ae.push(run, "me/vae", message=message)


def test_a_license_that_the_hub_does_not_know(hub, run):
    with pytest.raises(AutoencodeError, match=r"refuses the metadata .* must be one of"):
        ae.push(run, "me/vae", license="unknown-license")


NETWORK = """
from pathlib import Path
from torch import nn
from autoencode.contract import Network
Path({marker!r}).touch()
class Mine(Network):
    def encoder(self, sizes, features):
        return One(nn.Flatten(), nn.Linear(30, features))
    def decoder(self, sizes, channels):
        return One(nn.Linear(sizes.latent, 30), nn.Unflatten(1, (1, *sizes.x)))
class One(nn.Sequential):
    def forward(self, x, context=None):
        return super().forward(x)
"""


@pytest.mark.long
def test_custom_networks_are_not_executed_unless_trusted(hub, images, tmp_path, monkeypatch):
    marker, file = Path("executed"), tmp_path / "nets.py"
    monkeypatch.chdir(tmp_path)
    file.write_text(NETWORK.format(marker=marker.name))
    recipe = ae.RECIPES["ae"].but(network=ae.Spec(f"{file}:Mine"), latent=2)
    fitted = ae.fit(recipe, images, steps=2, out=tmp_path / "run", progress=False)
    assert json.loads((tmp_path / "run" / "recipe.json").read_text())["network"]["kind"] == (
        "network.py:Mine"
    )
    ae.push(tmp_path / "run", "me/mine")
    assert not [c for c in hub.repositories["me/mine"].files.values() if b"/nets.py" in c]
    marker.unlink()
    code = (
        "import sys, autoencode as ae\n"
        "done = ae.pull('me/mine', out='copy')\n"
        "print(done.notices[0].rpartition('=')[2])\n"
        "for name in ('copy', 'hf:me/mine'):\n"
        "    try: ae.load(name)\n"
        "    except ae.AutoencodeError as error: assert 'AUTOENCODE_TRUST' in str(error), error\n"
        "    else: sys.exit('loaded')\n"
    )
    environment = {**os.environ, "HF_ENDPOINT": hub.address, "HF_HOME": str(tmp_path / "cache")}
    ran = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True
    )
    assert ran.returncode == 0, ran.stderr
    assert not marker.exists()
    monkeypatch.setattr("autoencode.models.network_code.is_loaded", lambda content: False)
    with pytest.raises(RunError, match="AUTOENCODE_TRUST"):
        ae.load("hf:me/mine")
    monkeypatch.setenv("AUTOENCODE_TRUST", ran.stdout.strip())
    for name in ("copy", "hf:me/mine"):
        assert torch.equal(ae.embed(ae.load(name), images), ae.embed(fitted.model, images))


@pytest.mark.long
def test_runs_of_the_hub_are_read_only(hub, run, images, tmp_path, capsys):
    ae.push(run, "me/vae")
    opened = ae.open_run("hf:me/vae")
    before = files_of(opened.folder)
    assert command("evaluate", "hf:me/vae", "--data", images, "--measures", "quick") == 0
    found = capsys.readouterr()
    assert "MSE" in found.out
    assert found.err.count("is read-only, so nothing is saved; autoencode pull") == 1
    for write in (
        lambda: write_card(opened),
        lambda: write_report(opened),
        lambda: ae.push(opened, "me/other"),
        lambda: save_metrics(opened, opened.data_for(images), {}),
    ):
        with pytest.raises(RunError, match="read-only") as refused:
            write()
        assert "autoencode pull me/vae --out runs/vae" in str(refused.value)
    assert files_of(opened.folder) == before
    with pytest.raises(RunError, match="a training needs a folder"):
        ae.fit("ae", "digits", steps=1, out="hf:me/vae", progress=False)
    html = tmp_path / "page.html"
    words = ["explore", "hf:me/vae", "--data", images, "--html", html, "--points", "10"]
    assert command(*words) == 0, capsys.readouterr().err
    assert b"models--me--vae" not in html.read_bytes()


@pytest.mark.long
def test_compare_names_runs_by_their_address(hub, run, images, tmp_path, capsys):
    ae.push(run, "me/vae")
    ae.fit("ae", images, latent=3, steps=2, out=tmp_path / "b", progress=False)
    out = tmp_path / "compared"
    words = ["compare", "hf:me/vae", tmp_path / "b", "--data", images, "--out", out]
    assert command(*words, "--measures", "reconstruction") == 0, capsys.readouterr().err
    assert "read-only" in capsys.readouterr().err
    text = (out / "compare.json").read_text()
    assert "hf:me/vae@" in text
    assert "models--me--vae" not in text


def test_training_starts_from_a_run_of_the_hub(hub, run, images, tmp_path):
    ae.push(run, "me/vae")
    fitted = ae.fit(
        "vae", images, latent=3, steps=1, init="hf:me/vae", out=tmp_path / "b", progress=False
    )
    assert fitted.run.settings["init"] == "hf:me/vae"
    more = ae.resume("hf:me/vae", data=images, steps=2, out=tmp_path / "c", progress=False)
    assert more.run.settings["init"].startswith("hf:me/vae@")


def test_served_models_have_the_names_of_their_repositories():
    assert named_runs(["hf:me/vae", "hf:me/ae@v1", "x=hf:me/vae", "runs/b"]) == {
        "vae": Path("hf:me/vae"),
        "ae": Path("hf:me/ae@v1"),
        "x": Path("hf:me/vae"),
        "b": Path("runs/b"),
    }


def test_only_folders_of_the_cache_have_an_address(tmp_path):
    sha = "0123456789abcdef0123456789abcdef01234567"
    assert hub_address(tmp_path / "models--me--a" / "snapshots" / sha) == f"hf:me/a@{sha}"
    for odd in ("models--me--a/blobs/" + sha, "models--a/snapshots/" + sha, "snapshots/" + sha):
        assert hub_address(tmp_path / odd) is None
    assert hub_address(tmp_path / "models--me--a" / "snapshots" / "main") is None


@pytest.mark.parametrize("name", ["vae", pytest.param("ae", marks=LONG), *SLOW_RECIPES])
def test_the_card_is_metadata_that_the_hub_reads(name, digits, tmp_path, hub):
    from huggingface_hub import ModelCard

    fitted = ae.fit(name, digits, latent=2, steps=1, out=tmp_path / "run", progress=False)
    run = fitted.run
    save_metrics(run, fitted.data, measure_run(run, digits, fitted.model).to_dict())
    ae.push(tmp_path / "run", "me/model", license="cc-by-4.0")
    card = ModelCard(hub.repositories["me/model"].files["README.md"].decode())
    data = card.data
    assert (data.library_name, data.license) == ("autoencode", "cc-by-4.0")
    assert data.pipeline_tag == "image-feature-extraction"
    assert data.tags == ["autoencoder", "representation-learning", name]
    metrics = read_json(run.folder / "metrics.json")
    found = {each.metric_type: each for each in data.eval_results}
    assert found["squared_error"].metric_value == metrics["squared_error"]
    low, high = metrics["intervals"]["squared_error"]
    assert f"95 % interval {low:.4g} to {high:.4g}" in found["squared_error"].metric_name
    assert found["squared_error"].dataset_name == "digits"
    lines = card.content.partition("```python\n")[2].partition("```")[0]
    assert len(lines.splitlines()) == 3
    names = {}
    exec(lines, names)
    assert len(names["codes"]) == 1797
    assert ("new examples" in card.text) == (name in ("vae", "cvae", "vq-vae", "ae-mixture"))


@pytest.mark.parametrize(
    ("source", "expected"), [("mnist", ["ylecun/mnist"]), ("digits", None), ("photos", None)]
)
def test_data_sets_of_the_hub_are_named(source, expected, trained):
    from dataclasses import replace

    from huggingface_hub import ModelCardData
    from yaml import safe_load

    run = ae.open_run(trained)
    given = replace(run, data={**run.data, "source": source, "name": source})
    found = ModelCardData(**safe_load(card_metadata(given, None, "x", None)))
    assert found.datasets == expected
    assert found.license is None
    assert found.eval_results is None


@pytest.mark.parametrize(
    "odd", ["a: b", "---", "- x", "{{ x }}", "\"'", "#", "ä\u2028b", "<b>", "x\n---\ny", "|"]
)
def test_odd_names_stay_text_in_the_card(odd, trained):
    from dataclasses import replace

    from huggingface_hub import ModelCard

    run = ae.open_run(trained)
    data = {**run.data, "name": odd, "source": "", "classes": [odd, "b"]}
    given = replace(run, data=data)
    metrics = read_json(trained / "metrics.json")
    text = card_text(given, "hf:me/x", card_metadata(given, metrics, "x", "mit"))
    card = ModelCard(text)
    assert card.data.eval_results[0].dataset_name == odd
    assert card.data.license == "mit"
    assert "<b>" not in card.text.replace("\\<b>", "")
    assert card.text.lstrip().startswith("# vae on ")
    compile(card.text.partition("```python\n")[2].partition("```")[0], "card", "exec")


def test_the_card_of_a_model_of_a_table(hub, tmp_path):
    from huggingface_hub import ModelCard

    rows = "\n".join(f"{i},{i * i % 7},{'ab'[i % 2]}" for i in range(40))
    (tmp_path / "my table.csv").write_text(f"x,y,kind\n{rows}\n")
    ae.fit("ae", tmp_path / "my table.csv", latent=1, steps=1, out=tmp_path / "run", progress=False)
    ae.push(tmp_path / "run", "me/table")
    card = ModelCard(hub.repositories["me/table"].files["README.md"].decode())
    assert card.data.pipeline_tag is None
    assert card.data.eval_results is None
    assert "It was not evaluated." in card.text
    assert 'ae.embed(model, "my table.csv")  # or other data of this kind' in card.text


@pytest.mark.long
def test_the_command_in_a_process_of_its_own(hub, run, images, tmp_path):
    environment = {**os.environ, "HF_ENDPOINT": hub.address, "HF_HOME": str(tmp_path / "cache")}
    for words in (
        ["push", run, "me/vae", "--license", "mit"],
        ["embed", "hf:me/vae", "--data", images, "--out", "codes.csv"],
        ["pull", "me/vae", "--out", "copy"],
    ):
        ran = subprocess.run(
            [sys.executable, "-m", "autoencode", *map(str, words)],
            cwd=tmp_path,
            env={**environment, "HF_HUB_DISABLE_XET": "1"},
            capture_output=True,
            text=True,
        )
        assert ran.returncode == 0, ran.stderr
        # No bars of progress, because standard error is no terminal.
        assert all(line.startswith("note: ") for line in ran.stderr.splitlines()), ran.stderr
    assert (tmp_path / "codes.csv").exists()
