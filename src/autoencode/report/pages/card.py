"""The model card: what a model is, how it was trained and its metrics, as one Markdown file."""

from __future__ import annotations

from json import dumps
from pathlib import Path

from autoencode.data.named.catalogue import SOURCES
from autoencode.evaluation.saved import read_metrics
from autoencode.io.hub import refuse_hub_copy
from autoencode.io.store import write_text
from autoencode.models.run import Run
from autoencode.parts import CONTEXTS
from autoencode.report.formatting import count
from autoencode.report.pages.details import error_details, metric_groups, model_details
from autoencode.report.pages.html import render


def write_card(run: Run) -> Path:
    """Write `card.md` into a run's folder, with the metrics of its last evaluation.

    Raises:
        RunError: the file cannot be written.   ResourceError: the disk is full.
    """
    refuse_hub_copy(run.folder)
    path = run.folder / "card.md"
    write_text(path, card_text(run))
    return path


def card_text(run: Run, address: str | None = None, metadata: str = "") -> str:
    """The model card of a run, with the metrics of its last evaluation.

    address: what loads the run where the card is read; None for the name of its folder.
    metadata: lines of YAML, which the hub reads.

    Raises:
        RunError: the metrics cannot be read.
    """
    metrics = read_metrics(run) or {}
    return render(
        "card.md",
        metadata=metadata,
        model=model_details(run.recipe.name, run, [run]),
        data=run.data["name"],
        uses=_uses(run),
        limits=_limits(run, metrics),
        code=_code(run, address or run.name),
        metric_groups=metric_groups(metrics),
        error=error_details(run, metrics),
    )


def _uses(run: Run) -> list[str]:
    """What the model can be used for."""
    found = [
        f"codes of {run.sizes.latent:,} numbers for examples that are like its training data",
        "reconstructions of such examples, and their squared errors as anomaly scores",
    ]
    if run.recipe.prior is not None or run.recipe.sampler is not None:
        found.append("new examples, decoded from random codes")
    return found


def _limits(run: Run, metrics: dict[str, object]) -> list[str]:
    """What is not known of the model, and what it takes, in sentences."""
    found = [f"It was trained on {count(run.sizes.n)} examples of one data set."]
    if (preprocessing := run.preprocessing) is not None:
        found.append(f"It takes: {preprocessing}. Other data are refused or converted to this.")
    if run.recipe.context is not None:
        source = CONTEXTS[run.recipe.context.kind].source
        found.append(f"It is conditioned on {source}, which new data need too.")
    n = metrics.get("n_test")
    if isinstance(n, int):
        found.append(
            f"The metrics are of {count(n)} test examples of the same data set. On other data, "
            "nothing was measured."
        )
    else:
        found.append("It was not evaluated.")
    return found


def _code(run: Run, address: str) -> str:
    """Three lines of Python that load the model and encode data."""
    source = str(run.data["source"])
    data = dumps(Path(source).name) if source else "x"
    kind = "  # or other data of this kind" if source else "  # x is an array"
    note = "" if source in SOURCES else kind
    load = f"model = ae.load({dumps(address)})"
    return f"import autoencode as ae\n{load}\ncodes = ae.embed(model, {data}){note}"
