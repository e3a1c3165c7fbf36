"""The service over HTTP: what it answers, and that no input makes it fail."""

import asyncio
import io
import json
import struct
import time
import zlib
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from starlette.testclient import TestClient

import autoencode as ae
from autoencode.cli.main import main
from autoencode.data import load_new
from autoencode.models.inference import decode
from autoencode.models.run import open_run
from autoencode.use.generation import draw
from autoencode.use.service.app import Service, create_app
from autoencode.use.service.batching import Batcher
from autoencode.use.service.guard import Guard
from autoencode.use.service.limits import ServiceLimits
from autoencode.use.service.operations import ModelCall, compute
from autoencode.use.service.served import ModelStore, ServedModel, named_runs

pytestmark = pytest.mark.long

JSON, NPY, PNG = "application/json", "application/x-npy", "image/png"


def png(array, form="PNG", **options):
    file = io.BytesIO()
    Image.fromarray(array).save(file, form, **options)
    return file.getvalue()


def npy(array):
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def table(n=60):
    draw = np.random.default_rng(0)
    size = draw.normal(100, 20, n)
    kind = np.where(size > 100, "large", "small")
    return pd.DataFrame({"size": size, "weight": size / 3 + draw.normal(0, 1, n), "kind": kind})


@pytest.fixture(scope="module")
def grey():
    """Grey images, uint8 of 6×5."""
    return np.random.default_rng(1).integers(0, 256, (40, 6, 5)).astype(np.uint8)


@pytest.fixture(scope="module")
def runs(tmp_path_factory, grey):
    """Folders of hardly trained runs, one for each kind of data and condition."""
    folder = tmp_path_factory.mktemp("service")
    draw = np.random.default_rng(2)
    colour = draw.integers(0, 256, (40, 8, 8, 3)).astype(np.uint8)
    labels = np.array(["cat", "dog"])[draw.integers(0, 2, 40)]
    gaps = table().mask(draw.random((60, 3)) < 0.1)
    sources = {
        "grey": ("vae", grey, {}),
        "plain": ("ae", grey, {}),
        "colour": ("vae", colour, {}),
        "labelled": ("cvae", (grey, labels), {}),
        "vectors": ("ae", draw.random((40, 7)), {}),
        "table": ("vae", table(), {}),
        "gaps": ("vae", gaps, {}),
        "bits": ("vae", grey > 127, {}),
        "deep": ("ae", grey.astype(np.uint16) * 257, {"value_range": (0, 65535)}),
    }
    for name, (recipe, source, options) in sources.items():
        path = folder / "data" / name
        if isinstance(source, pd.DataFrame):
            source = _saved(source, path)
        elif isinstance(source, np.ndarray):
            path.parent.mkdir(exist_ok=True)
            np.save(path.with_suffix(".npy"), source)
            source = path.with_suffix(".npy")
        data = ae.load_data(source, **options)
        ae.fit(recipe, data, latent=3, steps=2, out=folder / name, progress=False)
    return {name: folder / name for name in sources}


def _saved(frame, path):
    path.parent.mkdir(exist_ok=True)
    frame.to_csv(path.with_suffix(".csv"), index=False)
    return path.with_suffix(".csv")


def app_of(runs, limits=None, token="", local=True):
    return Guard(create_app(Service(ModelStore(runs), limits)), token, local)


@pytest.fixture(scope="module")
def client(runs):
    with TestClient(app_of(runs), base_url="http://localhost:8000") as client:
        yield client


@pytest.fixture
def limited(runs):
    """limited(max_body=…) -> a client of a service with these limits."""
    opened = []

    def make(token="", local=True, **limits):
        app = app_of(
            {"grey": runs["grey"]}, ServiceLimits(**limits) if limits else None, token, local
        )
        client = TestClient(app, base_url="http://localhost")
        opened.append(client)
        return client.__enter__()

    yield make
    for client in opened:
        client.__exit__(None, None, None)


def post(client, path, content=None, kind=None, accept=None, **more):
    headers = {k: v for k, v in (("content-type", kind), ("accept", accept)) if v}
    return client.post(f"/v1/models/{path}", content=content, headers=headers, **more)


def array_of(response):
    assert response.status_code == 200, response.text
    assert response.headers["content-type"] == NPY
    return np.load(io.BytesIO(response.content))


