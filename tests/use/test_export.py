"""Exported files compute, from raw data, what the model and its preprocessing compute."""

import csv
import json
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from torch import nn

import autoencode as ae
from autoencode.cli.main import main
from autoencode.data import Preprocessing
from autoencode.errors import AutoencodeError, DataError, ParityError, ResourceError, RunError
from autoencode.models.build import build, sizes_for
from autoencode.models.recipe import Spec
from autoencode.models.recipes.table import RECIPES
from autoencode.use import export as module
from autoencode.use.codes import write_codes
from autoencode.use.examples import in_units
from autoencode.use.export_graph import OUTPUTS, ArrayToTensor, TensorToArray
from autoencode.use.reconstructions import write_reconstructions

DOCS = Path(__file__).parents[2] / "docs" / "export.md"
CLASSES = ("a", "b", "c")
CONVOLUTIONS = ("conv", "resnet")


def bytes_of(shape, last=False):
    """The preprocessing of images with values from 0 to 255."""
    return Preprocessing(
        shape, "uint8", shape, "uint8", high=255.0, channels_last=last, classes=CLASSES
    )


def made(name, preprocessing=None, seed=0, **changes):
    """An untrained model of a recipe for images of 6×5, or of 16×16 where there are convolutions.

    Its batch norms and codes are those of no initialisation: zeros would hide differences.
    """
    recipe = RECIPES[name].but(**changes)
    if recipe.network.kind == "mlp" and name not in ("ae-deep", "ae-funnel"):
        recipe = recipe.set("network.hidden", (12,) if recipe.network.args.get("hidden", 1) else ())
    shape = (16, 16) if recipe.network.kind in CONVOLUTIONS else (6, 5)
    preprocessing = preprocessing or bytes_of(shape)
    sizes = sizes_for(recipe, preprocessing.shape, context=3 if recipe.context else 0, n=100)
    model = build(recipe, sizes, seed=seed).eval()
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for key, tensor in model.state_dict().items():
            if key.endswith(("running_mean", "running_var", "bias")):
                tensor += 0.3 * torch.rand(tensor.shape, generator=generator)
    model.preprocessing = preprocessing
    return model


def raw_bytes(model, n=9, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (n, *model.sizes.x), np.uint8)


def run(path, **inputs):
    """The outputs of a file by name, from onnxruntime."""
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    names = [each.name for each in session.get_outputs()]
    return dict(zip(names, session.run(None, inputs), strict=True))


def metadata(path):
    return {each.key: each.value for each in onnx.load(path).metadata_props}


def check_images(model, path, context=None):
    """The whole model in a file, on images of bytes, against the functions of the package."""
    raw = raw_bytes(model)
    given = {} if context is None else {model.recipe.context.kind: context.numpy()}
    found = run(path, x=raw, **given)
    x = torch.from_numpy(raw)
    codes, y = ae.embed(model, x, context).numpy(), ae.reconstruct(model, x, context).numpy()
    np.testing.assert_allclose(found["codes"], codes, rtol=1e-5, atol=1e-5)
    score = np.square(raw / 255 - y, dtype=np.float64).reshape(len(raw), -1).sum(1)
    np.testing.assert_allclose(found["score"], score, rtol=1e-5)
    assert found["images"].dtype == np.uint8
    assert (np.abs(found["images"] - y.clip(0, 1) * 255.0) < 0.501).all()
    assert found["images"].std() > 0
    return found


def context_of(model, n=9):
    """Labels, one of them unknown; None for a model that is not conditioned, or predicts them."""
    kind = model.recipe.context and model.recipe.context.kind
    return None if kind is None or model.recipe.model.kind != "slots" else torch.arange(n) % 4 - 1


QUICK = ["ae-shallow", "vae", "cvae"]


@pytest.mark.parametrize("name", QUICK)
@pytest.mark.long
def test_a_file_gives_codes_images_and_scores(name, tmp_path):
    model = made(name)
    done = ae.export(model, tmp_path / "m.onnx")
    check_images(model, tmp_path / "m.onnx", context_of(model))
    assert [p.name for p in tmp_path.iterdir()] == ["m.onnx"]
    assert done.size == (tmp_path / "m.onnx").stat().st_size
    assert max(done.differences.values()) <= 1e-5 == done.tolerance
    assert done.examples == "43 random examples"
    assert list(done.outputs) == ["codes", "images", "score"]


