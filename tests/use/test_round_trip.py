"""One model on every way out: files, a classifier, ONNX, HTTP. The codes are the same."""

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from sklearn.linear_model import LogisticRegression

import autoencode as ae
from autoencode.cli.main import main

pytestmark = pytest.mark.long


def run(*words):
    with pytest.raises(SystemExit) as end:
        main([str(word) for word in words])
    assert end.value.code == 0, words


@pytest.fixture
def folder(tmp_path):
    """Colour images of 12×12: red ones are bright at the left, blue ones at the right."""
    draw = np.random.default_rng(0)
    for i in range(120):
        image = draw.integers(0, 90, (12, 12, 3))
        image[:, :6] += np.array([150, 0, 0]) * (i % 2)
        image[:, 6:] += np.array([0, 0, 150]) * (1 - i % 2)
        path = tmp_path / "images" / ("red" if i % 2 else "blue") / f"{i}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image.astype(np.uint8)).save(path)
    return tmp_path / "images"


def test_codes_are_the_same_by_every_way(folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    words = ("--latent", 4, "--steps", 60, "--no-report")
    run("train", "conv-vae", "--data", folder, "--out", "run", *words)
    run("embed", "run", "--data", folder, "--out", "codes.parquet")
    table = pd.read_parquet("codes.parquet")
    z = table[[f"z{i + 1}" for i in range(4)]].to_numpy()
    test = np.arange(len(z)) % 3 == 0
    classifier = LogisticRegression().fit(z[~test], table["label"][~test])
    assert classifier.score(z[test], table["label"][test]) > 0.95

    import onnxruntime

    run("export", "run", "--out", "model.onnx")
    session = onnxruntime.InferenceSession("model.onnx")
    pixels = np.stack([np.asarray(Image.open(folder / name)) for name in table["name"]])
    wanted = session.get_inputs()[0]
    assert wanted.type == "tensor(uint8)"
    pixels = np.moveaxis(pixels, -1, 1) if wanted.shape[1] == 3 else pixels
    exported = session.run(["codes"], {wanted.name: pixels})[0]
    np.testing.assert_allclose(exported.reshape(len(z), -1), z, atol=1e-5)

    from starlette.testclient import TestClient

    from autoencode.use.service.app import Service, create_app
    from autoencode.use.service.served import ModelStore, named_runs

    store = ModelStore(named_runs(["run"]))
    with TestClient(create_app(Service(store))) as client:
        files = [("files", (name, (folder / name).read_bytes())) for name in table["name"][:20]]
        answer = client.post("/v1/models/run/embed", files=files)
        assert answer.status_code == 200, answer.text
        np.testing.assert_allclose(answer.json()["codes"], z[:20], atol=1e-5)

    model = ae.load("run")
    np.testing.assert_allclose(ae.embed(model, folder), z, atol=1e-6)