def sentence(response, *statuses):
    assert response.status_code in statuses, (response.status_code, response.text)
    found = response.json()
    assert set(found) == {"error"}
    assert found["error"].rstrip()[-1] in ".?", found
    assert "--" not in found["error"], "advice for the command line"
    return found["error"]


# ---------------------------------------------------------------- answers


@pytest.mark.parametrize("body", ["npy", "json", "png", "form", "bmp"])
def test_codes_are_those_of_the_package(client, runs, grey, body):
    """Whatever form the images have, they are preprocessed as `load_new` does."""
    x = grey[:1] if body in ("png", "bmp") else grey[:5]
    model = ae.load(runs["grey"])
    expected = ae.embed(model, load_new(x, model.preprocessing).test.x).numpy()
    if body == "form":
        files = [("images", (f"{i}.png", png(image))) for i, image in enumerate(x)]
        response = post(client, "grey/embed", accept=NPY, files=files)
    else:
        content, kind = {
            "npy": (npy(x), NPY),
            "json": (json.dumps({"images": x.tolist()}), JSON),
            "png": (png(x[0]), PNG),
            "bmp": (png(x[0], "BMP"), "image/bmp"),
        }[body]
        response = post(client, "grey/embed", content, kind, NPY)
    np.testing.assert_allclose(array_of(response), expected, atol=1e-6)


@pytest.mark.parametrize("name", ["grey", "colour", "vectors", "bits", "deep"])
def test_reconstructions_are_in_the_units_of_the_data(client, runs, grey, name):
    run = open_run(runs[name])
    x = run.load_data().test
    model = run.load_model()
    expected = model.preprocessing.inverse(ae.reconstruct(model, x).clamp(0, 1))
    raw = model.preprocessing.inverse(x.x)
    got = array_of(post(client, f"{name}/reconstruct", npy(raw), NPY, NPY))
    assert got.dtype == expected.dtype
    assert got.shape == raw.shape
    np.testing.assert_allclose(got.astype(float), expected.astype(float), atol=1.01)
    nested = post(client, f"{name}/reconstruct", json.dumps({"rows": raw.tolist()}), JSON)
    assert nested.status_code == 200, nested.text
    key = "rows" if name == "vectors" else "images"
    np.testing.assert_allclose(
        np.array(nested.json()[key], float), expected.astype(float), atol=1.01
    )


def test_scores_are_squared_errors_summed_over_an_example(client, runs, grey):
    model = ae.load(runs["grey"])
    x = torch.from_numpy(grey[:6] / 255).float()
    expected = ((x - ae.reconstruct(model, x)) ** 2).sum((1, 2))
    answer = post(client, "grey/score", npy(grey[:6]), NPY)
    np.testing.assert_allclose(answer.json()["scores"], expected, rtol=1e-4)
    assert answer.json()["unit"] == "squared error, summed over the 30 preprocessed values"


def test_rows_of_a_table_by_name_and_by_position(client, runs):
    rows = table().head(4)
    model = ae.load(runs["table"])
    expected = ae.embed(model, rows).numpy()
    by_name = rows[["kind", "weight", "size"]].to_dict("records")
    answer = post(client, "table/embed", json.dumps({"rows": by_name}), JSON)
    np.testing.assert_allclose(answer.json()["codes"], expected, atol=1e-5)
    again = post(client, "table/reconstruct", json.dumps({"rows": by_name}), JSON).json()["rows"]
    assert [*again[0]] == ["size", "weight", "kind"]
    assert {row["kind"] for row in again} <= {"large", "small"}
    extra = [{**row, "colour": "red"} for row in by_name]
    answer = post(client, "table/embed", json.dumps({"rows": extra}), JSON)
    assert "colour" in answer.json()["notices"][0]


def test_missing_cells_need_a_model_that_knows_them(client):
    row = {"size": 100.0, "kind": "large"}
    null, whole = {**row, "weight": None}, {**row, "weight": 30.0}
    for rows in ([null], [null, whole], [row, whole], [{**null, "kind": None}]):
        good = post(client, "gaps/score", json.dumps({"rows": rows}), JSON)
        assert good.status_code == 200, good.text
        assert np.isfinite(good.json()["scores"]).all()
        sentence(post(client, "table/embed", json.dumps({"rows": rows}), JSON), 422)
    # In no row: the name may be misspelt.
    assert "weight" in sentence(post(client, "gaps/embed", json.dumps({"rows": [row]}), JSON), 422)