def different_graphs():
    """Recipes by what their exported graph depends on; the others differ only in training.

    Those with the same classes as another, and other widths or layers, are slow.
    """
    graphs, classes = {}, set()
    for name, recipe in RECIPES.items():
        parts = (recipe.model, recipe.network, recipe.bottleneck, recipe.likelihood, recipe.context)
        if graphs.setdefault(str(parts), name) == name and name not in QUICK:
            kinds = recipe.model.kind, recipe.network.kind, recipe.bottleneck.kind
            yield pytest.param(name, marks=pytest.mark.slow if kinds in classes else ())
            classes.add(kinds)
    assert set(QUICK) <= set(graphs.values())


@pytest.mark.long
@pytest.mark.parametrize("name", list(different_graphs()))
def test_every_recipe(name, tmp_path):
    model = made(name)
    ae.export(model, tmp_path / "m.onnx")
    found = check_images(model, tmp_path / "m.onnx", context_of(model))
    assert ("indices" in found) == (model.space is ae.Space.CODES)
    if "indices" in found:
        index = model.encode(torch.from_numpy(raw_bytes(model)).float() / 255).index
        assert np.array_equal(found["indices"], index)
        book = model.encoder.bottleneck
        codes = book.codes_of(torch.from_numpy(found["indices"])).detach()
        np.testing.assert_allclose(codes, found["codes"], atol=1e-5)
    if model.recipe.context and context_of(model) is None:
        wanted = model.predict_proba(torch.from_numpy(raw_bytes(model)))
        np.testing.assert_allclose(found["probabilities"], wanted, atol=1e-5)


@pytest.mark.long
@pytest.mark.parametrize(
    ("name", "network"),
    [
        ("vae", "conv"),
        *(
            pytest.param(*each, marks=pytest.mark.slow)
            for each in (("ae", "mlp"), ("cvae", "mlp"), ("vae", "resnet"))
        ),
    ],
)
def test_a_linear_path(name, network, tmp_path):
    model = made(
        name,
        network=Spec(network, {"linear": "pca"}),
        likelihood=Spec("gaussian", {"mean": "identity"}),
    )
    ae.export(model, tmp_path / "m.onnx")
    check_images(model, tmp_path / "m.onnx", context_of(model))


@pytest.mark.long
@pytest.mark.parametrize("name", ["cvae", "m1-m2"])
def test_a_decoder_takes_codes(name, tmp_path):
    model = made(name)
    ae.export(model, tmp_path / "d.onnx", "decoder")
    z = torch.randn(9, *model.sizes.z, generator=torch.Generator().manual_seed(1))
    labels = torch.arange(9) % 4 - 1 if model.recipe.context else None
    found = run(
        tmp_path / "d.onnx",
        codes=z.numpy(),
        **({} if labels is None else {"labels": labels.numpy()}),
    )
    # One by one: a mixture over the classes only for those that are unknown.
    y = [
        model.decode(z[i : i + 1], None if labels is None else labels[i : i + 1]).mean
        for i in range(9)
    ]
    assert (np.abs(found["images"] - torch.cat(y).detach().numpy() * 255.0) < 0.501).all()


@pytest.mark.long
def test_vectors_condition_a_model(tmp_path):
    recipe = RECIPES["cvae"].set("context", "vectors").set("network.hidden", (12,))
    model = build(recipe, sizes_for(recipe, (6, 5), context=3, n=9), seed=0).eval()
    model.preprocessing = bytes_of((6, 5))
    done = ae.export(model, tmp_path / "m.onnx")
    assert done.inputs == {"x": "uint8 [N, 6, 5]", "vectors": "float32 [N, 3]"}
    check_images(model, tmp_path / "m.onnx", torch.randn(9, 3))


