"""What of a run is uploaded: its files without the folders of this computer, and its card."""

from __future__ import annotations

import getpass
import html
import re
import socket
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

from autoencode.data.named.catalogue import SOURCES
from autoencode.errors import AutoencodeError, RunError
from autoencode.evaluation.metric_info import metric_info
from autoencode.evaluation.saved import read_metrics
from autoencode.io.hub import CARD, max_bytes
from autoencode.io.local_paths import command_without_folders, without_folders
from autoencode.io.store import read_json, write_json, write_text
from autoencode.models.network_code import COPY
from autoencode.models.run import Run
from autoencode.report.pages.card import card_text

# Data sets of the catalogue on the hub.
HUB_DATASETS = {
    "mnist": "ylecun/mnist",
    "fashion-mnist": "zalando-datasets/fashion_mnist",
    "cifar10": "uoft-cs/cifar10",
}
# Written anew for the upload; `run.lock` and `state/` stay here.
_WRITTEN = ("run.json", "recipe.json", "environment.json", CARD)
_NEEDED = ("weights.safetensors", COPY)
# Options of data that are paths of files.
_FILE_OPTIONS = ("labels", "vectors")
# Of a host or a user, names that are also words of a page would be found everywhere.
_HOST = re.compile(r"(?=.*[\d.-])[\w.-]{4,}")


@dataclass(frozen=True)
class SharedFiles:
    """The files to upload by their names on the hub, and sentences on what was changed."""

    files: dict[str, Path]
    notices: tuple[str, ...]


def shared_files(run: Run, staging: Path, address: str, license: str | None) -> SharedFiles:
    """Collect what of a finished run is uploaded.

    staging: an empty folder for the files that differ from those of the run.
    address: "hf:owner/name", for the card.

    Raises:
        RunError: a file holds a folder of this computer and cannot be shared without it, or a
            record is damaged.
    """
    shared, notices = _without_places(run, staging)
    shared.write()
    environment = run.folder / "environment.json"
    if environment.exists():
        record = read_json(environment)
        if "command" in record:
            record["command"] = command_without_folders(str(record["command"]))
        write_json(staging / environment.name, without_folders(record))
    metrics = read_metrics(run)
    if metrics is not None:  # the card shows them
        write_json(staging / "metrics.json", metrics)
    name = address.rpartition("/")[2]
    write_text(
        staging / CARD, card_text(shared, address, card_metadata(shared, metrics, name, license))
    )
    (staging / "metrics.json").unlink(missing_ok=True)
    files = {each: staging / each for each in _WRITTEN if (staging / each).exists()}
    private = _private_texts(run)
    for each in _own_files(run):
        path = run.folder / each
        if path.is_symlink() and each not in _NEEDED:
            notices.append(f"{each} is a link, and is not uploaded.")
        elif found := _private_text(path, private):
            if each in _NEEDED:
                raise _cannot_share(run, each, found)
            notices.append(
                f'{each} names "{found}", a part of this computer, and is not uploaded; evaluate '
                "the run again to write it without."
            )
        else:
            files[each] = path
    for each in files.keys() & set(_WRITTEN):
        if found := _private_text(files[each], private):
            raise _cannot_share(run, each, found)
    if "report.html" in files:
        notices.append(
            "report.html shows examples of the data; delete it before, if they are not to be seen."
        )
    return SharedFiles(dict(sorted(files.items())), tuple(notices))


def card_metadata(run: Run, metrics: dict[str, Any] | None, name: str, license: str | None) -> str:
    """The metadata of a model card as YAML, which the hub reads.

    metrics: of the last evaluation; those of which lower or higher is better are listed, with
    their 95 % intervals.
    """
    from huggingface_hub import EvalResult, ModelCardData

    image, data = run.sizes.image is not None, str(run.data["name"])
    task = "image-feature-extraction" if image else "feature-extraction"
    dataset = HUB_DATASETS.get(run.data["source"])
    values = {} if metrics is None else {**metrics, **_terms(metrics)}
    results = [
        EvalResult(
            task_type=task,
            dataset_type=dataset or data,
            dataset_name=data,
            dataset_split="test",
            metric_type=key,
            metric_value=value,
            metric_name=_metric_name(key, values),
        )
        for key, value in values.items()
        if isinstance(value, int | float) and metric_info(key).better is not None
    ]
    return ModelCardData(
        library_name="autoencode",
        license=license,
        tags=["autoencoder", "representation-learning", run.recipe.name],
        datasets=[dataset] if dataset else None,
        # Of tables the hub has no task for codes.
        pipeline_tag=task if image else None,
        model_name=name if results else None,
        eval_results=results or None,
    ).to_yaml()