@pytest.mark.parametrize("how", ["json", "query", "form"])
def test_labels_condition_a_model(client, runs, grey, how):
    model = ae.load(runs["labelled"])
    expected = ae.embed(model, grey[:2], torch.tensor([1, 0])).numpy()
    if how == "json":
        body = json.dumps({"images": grey[:2].tolist(), "labels": ["dog", "cat"]})
        answer = post(client, "labelled/embed", body, JSON)
    elif how == "query":
        answer = post(client, "labelled/embed?label=dog&label=cat", npy(grey[:2]), NPY)
    else:
        files = [("images", ("a.png", png(image))) for image in grey[:2]]
        answer = post(client, "labelled/embed", files=files, data={"label": ["dog", "cat"]})
    np.testing.assert_allclose(answer.json()["codes"], expected, atol=1e-5)
    assert np.abs(expected - ae.embed(model, grey[:2], torch.tensor([0, 1])).numpy()).max() > 1e-4


def test_generated_examples_are_those_of_the_package(client, runs):
    for name, given in [("grey", {}), ("plain", {}), ("labelled", {"label": "dog"})]:
        run = open_run(runs[name])
        model = run.load_model()
        source = run.load_data if name == "plain" else None
        drawn = draw(model, 3, given.get("label"), None, 1.0, 7, source)
        x = decode(model, drawn.z, drawn.context).clamp(0, 1)
        body = json.dumps({"n": 3, "seed": 7, **given})
        got = array_of(post(client, f"{name}/generate", body, JSON, NPY))
        np.testing.assert_allclose(
            got.astype(float), model.preprocessing.inverse(x).astype(float), atol=1.01
        )


def test_generate_without_a_body_says_its_seed(client):
    first = client.post("/v1/models/grey/generate").json()
    again = client.post("/v1/models/grey/generate", json={"seed": first["seed"]}).json()
    assert first["images"] == again["images"]
    codes = client.post("/v1/models/grey/generate", json={"codes": [0.5, 0, 1]}).json()
    assert "seed" not in codes
    assert np.shape(codes["images"]) == (1, 6, 5)


@pytest.mark.parametrize(("name", "mode"), [("grey", "L"), ("colour", "RGB"), ("deep", "I;16")])
def test_one_image_as_png(client, name, mode):
    response = client.post(f"/v1/models/{name}/generate", headers={"accept": "image/*"})
    assert response.headers["content-type"] == PNG
    assert Image.open(io.BytesIO(response.content)).mode == mode
    many = client.post(
        f"/v1/models/{name}/generate", json={"n": 2}, headers={"accept": "image/png"}
    )
    sentence(many, 406)


@pytest.mark.parametrize(
    ("header", "kind"),
    [
        ("application/x-npy, application/json;q=0.5", NPY),
        ("text/html, */*;q=0.1", JSON),
        ("application/*", JSON),
        ("application/json;q=0, application/*", NPY),
        ("nonsense;q=x", None),
        ("text/html", None),
    ],
)
def test_accept(client, grey, header, kind):
    response = post(client, "grey/embed", npy(grey[:1]), NPY, header)
    if kind is None:
        sentence(response, 406)
    else:
        assert response.headers["content-type"] == kind


def test_pages(client):
    models = client.get("/v1/models").json()["models"]
    assert {each["name"] for each in models} >= {"grey", "table"}
    one = client.get("/v1/models/labelled").json()
    assert (one["conditioned_on"], one["classes"]) == ("labels", ["cat", "dog"])
    assert client.get("/healthz").json() == {"status": "ok"}
    assert client.get("/readyz").json() == {"status": "ready"}
    page = client.get("/docs").text
    assert "/v1/models/{name}/embed" in page
    assert "//" not in page.replace("</", ""), "the page loads nothing from elsewhere"
    assert "/v1/models/{name}/score" in client.get("/openapi.json").json()["paths"]
    text = client.get("/metrics").text
    assert 'autoencode_requests_total{model="grey",operation="generate",status="200"}' in text
    assert "autoencode_batch_examples_bucket" in text