@pytest.mark.long
@pytest.mark.parametrize("part", [part for part in OUTPUTS if part != "all"])
def test_parts_have_the_weights_that_they_need(part, tmp_path):
    model = made("ae-shallow")
    done = ae.export(model, tmp_path / "m.onnx", part)
    assert tuple(done.outputs) == OUTPUTS[part]
    assert list(done.inputs) == ["codes" if part == "decoder" else "x"]
    weights = onnx.load(tmp_path / "m.onnx").graph.initializer
    stored = sum(np.prod(each.dims) for each in weights if len(each.dims) == 2)
    sides = {
        side: sum(p.numel() for p in getattr(model, side).parameters() if p.dim() == 2)
        for side in ("encoder", "decoder")
    }
    assert stored <= sides.get(part, sum(sides.values()))


TYPES = {
    "channels last": bytes_of((3, 6, 5), last=True),
    "uint16": Preprocessing((6, 5), raw_type="uint16", high=65535.0),
    "int16": Preprocessing((6, 5), raw_type="int16", low=-300.0, high=700.0, range_source="given"),
    "int64 vectors": Preprocessing((7,), raw_type="int64", low=-5e9, high=5e9),
    "bool": Preprocessing((6, 5), raw_type="bool"),
    "float16": Preprocessing((6, 5), raw_type="float16"),
    "float64 far from 0": Preprocessing((6, 5), raw_type="float64", low=1e9, high=1e9 + 1),
    "a range for each channel": Preprocessing(
        (3, 6, 5),
        raw_type="float32",
        low=(0.0, 1.0, -5.0),
        high=(1.0, 300.0, 5.0),
        range_source="percentiles",
        channels_last=True,
    ),
}


TYPES = {kind: replace(each, raw_shape=each.shape) for kind, each in TYPES.items()}


def raw_of(preprocessing):
    """Raw examples, of which some are beyond the range where the range is not that of the type."""
    x = torch.rand(9, *preprocessing.shape, generator=torch.Generator().manual_seed(0))
    raw = preprocessing.inverse(x if preprocessing.range_source == "type" else x * 1.4 - 0.2)
    return raw, np.moveaxis(raw, -1, 1) if preprocessing.channels_last else raw


def check_units(found, wanted):
    """Arrays in the units of the data are equal up to the rounding of their type."""
    assert found.dtype == wanted.dtype
    assert found.shape == wanted.shape
    found, wanted, kind = found.astype(float), wanted.astype(float), found.dtype
    limit = (1e-3 if kind == np.float16 else 1e-6) * np.ptp(wanted)
    assert (np.abs(found - wanted) <= max(limit, kind.kind in "iub")).all()


@pytest.mark.parametrize("kind", TYPES)
def test_units_and_types_of_the_data(kind):
    preprocessing = TYPES[kind]
    raw, first = raw_of(preprocessing)
    x = ArrayToTensor(preprocessing)(torch.from_numpy(raw))
    wanted = torch.from_numpy(preprocessing(first))
    scale = 255 if wanted.dtype == torch.uint8 else 1
    torch.testing.assert_close(x, wanted.float() / scale, rtol=0, atol=1e-7)
    assert x.std() > 0.1
    y = 1.2 * x - 0.1
    check_units(TensorToArray(preprocessing)(y).numpy(), in_units(preprocessing, y))


