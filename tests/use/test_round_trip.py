"""One model on every way out: files, a classifier, ONNX, HTTP. The codes are the same."""

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

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


class Served:
    """`autoencode serve` as the page starts it, at a free port; another terminal asks it."""

    def __init__(self, line):
        words = [sys.executable, "-m", "autoencode", *shlex.split(line)[1:-1], "0"]
        self.process = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
        self.port = re.search(r":(\d+)/", self.process.stdout.readline())[1]

    def stop(self):
        self.process.terminate()
        self.process.communicate(timeout=20)
        return self.process.returncode


@pytest.mark.skipif(shutil.which("curl") is None, reason="needs curl")
def test_the_page_of_the_round_trip(folder, tmp_path, monkeypatch, hub, capsys):
    """Its blocks in order: the commands, the Python between them, and the request."""
    monkeypatch.chdir(tmp_path)
    folder.rename(tmp_path / "photos")
    page = (Path(__file__).parents[2] / "docs" / "walkthrough.md").read_text(encoding="utf-8")
    names, service, printed = {}, None, ""
    for language, body in re.findall(r"```(\w+)\n(.*?)```", page, re.DOTALL):
        if language == "python":
            capsys.readouterr()
            exec(compile(body, "walkthrough", "exec"), names)
            printed += capsys.readouterr().out
            continue
        for line in body.splitlines():
            if line.startswith("curl "):
                asked = line.replace("localhost:8000", f"127.0.0.1:{service.port}")
                subprocess.run(["bash", "-c", asked], check=True, timeout=60)
            elif line.startswith("autoencode serve "):
                service = Served(line)
            else:
                words = shlex.split(line)[1:]
                if words[0] == "train":
                    words += ["--steps", "60", "--no-report"]
                run(*words)
    assert service.stop() == 143
    found = dict(line.split(": ") for line in printed.splitlines())
    assert float(found["accuracy"]) > 0.95
    differences = [float(line.split(": ")[1]) for line in printed.splitlines() if "diff" in line]
    assert len(differences) == 2
    assert max(differences) < 1e-5
    assert found["equal to the last bit"] == "True"
