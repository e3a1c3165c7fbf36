import gzip
import json
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
import torch

from autoencode.explorer.graph import network_graph

WEB = Path(__file__).parents[2] / "web"


@pytest.fixture(scope="session")
def run(tmp_path_factory):
    """run({name: (graph, inputs)}) -> {name: outputs}, computed by the page's runtime in node."""
    node, esbuild = shutil.which("node"), WEB / "node_modules" / ".bin" / "esbuild"
    if node is None:
        pytest.skip("needs node, to run the networks of the page")
    if not esbuild.exists():
        pytest.skip("web/node_modules is missing: cd web && npm ci")
    script = tmp_path_factory.mktemp("runtime") / "run_cases.mjs"
    source = WEB / "test" / "run_cases.ts"
    bundle = [esbuild, source, "--bundle", "--platform=node", "--format=esm"]
    subprocess.run([*bundle, f"--outfile={script}", "--log-level=warning"], check=True)

    def ran(cases):
        folder = tmp_path_factory.mktemp("cases")
        for name, (graph, inputs) in cases.items():
            (folder / f"{name}.json").write_text(json.dumps(graph.to_dict()), encoding="utf-8")
            (folder / f"{name}.weights").write_bytes(graph.weights)
            numbers = [x.numpy().astype("<f4").tobytes() for x in inputs]
            (folder / f"{name}.inputs").write_bytes(b"".join(numbers))
        subprocess.run([node, script, folder], check=True, timeout=60)
        return {name: outputs_of(folder / name, graph) for name, (graph, _) in cases.items()}

    return ran


def outputs_of(path, graph):
    error = path.with_name(f"{path.name}.error")
    if error.exists():
        return error.read_text(encoding="utf-8")
    found = torch.from_numpy(np.fromfile(path.with_name(f"{path.name}.outputs"), "<f4").copy())
    fixed = len(graph.inputs) + len(graph.constants)
    shapes = [record["shape"] for record in (*graph.inputs, *graph.constants, *graph.nodes)]
    assert len(shapes) == fixed + len(graph.nodes)
    made = [shapes[i] for i in graph.outputs]
    parts = found.split([int(np.prod(shape)) for shape in made])
    return [part.reshape(shape) for part, shape in zip(parts, made, strict=True)]


@pytest.fixture(scope="session")
def compare(run):
    """compare({name: module}, x) -> {name: (outputs of the page, outputs of PyTorch)}."""

    def found(modules, x):
        pages = run({name: (network_graph(m, {"x": x}), [x]) for name, m in modules.items()})
        with torch.no_grad():
            return {name: (pages[name], listed(module(x))) for name, module in modules.items()}

    return found


@pytest.fixture(scope="session")
def compare_together(compare):
    """As `compare`, for functions or modules traced as one module, which is faster."""

    def found(parts, x):
        combined = Together(list(parts.values())).eval()
        ((pages, expected),) = compare({"all": combined}, x).values()
        assert isinstance(pages, list), pages
        return dict(zip(parts, zip(pages, expected, strict=True), strict=True))

    return found


class Together(torch.nn.Module):
    """Many functions or modules applied to one input."""

    def __init__(self, parts):
        super().__init__()
        self.parts = parts
        # PyTorch finds modules only among attributes.
        self.found = torch.nn.ModuleList(p for p in parts if isinstance(p, torch.nn.Module))

    def forward(self, x):
        return tuple(part(x) * 1.0 for part in self.parts)


def listed(found):
    return list(found) if isinstance(found, tuple) else [found]


@pytest.fixture(scope="session")
def unpacked():
    """unpacked(file) -> (header, blobs), as the docstring of the container describes."""

    def read(content):
        plain = gzip.decompress(content)
        assert plain[:8] == b"AEXPLORE"
        length = int.from_bytes(plain[8:12], "little")
        return json.loads(plain[12 : 12 + length]), plain[12 + length :]

    return read


@pytest.fixture(scope="session")
def array_of():
    """array_of(blobs, reference) -> the array."""

    def read(blobs, reference):
        kind = np.dtype(reference["kind"]).newbyteorder("<")
        n = int(np.prod(reference["shape"])) * kind.itemsize
        raw = np.frombuffer(blobs[reference["offset"] : reference["offset"] + n], np.uint8)
        if reference["kind"] == "float16":
            raw = raw.reshape(2, -1).T.copy().ravel()
        return raw.view(kind).reshape(reference["shape"])

    return read