@pytest.mark.long
@pytest.mark.parametrize("kind", ["channels last", "int64 vectors", "a range for each channel"])
def test_units_in_a_file(kind, tmp_path):
    preprocessing = TYPES[kind]
    model = made("ae-shallow", preprocessing)
    ae.export(model, tmp_path / "m.onnx")
    raw, first = raw_of(preprocessing)
    x = torch.from_numpy(preprocessing(first))
    found = run(tmp_path / "m.onnx", x=raw)
    np.testing.assert_allclose(found["codes"], ae.embed(model, x), rtol=1e-5, atol=1e-5)
    check_units(found["images"], in_units(preprocessing, ae.reconstruct(model, x)))


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    """A table with numbers, a large one, categories and gaps; and a run on it."""
    folder = tmp_path_factory.mktemp("table")
    draw = np.random.default_rng(0)
    with (folder / "t.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["age", "city", "income", "when", "smoker"])
        for i in range(120):
            city = draw.choice(["Rome", "Oslo", "Bern"]) if i % 7 else ""
            age = round(draw.normal(40, 9), 1) if i % 11 else ""
            rows.writerow([age, city, draw.normal(5e4, 1e4), 1.6e9 + 10 * i, "yn"[i % 3 == 0]])
    fitted = ae.fit("missing-iwae", folder / "t.csv", latent=2, steps=2, progress=False)
    return folder, fitted.model


@pytest.mark.long
def test_rows_of_a_table(table, tmp_path):
    folder, model = table
    done = ae.export(model, tmp_path / "m.onnx")
    assert list(done.outputs) == ["codes", "rows", "score"]
    columns = json.loads(metadata(tmp_path / "m.onnx")["columns"])
    with (folder / "t.csv").open(newline="") as file:
        cells = list(csv.DictReader(file))

    def number(cell, column):
        if not cell:
            return np.nan
        return float(cell) if column["kind"] == "numeric" else column["categories"].index(cell)

    raw = np.array([[number(row[c["name"]], c) for c in columns] for row in cells])
    assert np.isnan(raw).any(0).tolist() == [True, True, False, False, False]
    found = run(tmp_path / "m.onnx", x=raw)
    write_codes(model, folder / "t.csv", tmp_path / "z.npy")
    np.testing.assert_allclose(found["codes"], np.load(tmp_path / "z.npy"), atol=1e-5)
    done = write_reconstructions(model, folder / "t.csv", tmp_path / "y.csv")
    np.testing.assert_allclose(found["score"].mean(), done.error, rtol=1e-5)
    with (tmp_path / "y.csv").open(newline="") as file:
        wanted = list(csv.DictReader(file))
    for column, values in zip(columns, found["rows"].T, strict=True):
        other = [row[column["name"]] for row in wanted]
        if column["kind"] == "numeric":
            np.testing.assert_allclose(values, np.array(other, float), rtol=1e-5)
        else:
            assert [column["categories"][int(value)] for value in values] == other


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A run on images of 8×8, and files of it."""
    folder = tmp_path_factory.mktemp("trained")
    ae.fit("vae", "digits", latent=3, steps=2, progress=False, out=folder / "run")
    ae.export(folder / "run", folder / "m.onnx", license="CC BY 4.0")
    return folder


@pytest.mark.long
def test_one_run_gives_the_same_bytes(trained, tmp_path):
    ae.export(ae.open_run(trained / "run"), tmp_path / "m.onnx", license="CC BY 4.0")
    content = (tmp_path / "m.onnx").read_bytes()
    assert content == (trained / "m.onnx").read_bytes()
    for folder in (trained, Path(ae.__file__).parents[1]):
        assert str(folder).encode() not in content


@pytest.mark.long
def test_what_the_metadata_say(trained):
    about, model = metadata(trained / "m.onnx"), ae.load(trained / "run")
    assert about["license"] == "CC BY 4.0"
    assert json.loads(about["recipe_json"]) == json.loads(json.dumps(model.recipe.to_dict()))
    assert json.loads(about["classes"]) == [*"0123456789"]
    assert json.loads(about["inputs"]) == {"x": "float64 [N, 8, 8]"}
    assert (about["height"], about["width"], about["part"]) == ("8", "8", "all")
    proto = onnx.load(trained / "m.onnx")
    assert [str(each.version) for each in proto.opset_import if not each.domain] == [about["opset"]]
    assert (proto.producer_name, proto.producer_version) == ("autoencode", "0.1.0")
    low, high = json.loads(about["value_range"])
    assert (low, high) == (model.preprocessing.low, model.preprocessing.high)


@pytest.mark.long
def test_weights_in_float16(tmp_path):
    model = made("ae-deep")
    half = ae.export(model, tmp_path / "h.onnx", "encoder", float16=True)
    z = ae.embed(model, torch.from_numpy(raw_bytes(model)))
    found = run(tmp_path / "h.onnx", x=raw_bytes(model))["codes"]
    weights = sum(p.numel() for p in model.encoder.parameters())
    assert half.size < 2.2 * weights
    assert 1e-7 < half.differences["codes"] < half.tolerance == 1e-2
    np.testing.assert_allclose(found, z, atol=1e-2)
    assert metadata(tmp_path / "h.onnx")["weights"] == "float16"


@pytest.mark.long
@pytest.mark.parametrize("name", ["iaf-vae", "cvae"])
def test_programs_of_torch(name, tmp_path):
    model = made(name)
    for path in ("a.pt2", "b.pt2"):
        ae.export(model, tmp_path / path, format="torch")
    content = (tmp_path / "a.pt2").read_bytes()
    assert content == (tmp_path / "b.pt2").read_bytes()
    assert str(Path(ae.__file__).parents[1]).encode() not in content
    extra = {"metadata.json": ""}
    program = torch.export.load(tmp_path / "a.pt2", extra_files=extra)
    assert json.loads(extra["metadata.json"])["recipe"] == name
    x, context = torch.from_numpy(raw_bytes(model)), context_of(model)
    z, *_ = program.module()(x, *([] if context is None else [context]))
    torch.testing.assert_close(z.detach(), ae.embed(model, x, context), rtol=1e-5, atol=1e-5)
    encoder = ae.export(model, tmp_path / "e.pt2", "encoder", format="torch")
    decoder = sum(each.numel() for each in model.decoder.parameters())
    assert encoder.size < len(content) - 4 * decoder


@pytest.mark.parametrize(
    "name",
    ["images", *(pytest.param(each, marks=pytest.mark.long) for each in ("codes", "score"))],
)
@pytest.mark.long
def test_a_file_that_computes_something_else_is_not_written(name, tmp_path, monkeypatch):
    original = module.run_onnx

    def other(content):
        runner = original(content)

        def run(inputs):
            found = dict(zip(("codes", "images", "score"), runner(inputs), strict=True))
            if len(found["codes"]) == 33:
                found[name].reshape(-1)[5] += 1 if name == "images" else 1e-4
            return list(found.values())

        return run

    monkeypatch.setattr(module, "run_onnx", other)
    with pytest.raises(ParityError, match=f"difference of {name} .*Nothing was written") as error:
        ae.export(made("ae-shallow"), tmp_path / "m.onnx")
    assert error.value.exit_code == 1
    assert not any(tmp_path.iterdir())


class Branches(nn.Module):
    """A network that cannot be traced."""

    def forward(self, x, context=None):
        return x.flatten(1) if x.sum() > 0 else -x.flatten(1)


@pytest.mark.long
def test_what_is_refused(trained, tmp_path, monkeypatch):
    run, out = trained / "run", tmp_path / "m.onnx"
    for kind, words, given in (
        (AutoencodeError, r"--out .*m\.onnx", {"out": tmp_path / "m.bin"}),
        (AutoencodeError, "--format torch", {"out": tmp_path / "m.pt2"}),
        (AutoencodeError, r"m\.pt2", {"out": out, "format": "torch"}),
        (AutoencodeError, "--format onnx", {"out": tmp_path / "m.pt2", "format": "torch"}),
        (AutoencodeError, "part", {"out": out, "part": "prior"}),
        (AutoencodeError, "format", {"out": out, "format": "tflite"}),
        (RunError, "no run", {"out": out, "model": tmp_path / "none"}),
    ):
        half = {"float16": True} if words == "--format onnx" else {}
        with pytest.raises(kind, match=words):
            ae.export(**{"model": run, **given, **half})
    plain = made("ae-shallow")
    plain.preprocessing = None
    with pytest.raises(DataError, match=r"model\.preprocessing ="):
        ae.export(plain, out)
    broken = made("ae-shallow")
    broken.encoder.network = Branches()
    with pytest.raises(AutoencodeError, match=r"cannot be traced .*control flow"):
        ae.export(broken, out)
    with monkeypatch.context() as patch:
        patch.setattr("autoencode.use.export_formats.MAX_BYTES", 1000)
        with pytest.raises(ResourceError, match=r"2 GiB at most.*--format torch"):
            ae.export(run, out)
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "onnxruntime", None)
        with pytest.raises(AutoencodeError, match=r"pip install .autoencode\[onnx\]"):
            ae.export(run, out)
    assert not any(tmp_path.iterdir())
    out.write_text("mine")
    with pytest.raises(AutoencodeError, match="--overwrite"):
        ae.export(run, out)
    assert out.read_text() == "mine"


@pytest.mark.long
def test_what_stays_outside_is_said(tmp_path):
    small = made("ae-shallow", replace(bytes_of((6, 5)), raw_shape=(60, 50)))
    (notice,) = ae.export(small, tmp_path / "a.onnx", "score").notices
    assert "images of 6×5 pixels" in notice
    mixed = made("ae-shallow", replace(bytes_of((6, 5)), raw_shape=None, binarise="dynamic"))
    several, binary = ae.export(mixed, tmp_path / "b.onnx", "score").notices
    assert "several sizes" in several
    assert "grey values are used as they are" in binary


@pytest.mark.long
def test_a_run_without_its_data_is_compared_on_random_examples(tmp_path):
    np.save(tmp_path / "x.npy", np.random.default_rng(0).integers(0, 256, (40, 6, 5), np.uint8))
    ae.fit("ae-shallow", tmp_path / "x.npy", steps=1, progress=False, out=tmp_path / "run")
    (tmp_path / "x.npy").unlink()
    done = ae.export(tmp_path / "run", tmp_path / "m.onnx", "score")
    assert done.examples == "43 random examples"
    assert "x.npy" in done.notices[0]
    assert "random examples" in done.notices[0]


@pytest.mark.long
def test_the_model_stays_as_it_is(tmp_path):
    model = made("sparse-batch-top-k").train()
    before = {key: tensor.clone() for key, tensor in model.state_dict().items()}
    ae.export(model, tmp_path / "m.onnx", "encoder")
    assert all(each.training for each in model.modules())
    assert all(torch.equal(before[key], each) for key, each in model.state_dict().items())
    assert torch.is_grad_enabled()


@pytest.mark.long
def test_the_command(trained, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as end:
        main(["export", str(trained / "run"), "--part", "encoder"])
    out = capsys.readouterr().out.splitlines()
    assert end.value.code == 0
    assert out[0].startswith("model.onnx: encoder, ")
    assert "float64 [N, 8, 8]" in out[1]
    assert "float32 [N, 3]" in out[2]
    assert "43 test examples" in out[3]
    assert [path.name for path in tmp_path.iterdir()] == ["model.onnx"]


@pytest.mark.long
def test_a_kill_leaves_no_partial_file(trained, tmp_path):
    out = tmp_path / "m.onnx"
    out.write_text("old")
    code = (
        "import os, signal, sys, autoencode as ae\n"
        "os.fsync = lambda file: os.kill(os.getpid(), signal.SIGKILL)\n"
        f"ae.export({str(trained / 'run')!r}, {str(out)!r}, overwrite=True)"
    )
    done = subprocess.run([sys.executable, "-c", code], env=os.environ)
    assert done.returncode == -signal.SIGKILL
    assert out.read_text() == "old"


@pytest.mark.long
@pytest.mark.parametrize("shape", [(6, 5), (6, 5, 3)], ids=["grey", "colour"])
def test_the_script_of_the_docs(shape, tmp_path, write_images):
    """Raw image files to codes and scores, without this package and without PyTorch."""
    photos = tmp_path / "photos"
    photos.mkdir()
    for path in sorted(write_images(tmp_path / "all", shape).rglob("*.png")):
        path.rename(photos / path.name)
    model = ae.fit("vae", photos, latent=3, steps=3, progress=False, out=tmp_path / "run").model
    ae.export(tmp_path / "run", tmp_path / "model.onnx")
    (script,) = (
        block.partition("```")[0]
        for block in DOCS.read_text(encoding="utf-8").split("```python\n")[1:]
        if "import onnxruntime" in block
    )
    check = "\nimport sys\nassert not {'torch', 'autoencode'} & set(sys.modules)\n"
    subprocess.run([sys.executable, "-c", script + check], cwd=tmp_path, check=True)
    with pytest.raises(SystemExit) as end:
        main(f"embed {tmp_path / 'run'} --data {photos} --out {tmp_path / 'z.npz'}".split())
    assert end.value.code == 0
    with np.load(tmp_path / "codes.npz") as script, np.load(tmp_path / "z.npz") as command:
        found, wanted = dict(script), dict(command)
    order = np.argsort(wanted["name"])  # the script takes the files in this order
    np.testing.assert_allclose(found["codes"], wanted["z"][order], atol=1e-5)
    x = ae.preprocess(photos, model.preprocessing)
    y = ae.reconstruct(model, x)
    score = (x - y).square().flatten(1).sum(1).numpy()
    np.testing.assert_allclose(found["score"], score[order], rtol=1e-5)
