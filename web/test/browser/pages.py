"""Writes pages for the browser tests, and codes decoded by PyTorch: python pages.py FOLDER."""

from __future__ import annotations

import base64
import json
import sys
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch.distributions import kl_divergence

import autoencode as ae
from autoencode.data import Data, load_data
from autoencode.evaluation.projections import projected
from autoencode.explorer.page import write_explorer
from autoencode.models.run import Run, open_run

HOSTILE = "<img src=x onerror=\"document.title='caught'\">"
TRAITS = ("_page", "_title", "height", "selected", "codes", "pins")
SMALL = {"network.hidden": [48]}


def main(folder: Path) -> None:
    """Trains small models on small images and writes their pages."""
    torch.set_num_threads(1)
    digits = load_data("digits")
    runs = {}
    for name, recipe, latent in (
        ("ae", "ae", 2),
        ("vae", "vae", 2),
        ("wide", "vae", 12),
        ("cvae", "cvae", 4),
        # Its default code shape fits the groups of the codebook.
        ("vq-vae", "vq-vae", None),
        ("denoising", "denoising-ae", 8),
        ("sparse", "sparse-top-k", 16),
    ):
        # Without the sampler fitted to codes after training, which would take most of the time.
        row = ae.RECIPES[recipe].but(sampler=None)
        for key, value in SMALL.items():
            row = row.set(key, value)
        out = folder / "runs" / name
        more = {} if latent is None else {"latent": latent}
        ae.fit(
            row, digits, steps=150, batch_size=64, out=out, progress=False, overwrite=True, **more
        )
        runs[name] = open_run(out)
    # A saved t-SNE is the first plane of a page.
    projected(runs["sparse"], digits)
    for page, names in (
        ("two", ["ae", "vae"]),
        ("wide", ["wide"]),
        ("cvae", ["cvae"]),
        ("vq", ["vq-vae"]),
        ("denoising", ["denoising"]),
        ("sparse", ["sparse"]),
    ):
        write_explorer([runs[name] for name in names], folder / f"{page}.html", data=digits)
    write_explorer([_hostile(folder)], folder / "hostile.html")
    write_explorer([_table(folder)], folder / "table.html")
    odd = ae.RECIPES["ae"].but(network=ae.Spec(str(Path(__file__).with_name("odd_network.py")), {}))
    out = folder / "runs" / "odd"
    ae.fit(odd, digits, latent=2, steps=150, batch_size=64, out=out, progress=False)
    write_explorer([open_run(out)], folder / "odd.html", data=digits)
    frame = ae.Explorer(folder / "runs" / "vae", data=digits)._repr_html_()
    (folder / "notebook.html").write_text(f"<!doctype html><title>a notebook</title>{frame}")
    (folder / "widget.html").write_text(_widget(ae.Explorer(folder / "runs" / "vae", data=digits)))
    known = {name: _known(runs[name]) for name in ("ae", "vae", "wide")}
    (folder / "lesson.json").write_text(json.dumps(_lesson(runs, digits)))
    (folder / "known.json").write_text(json.dumps(known))


def _widget(explorer: ae.Explorer) -> str:
    """A page that shows the widget as a notebook does, with a dictionary as its kernel."""
    widget = explorer.widget()
    module = base64.b64encode(widget._esm.encode()).decode()
    state = json.dumps({name: getattr(widget, name) for name in widget.keys if name in TRAITS})
    return f"""<!doctype html><title>a notebook</title><div id="cell"></div>
<script id="state" type="application/json">{state.replace("<", chr(92) + "u003c")}</script>
<script type="module">
const listeners = {{}};
window.kernel = JSON.parse(document.getElementById("state").textContent);
window.setTrait = (name, value) => {{
  kernel[name] = value;
  listeners[`change:${{name}}`]?.forEach((f) => f());
}};
const model = {{
  get: (name) => kernel[name],
  set: (name, value) => {{
    if (JSON.stringify(kernel[name]) !== JSON.stringify(value)) setTrait(name, value);
  }},
  on: (event, f) => (listeners[event] ??= []).push(f),
  off: (event, f) => (listeners[event] = listeners[event].filter((other) => other !== f)),
  save_changes: () => {{}},
}};
window.setTrait("selected", [5]);
const {{ default: widget }} = await import("data:text/javascript;base64,{module}");
window.end = widget.render({{ model, el: document.getElementById("cell") }});
</script>"""


def _known(run: Run) -> list[dict[str, list[float]]]:
    """Codes, and their images decoded by PyTorch."""
    model = run.load_model()
    codes = torch.randn(5, model.sizes.latent, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        images = model.decoder(codes).clamp(0, 1)
    return [
        {"code": z.tolist(), "image": x.flatten().tolist()}
        for z, x in zip(codes, images, strict=True)
    ]


def _lesson(runs: dict[str, Run], data: Data) -> dict[str, dict[str, float]]:
    """Numbers of the lesson, computed by PyTorch and in another way than in the page."""
    found = {}
    x, y = data.test.x, data.test.y
    for name in ("ae", "vae"):
        model = runs[name].load_model()
        with torch.no_grad():
            code, codes = model.encode(x[:1]), model.encode(x).z
            px = model.decode(code.z)
            q = code.q
            kl = None if q is None else kl_divergence(q, model.prior(None)).item()
        distances = torch.cdist(codes.double(), codes.double()).fill_diagonal_(torch.inf)
        same = (y[distances.argmin(1)] == y)[y == 3].double().mean()
        nll = -px.log_prob(x[:1].float() / 255 if x.dtype == torch.uint8 else x[:1]).item()
        found[name] = {"nll": nll, "kl": kl, "same": same.item()}
    return found


def _hostile(folder: Path) -> Run:
    """A model whose name and class names are HTML."""
    rng = np.random.default_rng(0)
    source = folder / "images"
    for label in (HOSTILE, "plain"):
        (source / label).mkdir(parents=True, exist_ok=True)
        for i in range(40):
            pixels = rng.integers(0, 255, (8, 8), np.uint8)
            Image.fromarray(pixels).save(source / label / f"{i}.png")
    out = folder / "runs" / HOSTILE
    row = ae.RECIPES["ae"].set("network.hidden", [8])
    ae.fit(row, str(source), latent=2, steps=20, batch_size=16, out=out, progress=False)
    return open_run(out)


def _table(folder: Path) -> Run:
    """A VAE of a table without labels."""
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(300, 2)) @ rng.normal(size=(2, 5))
    source = folder / "rows.csv"
    np.savetxt(source, rows, delimiter=",", header="a,b,c,d,e", comments="", fmt="%.4f")
    out = folder / "runs" / "table"
    row = ae.RECIPES["vae"].but(sampler=None).set("network.hidden", [16])
    ae.fit(row, str(source), latent=2, steps=150, batch_size=32, out=out, progress=False)
    return open_run(out)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