# ---------------------------------------------------------------- refusals


def chunk(kind, content):
    return (
        struct.pack(">I", len(content))
        + kind
        + content
        + struct.pack(">I", zlib.crc32(kind + content))
    )


def crafted(width, height):
    """The header of a PNG of any size, and no pixels."""
    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IEND", b"")


def flat(width, height):
    """A small file that holds many black pixels."""
    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    rows = zlib.compress(bytes((width + 1) * height), 9)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def damaged():
    whole = png(np.random.default_rng(0).integers(0, 256, (60, 50)).astype(np.uint8))
    jpeg = png(np.zeros((60, 50), np.uint8), "JPEG")
    flipped = bytearray(whole)
    flipped[len(whole) // 2] ^= 0xFF
    header = npy(np.zeros((2, 6, 5)))
    return {
        "half a PNG": whole[: len(whole) // 2],
        "half a JPEG": jpeg[: len(jpeg) // 2],
        "a flipped byte": bytes(flipped),
        "text": b"hello, world",
        "HTML": b"<!doctype html><p>404",
        "one byte": b"\0",
        "a bomb beyond the limit": crafted(20_000, 20_000),
        "a header of 100 megapixels": crafted(10_000, 10_000),
        "no pixels": crafted(6, 5),
        "a float TIFF": png(np.full((6, 5), 0.5, np.float32), "TIFF")[:80],
        "SVG": b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        "cut .npy": header[:-3],
        "long .npy": header + b"xx",
        "an .npy of objects": b"\x93NUMPY\x01\0v\0"
        + b"{'descr': '|O', 'fortran_order': False, 'shape': (1,)}".ljust(118),
        "an .npy of a terabyte": b"\x93NUMPY\x01\0v\0"
        + b"{'descr': '<f8', 'fortran_order': False, 'shape': (1000000,1000000)}".ljust(118),
        "an .npy with a hostile header": b"\x93NUMPY\x01\0\xff\x1f" + b"(" * 8191,
        "an .npy of texts": npy(np.array([["a"]])),
        "an .npy of another version": b"\x93NUMPY\x07\0" + b" " * 200,
        "a pickle": b"\x80\x04K\x01.",
        "a zip": b"PK\x03\x04" + bytes(30),
        "NaN": npy(np.full((1, 6, 5), np.nan)),
        "infinity": npy(np.full((1, 6, 5), np.inf)),
        "out of range": npy(np.full((1, 6, 5), 300.0)),
        "no examples": npy(np.zeros((0, 6, 5), np.uint8)),
        "a scalar": npy(np.array(3)),
        "complex": npy(np.zeros((1, 6, 5), complex)),
        "another shape": npy(np.zeros((1, 7), np.uint8)),
        "five axes": npy(np.zeros((1, 1, 1, 6, 5), np.uint8)),
    }


@pytest.mark.parametrize("what", damaged())
@pytest.mark.parametrize("as_form", [False, True])
def test_damaged_bodies_are_refused(client, grey, what, as_form):
    content = damaged()[what]
    if as_form:
        response = post(client, "grey/embed", files=[("images", (f"{what}\n.png", content))])
    else:
        response = post(client, "grey/embed", content, "application/octet-stream")
    sentence(response, 400, 413, 422)
    assert post(client, "grey/embed", npy(grey[:1]), NPY).status_code == 200


@pytest.mark.parametrize("name", ["grey", "vectors", "table", "labelled"])
@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"null",
        b"[]",
        b"{}",
        b"\xff\xfe",
        b'{"rows": []}',
        b'{"rows": [[]]}',
        b'{"rows": {}}',
        b'{"rows": 3}',
        b'{"rows": [1, 2]}',
        b'{"rows": [[1, 2], [3]]}',
        b'{"rows": [["a"]]}',
        b'{"rows": [["1", "2", "3", "4", "5", "6", "7"]]}',
        b'{"rows": [[NaN]]}',
        b'{"rows": [[1e999, 1, 1, 1, 1, 1, 1]]}',
        b'{"rows": [[1e300, 1, 1, 1, 1, 1, 1]]}',
        b'{"rows": [[' + b"9" * 400 + b"]]}",
        b'{"rows": [[' + b"9" * 5000 + b"]]}",
        b'{"rows": [{"size": 1}, [1]]}',
        b'{"rows": [{"size": [1], "weight": {}, "kind": "x"}]}',
        b'{"rows": [{"size": "many", "weight": 3, "kind": "large"}]}',
        b'{"rows": [{"size": 1e300, "weight": 3, "kind": "large"}]}',
        b'{"rows": [{"size": 1, "weight": 3, "kind": "huge"}]}',
        b'{"rows": [{}]}',
        b'{"rows": [{"": 1}, {"\\u0000": 2}, {"\\ud800": 3}]}',
        b'{"rows": [[1]], "images": [[1]]}',
        b'{"row": [[1]]}',
        b'{"images": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        b'{"images": ' + b"[" * 60 + b"1" + b"]" * 60 + b"}",
        b'{"images": [[[true]]], "labels": "cat"}',
        b'{"images": [[[0,0,0,0,0]]], "labels": [["cat"]], "vectors": 3}',
    ],
    ids=lambda body: body[:40].decode("latin-1"),
)
def test_hostile_json_is_refused(client, name, body):
    sentence(post(client, f"{name}/embed", body, JSON), 400, 422)


@pytest.mark.parametrize(
    "body",
    [
        {"n": 0},
        {"n": -1},
        {"n": True},
        {"n": 1.5},
        {"n": "3"},
        {"n": None},
        {"n": 10**30},
        {"seed": -1},
        {"seed": 2**70},
        {"seed": 0.5},
        {"temperature": "hot"},
        {"temperature": -1},
        {"temperature": 10**400},
        {"temperature": 101},
        {"label": "dog"},
        {"label": []},
        {"vectors": [[1]]},
        {"codes": [1, 2]},
        {"codes": [[1, 2, 1e300]]},
        {"codes": []},
        {"codes": "abc"},
        {"codes": [[1, 2, None]]},
        {"codes": [[1, 2, 3]], "n": 2},
        {"code": [1, 2, 3]},
        [],
    ],
    ids=str,
)
def test_hostile_wishes_for_new_examples_are_refused(client, body):
    response = client.post("/v1/models/grey/generate", json=body)
    sentence(response, 400, 413, 422)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("POST", "/v1/models/nothing/embed", 404),
        ("POST", "/v1/models/..%2f..%2fetc/embed", 404),
        ("POST", "/v1/models/../../etc/passwd/embed", 404),
        ("POST", "/v1/models/gray/embed", 404),
        ("GET", "/v1/models/nothing", 404),
        ("GET", "/v1/models/grey/embed", 405),
        ("DELETE", "/healthz", 405),
        ("GET", "/", 404),
        ("GET", "/v1/models/grey%00", 404),
    ],
)
def test_wrong_addresses(client, method, path, status):
    sentence(client.request(method, path), status)