def _terms(metrics: dict[str, Any]) -> dict[str, Any]:
    return {f"terms.{name}": value for name, value in metrics["terms"].items()}


def _metric_name(key: str, values: dict[str, Any]) -> str:
    title, ends = metric_info(key).title, values["intervals"].get(key)
    return title if ends is None else f"{title}, 95 % interval {ends[0]:.4g} to {ends[1]:.4g}"


def _own_files(run: Run) -> Iterator[str]:
    """The names of the files of a run that are uploaded as they are."""
    for path in sorted(run.folder.rglob("*")):
        name = path.relative_to(run.folder).as_posix()
        limit = max_bytes(name)
        if limit is None or name in _WRITTEN or not path.is_file():
            continue
        if path.stat().st_size > limit:
            raise RunError(f"{path} is larger than a file of a run can be", "Remove it.")
        yield name


def _without_places(run: Run, staging: Path) -> tuple[Run, list[str]]:
    """A run in another folder, whose record names files instead of paths; and what was changed."""
    data, settings, notices = dict(run.data), dict(run.settings), []
    source = str(data["source"])
    if source and source not in SOURCES and (name := Path(source).name) != source:
        data["source"] = name
        notices.append(
            f'The source of the data is shared as "{name}", without its folders; a copy of the run '
            "needs --data SOURCE."
        )
    options = dict(data["options"])
    for key in _FILE_OPTIONS:
        if isinstance(options.get(key), str):
            options[key] = Path(options[key]).name
    data["options"] = options
    for key, value in settings.items():
        settings[key] = without_folders(value)
    return replace(run, folder=staging, data=data, settings=settings), notices


def _private_texts(run: Run) -> list[re.Pattern[bytes]]:
    """What must not be in an uploaded file: folders, the user's name in paths, the host's name."""
    places = [Path.home(), Path.cwd(), run.folder.absolute(), run.folder.resolve()]
    places += [Path(str(run.data["source"]) or "/"), Path(str(run.settings.get("init") or "/"))]
    # /tmp alone, for example, tells nothing.
    home, *others = (each for each in places if each.is_absolute())
    folders = {str(each) for each in others if len(each.parts) > 2}
    folders |= {str(home)} if len(home.parts) > 1 else set()
    folders |= {str(Path(each).parent) for each in folders if len(Path(each).parts) > 3}
    texts = {form for text in folders for form in (text, html.escape(text), quote(text))}
    found = [rf"(?<![\w<]){re.escape(text)}(?![\w-])" for text in sorted(texts, reverse=True)]
    try:
        user = re.escape(getpass.getuser())
        found.append(rf"(?:home|Users)[/\\]+{user}(?![\w-])|(?<![\w/]){user}@[\w-]")
    except (KeyError, OSError):
        pass  # a user without a name
    if _HOST.fullmatch(host := socket.gethostname()):
        found.append(rf"(?<![\w.-]){re.escape(host)}(?![\w-])")
    return [re.compile(text.encode()) for text in found]


def _private_text(path: Path, private: list[re.Pattern[bytes]]) -> str | None:
    """The first private text in a file; of a file of tensors, in its header."""
    with path.open("rb") as file:
        if path.suffix == ".safetensors":
            content = file.read(min(int.from_bytes(file.read(8), "little"), 2**27))
        else:
            content = file.read()
    for pattern in private:
        if match := pattern.search(content):
            return match.group().decode(errors="replace")
    return None


def _cannot_share(run: Run, name: str, found: str) -> AutoencodeError:
    fix = "Give data, classes and parts other names, and train again."
    if name == "weights.safetensors":  # written by an older version, with the path of its network
        fix = f'Write it anew: r = ae.open_run("{run.folder}"); r.write_weights(r.load_model())'
    return RunError(
        f'{run.folder / name} names "{found}", a part of this computer, and would be public', fix
    )
