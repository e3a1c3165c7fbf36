"""`autoencode compare`: several runs side by side, and what of their differences is no noise."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from glob import glob, has_magic
from pathlib import Path
from shlex import join
from typing import TYPE_CHECKING, Annotated, Any

import typer

from autoencode.cli.options import (
    Images,
    Json,
    MeasureCluster,
    Measures,
    MeasureWorkers,
    OtherSource,
    Overwrite,
    RunFolders,
    Samples,
    flags_of,
    takes,
)
from autoencode.cli.output import aligned, print_message, print_result
from autoencode.data.options import ReadOptions
from autoencode.errors import AutoencodeError, RunError

if TYPE_CHECKING:
    from autoencode.data import Data
    from autoencode.evaluation.compare.comparison import ComparedMetric, Comparison
    from autoencode.evaluation.compare.run_records import RunRecord
    from autoencode.models.run import Run

PAGE, TABLE = "compare.html", "compare.json"
# Figures that the terminal has room for, those that were measured first.
MAIN = (
    *("squared_error", "squared_error_of_pca", "psnr", "r2", "ssim", "knn_accuracy", "nll"),
    *("frechet_distance", "gaps"),
)
COLUMNS = 5


@takes(options=ReadOptions)
def compare(
    runs: RunFolders,
    options: dict[str, Any],
    data: OtherSource = None,
    out: Annotated[Path, typer.Option(help="Folder of the comparison.")] = Path("runs/compare"),
    measures: Measures = "quick",
    samples: Samples = 1_000,
    images: Images = 1_000,
    workers: MeasureWorkers = None,
    cluster: MeasureCluster = None,
    overwrite: Overwrite = False,
    json: Json = False,
) -> None:
    """Compare runs: metrics with confidence intervals, and reconstructions of the same images.

    Runs that differ only in the seed count as one model. Missing metrics are measured first.

    Example: autoencode compare runs/ae runs/vae
    """
    free_folder(out, overwrite)
    if data is not None and (workers is not None or cluster is not None):
        raise AutoencodeError(
            "Runs keep what is measured on their own data, and on other data they are measured one "
            "after another",
            "Leave out --data, or --workers and --cluster.",
        )
    from autoencode.cli.measure import measures_named
    from autoencode.io.folders import sweep_beside
    from autoencode.io.store import write_json, writing
    from autoencode.models.run import open_run
    from autoencode.report import write_comparison_page

    opened = [open_run(folder) for folder in folders_of(runs)]
    asked = measures_named(measures)
    # Pictures are of the seed of the median squared error, which stands beside that of PCA.
    taken = [name for name in ("reconstruction", "pca") if name not in asked] + asked
    estimates = {"samples": samples, "images": images}
    load = DataOfRuns(data, options)
    found = compared(opened, taken, load, workers, cluster, **estimates)
    command = _command(found, out, asked, estimates)
    if data is not None:
        command += join(["", "--data", data, *flags_of(ReadOptions, options)])
    with writing(out):
        out.mkdir(parents=True, exist_ok=True)
    for name in (PAGE, TABLE):
        sweep_beside(out / name)
    write_json(out / TABLE, found.to_dict())
    page = write_comparison_page(found, out / PAGE, command=command, load=load)
    lines = [*lines_of(found), f"page     {page}", f"figures  {out / TABLE}"]
    print_result(found.to_dict(), lines, json)


class DataOfRuns:
    """The data that runs are compared on: their own, or others preprocessed for each run.

    The data of the last run are kept, because the next one most often has the same.
    """

    def __init__(self, source: str | None = None, options: Mapping[str, Any] | None = None) -> None:
        self.source, self.options = source, dict(options or {})
        self._key: object = None
        self._data: Data | None = None

    def __call__(self, run: Run) -> Data:
        """The data for one run; notices about other data are printed once."""
        from autoencode.cli.picture import data_of

        key = (run.data["fingerprint"], run.data.get("preprocessing"))
        if self._data is None or key != self._key:
            self._key, self._data = key, data_of(run, self.source, self.options)
        return self._data


def folders_of(given: Sequence[str]) -> list[Path]:
    """The folders of runs that arguments name; of a pattern those that hold a run.

    Raises:
        RunError: a pattern that no run fits.
    """
    found: list[Path] = []
    for text in given:
        path = Path(text).expanduser()
        if path.exists() or not has_magic(text):
            # Where the shell has filled in a pattern, an earlier comparison may be among the runs.
            if (path / "run.json").exists() or not (path / TABLE).exists():
                found.append(path)
            continue
        fit = [Path(match) for match in sorted(glob(str(path)))]
        fit = [match for match in fit if (match / "run.json").is_file()]
        if not fit:
            raise RunError(f"No run fits {text}", "Look where they are, or train one.")
        found += fit
    return found


def compared(
    runs: Sequence[Run],
    measures: Sequence[str],
    load: DataOfRuns | None = None,
    workers: int | None = None,
    cluster: str | None = None,
    **options: int,
) -> Comparison:
    """Measures what is missing of runs, keeps it in them, and sets them side by side.

    load: gives the data of a run; None loads its own.
    workers, cluster: measure on many workers, see `measure_many`; None measures here.

    Raises:
        RunError: runs that cannot be set side by side, before anything is measured.
    """
    from autoencode.evaluation.compare.comparison import compare as side_by_side
    from autoencode.evaluation.compare.run_records import check_trials
    from autoencode.io.progress import Bar

    load = load or DataOfRuns()
    trials = list(_trials(runs, load))
    check_trials(trials)
    if workers is not None or cluster is not None:
        from autoencode.io.hub import hub_address
        from autoencode.scale.measuring import measure_many

        # Those in the cache of the hub keep nothing.
        own = [run for run in runs if hub_address(run.folder) is None]
        measure_many(own, measures, options, workers=workers, cluster=cluster)
    measured = []
    with Bar("measuring", len(trials)) as bar:
        # Runs on the same data follow each other, so that these are loaded once.
        for trial in sorted(trials, key=lambda trial: trial.run.data["fingerprint"]):
            measured.append(_measured(trial, load(trial.run), measures, options))
            bar.update(1)
    return side_by_side(measured)


def free_folder(out: Path, overwrite: bool) -> None:
    """Refuses to write over what is there.

    Raises:
        RunError: there is a comparison and `overwrite` is not given, or there is a run.
    """
    if out.exists() and not out.is_dir():
        raise RunError(f"{out} is a file, and a comparison needs a folder", "Choose another --out.")
    if (out / "run.json").exists():
        raise RunError(f"{out} holds a run", "Choose another --out for the comparison.")
    # The page is written last: a table without it is of a comparison that was cut off.
    if not overwrite and (out / PAGE).exists():
        raise RunError(
            f"{out} holds an earlier comparison",
            "Choose another --out, or replace it with --overwrite.",
        )


def _trials(runs: Sequence[Run], load: DataOfRuns) -> Iterator[RunRecord]:
    """The runs with the number of their parameters and the digest of their test part."""
    from autoencode.evaluation.compare.run_records import RunRecord, digest_of_test
    from autoencode.models.build import parameter_count

    digests: dict[str, str] = {}
    for run in runs:
        if not run.data["source"] and load.source is None:
            raise RunError(
                f"{run.folder} was trained on arrays in memory, which a run does not keep",
                "Save them first, numpy.savez_compressed, and train on the path.",
            )
        parameters = parameter_count(run.load_model())
        of = run.data["fingerprint"]
        if of not in digests:
            digests[of] = digest_of_test(load(run))
        yield RunRecord(run, parameters, digests[of], {})


def _measured(
    trial: RunRecord, data: Data, measures: Sequence[str], options: Mapping[str, int]
) -> RunRecord:
    """A run with the metrics of these measures, which are saved in its folder."""
    from dataclasses import replace

    from autoencode.evaluation import MetricsCache
    from autoencode.evaluation.of_runs import measure_run, save_metrics

    run = trial.run
    found = measure_run(run, data, run.load_model(), measures, **options)
    metrics = found.to_dict()
    try:
        save_metrics(run, data, metrics)
    except AutoencodeError as error:  # the metrics are compared all the same
        print_message("warning", f"{error.what}, so the metrics are not saved")
    # Or the comparison would depend on what had been measured before.
    others = {record.name for _, of in MetricsCache(run).others(measures) for record in of}
    terms = {k: v for k, v in metrics["terms"].items() if f"terms.{k}" not in others}
    metrics = {k: v for k, v in metrics.items() if k not in others} | {"terms": terms}
    return replace(trial, metrics=metrics, per_example=found.per_example())


def _command(
    found: Comparison, out: Path, measures: Sequence[str], options: Mapping[str, int]
) -> str:
    """The command that makes the same again, whatever the order in which runs were given."""
    from autoencode.evaluation.measures import OPTIONS
    from autoencode.io.files import shown

    words = ["autoencode", "compare"]
    words += [trial.folder for model in found.models for trial in model.trials]
    words += ["--measures", ",".join(measures)]
    names = [name for measure in measures for name in OPTIONS.get(measure, ())]
    for name in (name for name in names if name in options):
        words += [f"--{name}", str(options[name])]
    return shown(join([*words, "--out", str(out)]))


def lines_of(found: Comparison) -> Iterator[str]:
    """The main metrics for a person: a row for each model, the best with a star."""
    from autoencode.report.pages.compared import (
        cost_words,
        difference_words,
        estimate_words,
        pca_sentences,
        title_of,
    )

    first = found.models[0].trials[0]
    yield (
        f"{len(found.models)} model{'' if len(found.models) == 1 else 's'} on "
        f"{first.run.data['name']}, {first.metrics['n_test']:,} test examples"
    )
    by_name: dict[str, ComparedMetric] = {figure.name: figure for figure in reversed(found.figures)}
    shown = [by_name[name] for name in MAIN if name in by_name][:COLUMNS]
    rows = [["model", "seeds", *map(title_of, shown), "training"]]
    for model in found.models:
        cells = [model.name, str(len(model.trials))]
        for figure in shown:
            has = figure.name in model.figures and model in figure.models
            words = estimate_words(model.figures[figure.name], figure.info) if has else "–"
            cells.append(f"{words} {'*' if figure.best == model.name else ' '}")
        rows.append([*cells, cost_words(model)])
    yield from aligned(rows)
    yield from pca_sentences(found)
    if len(found.models) == 1:
        return
    for figure in [figure for figure in shown if figure.differences][:1]:
        for name, found_difference in figure.differences.items():
            words = difference_words(figure, name)
            yield f"{title_of(figure)}: {name} {words}; {found_difference.test}"
    if any(figure.best for figure in shown):
        yield "* significantly better than every other model (p < 0.05)"
    else:
        yield "No model is significantly better than every other."