def test_types_of_bodies(client, grey):
    for kind in ("text/plain", "application/x-www-form-urlencoded", "video/mp4"):
        sentence(post(client, "grey/embed", b"x", kind), 415)
    zipped = {"content-type": NPY, "content-encoding": "gzip"}
    sentence(client.post("/v1/models/grey/embed", content=b"x", headers=zipped), 415)
    for kind in ("multipart/form-data", "multipart/form-data; boundary=x"):
        sentence(post(client, "grey/embed", b"--x\r\nbroken", kind), 400, 422)
    assert post(client, "grey/embed", npy(grey[:1])).status_code == 200, "no type: by its content"
    sentence(post(client, "grey/embed", data={"image": "text"}), 415)
    sentence(post(client, "grey/generate", npy(grey[:1]), NPY), 415)
    sentence(post(client, "grey/embed", data={"labels": "a"}, files=[("f", ("a", b"x"))]), 422)


def test_labels_where_there_are_none(client, grey):
    body = {"images": grey[:2].tolist()}
    for labels in (["cat"] * 3, ["mouse", "cat"], [None, "cat"], [["cat"], "dog"], [7, 8], []):
        sentence(client.post("/v1/models/labelled/embed", json={**body, "labels": labels}), 422)
    sentence(client.post("/v1/models/grey/embed", json={**body, "labels": ["cat", "cat"]}), 422)
    both = client.post("/v1/models/labelled/embed?label=cat", json=body)
    sentence(both, 422)
    one = client.post("/v1/models/labelled/embed", json={**body, "labels": ["cat"]})
    assert one.status_code == 200


