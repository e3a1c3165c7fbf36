"""autoencode: train, evaluate, plot and use autoencoders.

    import autoencode as ae

    run = ae.fit("vae", "mnist", latent=2, out="runs/vae")
    model = ae.load("runs/vae")
    codes, images = model(ae.sample_train(10))

Names are imported on first use, so that `import autoencode` is fast.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

_HOME = {
    "Recipe": "autoencode.models.recipe",
    "Spec": "autoencode.models.recipe",
    "Weighted": "autoencode.models.recipe",
    "RECIPES": "autoencode.models.recipes.table",
    "Sizes": "autoencode.contract",
    "Space": "autoencode.contract",
    "AutoencodeError": "autoencode.errors",
    "build": "autoencode.models.build",
    "load": "autoencode.models.run",
    "open_run": "autoencode.models.run",
    "load_data": "autoencode.data",
    "sample_train": "autoencode.data",
    "fit": "autoencode.train",
    "fit_many": "autoencode.train",
    "Job": "autoencode.train",
    "resume": "autoencode.train",
    "evaluate": "autoencode.evaluation",
    "embed": "autoencode.evaluation",
    "reconstruct": "autoencode.evaluation",
    "interpolate": "autoencode.report.plots",
    "plot": "autoencode.report.plots",
    "plot_latent": "autoencode.report.plots",
    "plot_reconstructed": "autoencode.report.plots",
    "write_report": "autoencode.report",
    "Explorer": "autoencode.explorer.notebook",
}

__all__ = sorted(_HOME)


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'autoencode' has no attribute {name!r}")
    return getattr(import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return __all__