# ---------------------------------------------------------------- limits


def test_limits_of_one_request(limited, grey):
    client = limited(max_body=5_000, max_examples=4, max_pixels=1_000)
    assert post(client, "grey/embed", npy(grey[:4]), NPY).status_code == 200
    sentence(post(client, "grey/embed", npy(grey[:5]), NPY), 413)
    sentence(post(client, "grey/embed", b"x" * 5_001, NPY), 413)
    sentence(post(client, "grey/embed", iter([b"x" * 3_000] * 3), NPY), 413)
    sentence(client.post("/v1/models/grey/generate", json={"n": 5}), 413)
    sentence(client.post("/v1/models/grey/embed", json={"images": [[[0] * 5] * 6] * 5}), 413)
    files = [("images", ("a.png", png(grey[0])))] * 5
    sentence(post(client, "grey/embed", files=files), 400, 413)
    sentence(post(client, "grey/embed", flat(1_000, 1_000), PNG), 413)
    assert client.get("/healthz").status_code == 200


@pytest.fixture
def slow(monkeypatch):
    """A model that takes a fifth of a second for a batch."""

    def wait(works):
        time.sleep(0.2)
        return compute(works)

    monkeypatch.setattr("autoencode.use.service.batching.compute", wait)


def test_an_answer_that_takes_too_long(limited, grey, slow):
    client = limited(timeout=0.05)
    sentence(post(client, "grey/embed", npy(grey[:1]), NPY), 504)
    assert 'status="504"' in client.get("/metrics").text


def test_a_full_queue_is_refused_and_drained(limited, grey, slow):
    client = limited(queue=2)

    def ask(_):
        response = post(client, "grey/embed", npy(grey[:1]), NPY)
        return response.status_code, response.headers.get("retry-after")

    with ThreadPoolExecutor(12) as pool:
        answers = list(pool.map(ask, range(12)))
    assert set(answers) == {(200, None), (503, "1")}
    assert ask(0) == (200, None)


def test_one_bad_request_does_not_fail_its_batch(runs):
    """ModelCall that is computed together fails alone."""
    served = ServedModel.open("grey", runs["grey"])
    x = torch.rand(2, 6, 5)
    works = [ModelCall(served, "embed", 2, x), ModelCall(served, "embed", 2, torch.rand(2, 9, 9))]
    sizes = []

    async def both():
        with ThreadPoolExecutor(1) as pool:
            batcher = Batcher(pool, 0.01, 100, sizes.append)
            task = asyncio.create_task(batcher.run())
            found = await asyncio.gather(
                *map(batcher.result, [*works, works[0]]), return_exceptions=True
            )
            task.cancel()
            return found

    good, bad, again = asyncio.run(both())
    assert sizes == [6]
    assert isinstance(bad, Exception)
    torch.testing.assert_close(good, again)
    torch.testing.assert_close(good, ae.embed(served.model, x))


def test_batches_keep_operations_and_models_apart_and_their_order(runs):
    served = ServedModel.open("grey", runs["grey"])
    sizes = []
    works = [ModelCall(served, ("embed", "score")[i % 2], 3, torch.rand(3, 6, 5)) for i in range(8)]

    async def all_of_them():
        with ThreadPoolExecutor(1) as pool:
            batcher = Batcher(pool, 0.01, 7, sizes.append)
            task = asyncio.create_task(batcher.run())
            found = await asyncio.gather(*map(batcher.result, works))
            task.cancel()
            return found

    found = asyncio.run(all_of_them())
    assert sum(sizes) == 24
    assert max(sizes) <= 7
    for work, result in zip(works, found, strict=True):
        assert result.shape == ((3, 3) if work.operation == "embed" else (3,))


# ---------------------------------------------------------------- who may ask


def test_a_token(limited):
    client = limited(token="a-long-secret-token")
    for given in (None, "Bearer wrong", "Basic a-long-secret-token", "Bearer", "bearer \xe9"):
        headers = {} if given is None else {"authorization": given.encode("latin-1")}
        for path in ("/v1/models", "/metrics", "/docs", "/openapi.json"):
            response = client.get(path, headers=headers)
            sentence(response, 401)
            assert response.headers["www-authenticate"] == "Bearer"
    assert client.get("/healthz").status_code == client.get("/readyz").status_code == 200
    known = {"authorization": "Bearer a-long-secret-token"}
    assert client.get("/v1/models", headers=known).status_code == 200


@pytest.mark.parametrize("host", ["evil.example", "localhost.evil.example", "127.0.0.1@x", ""])
def test_names_of_other_hosts_are_refused(limited, host):
    client = limited()
    sentence(client.get("/healthz", headers={"host": host}), 421)
    for own in ("localhost", "127.0.0.1:9000", "[::1]:80", "LOCALHOST"):
        assert client.get("/healthz", headers={"host": own}).status_code == 200
    assert limited(local=False).get("/healthz", headers={"host": host}).status_code == 200


# ---------------------------------------------------------------- models


def test_reload_replaces_good_runs_and_keeps_the_others(runs, tmp_path, grey):
    import shutil

    folders = {name: tmp_path / name for name in ("grey", "plain")}
    for name, folder in folders.items():
        shutil.copytree(runs[name], folder)
    store = ModelStore(folders)
    before = dict(store.models)
    (folders["grey"] / "weights.safetensors").write_bytes(b"damaged")
    ae.fit("ae", grey, latent=2, steps=1, out=folders["plain"], overwrite=True, progress=False)
    problems = store.reload()
    assert [*problems] == ["grey"]
    assert "weights.safetensors" in problems["grey"]
    assert store.models["grey"] is before["grey"]
    assert store.models["plain"].model.sizes.latent == 2
    shutil.rmtree(folders["plain"])
    assert [*store.reload()] == ["grey", "plain"]
    assert store.models["plain"].model.sizes.latent == 2


@pytest.mark.parametrize(
    ("words", "names"),
    [
        (["runs/a", "runs/b/"], ["a", "b"]),
        (["x=runs/a"], ["x"]),
        (["."], None),
        (["a=b=c"], ["a"]),
        (["runs/a", "other/a"], "Two runs"),
        (["ü=runs/a"], "cannot be the name"),
        (["runs/with space"], "cannot be the name"),
    ],
)
def test_names_of_models(words, names):
    if isinstance(names, str):
        with pytest.raises(ae.AutoencodeError, match=names):
            named_runs(words)
    else:
        found = named_runs(words)
        assert names is None or [*found] == names


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--host", "0.0.0.0"], "no token is set"),
        (["--host", "::"], "no token is set"),
        (["--host", "example.org"], "no token is set"),
        (["--batch-window", "soon"], "--batch-window is soon"),
        (["--batch-window", "2h"], "--batch-window is 2h"),
        (["--timeout", "0"], "--timeout is 0"),
        (["--grace", "-1s"], "--grace is -1s"),
        (["--port", "70000"], "--port"),
        (["--token-file", "missing.txt"], "missing.txt cannot be read"),
        (["--token-file", "."], "cannot be read"),
    ],
)
def test_options_that_cannot_be(runs, capsys, options, words, monkeypatch):
    monkeypatch.delenv("AUTOENCODE_TOKEN", raising=False)
    with pytest.raises(SystemExit) as left:
        main(["serve", str(runs["grey"]), *options])
    assert left.value.code == 2
    assert words in capsys.readouterr().err


def test_a_short_token_and_a_missing_run(runs, capsys, monkeypatch, tmp_path):
    monkeypatch.setenv("AUTOENCODE_TOKEN", "short")
    with pytest.raises(SystemExit):
        main(["serve", str(runs["grey"])])
    assert "at least 16" in capsys.readouterr().err
    monkeypatch.delenv("AUTOENCODE_TOKEN")
    with pytest.raises(SystemExit) as left:
        main(["serve", str(tmp_path / "none")])
    assert left.value.code == 2
    assert "There is no run" in capsys.readouterr().err


def test_the_extra_is_named_if_it_is_missing(runs, capsys, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "uvicorn", None)
    with pytest.raises(SystemExit) as left:
        main(["serve", str(runs["grey"])])
    assert left.value.code == 2
    assert 'pip install "autoencode[serve]"' in capsys.readouterr().err
