"""The hub fails, or a repository holds what no run holds: a sentence, and nothing half."""

import json
import shutil
import sys
from pathlib import Path

import httpx
import pytest

import autoencode as ae
from autoencode.cli.main import main
from autoencode.errors import AutoencodeError, ResourceError, RunError
from autoencode.io.hub import HubName, download, max_bytes
from autoencode.io.store import read_json

pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "ae"
    ae.fit("ae", "digits", latent=2, steps=1, out=folder, progress=False)
    return folder


@pytest.fixture(scope="module")
def content(trained):
    """The files of a repository with an intact run."""
    names = ("run.json", "recipe.json", "weights.safetensors", "environment.json", "log.jsonl")
    return {name: (trained / name).read_bytes() for name in names if (trained / name).exists()}


@pytest.fixture
def shared(hub, content):
    return hub.add("me/ae", content)


def refused(call, kind=AutoencodeError):
    with pytest.raises(kind) as found:
        call()
    return str(found.value)


def pulled_nothing(tmp_path, call=None, kind=AutoencodeError):
    """The message of a pull that fails and leaves nothing."""
    before = sorted(tmp_path.rglob("*"))
    message = refused(call or (lambda: ae.pull("me/ae", out=tmp_path / "copy")), kind)
    assert sorted(tmp_path.rglob("*")) == before
    return message


STATUS = [
    (401, "does not accept your token", "hf auth login"),
    (403, "no permission", "token that may write"),
    (404, "no repository", "Check the name"),
    (412, "changed by somebody else", "Try again"),
    (429, "too many requests", "Wait 7 s"),
    (500, "fails", "Try again later"),
    (502, "fails", "Try again later"),
    (503, "fails", "Try again later"),
    (418, "refuses", "Check the name"),
]


@pytest.mark.parametrize(("status", "what", "fix"), STATUS)
def test_refusals_of_the_hub(status, what, fix, hub, shared, trained, tmp_path):
    hub.fail(status, on="/api/", Retry_After="7")
    for call in (
        lambda: ae.load("hf:me/ae"),
        lambda: ae.pull("me/ae", out=tmp_path / "copy"),
        lambda: ae.push(trained, "me/new"),
    ):
        message = pulled_nothing(tmp_path, call)
        assert what in message, message
        assert fix in message
    assert "me/new" not in hub.repositories


@pytest.mark.parametrize("on", ["preupload", "batch", "/lfs/", "commit/main", "validate-yaml"])
@pytest.mark.parametrize("status", [400, 403, 429, 500])
def test_an_upload_that_fails_changes_nothing(status, on, hub, trained, content):
    hub.add("me/ae", content)
    before = dict(hub.repositories["me/ae"].files)
    hub.fail(status, on=on)
    message = refused(lambda: ae.push(trained, "me/ae"))
    assert "Traceback" not in message
    assert "hf:me/ae" in message
    assert hub.repositories["me/ae"].files == before


@pytest.mark.parametrize("on", ["preupload", "batch", "/lfs/", "resolve/"])
def test_the_client_tries_again(on, hub, shared, trained, tmp_path):
    hub.fail(503, on=on, times=1)
    ae.push(trained, "me/other")
    ae.pull("me/ae", out=tmp_path / "copy")


def test_a_push_that_another_overtakes_is_refused(hub, shared, trained):
    def overtake(request, path):
        if path.endswith("/preupload/main"):
            shared.commit({**shared.files, "other.txt": b"of somebody else"})

    hub.faults.append(overtake)
    assert "at the same time" in refused(lambda: ae.push(trained, "me/ae"))
    assert "other.txt" in shared.files


def test_no_connection(hub, trained, tmp_path, monkeypatch, free_port):
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", f"http://127.0.0.1:{free_port}")
    for call in (
        lambda: ae.load("hf:me/ae"),
        lambda: ae.pull("me/ae", out=tmp_path / "copy"),
        lambda: ae.push(trained, "me/ae"),
    ):
        assert "Check the network" in pulled_nothing(tmp_path, call)


@pytest.fixture
def free_port():
    import socket

    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


@pytest.mark.parametrize("host", ["no-such-host.invalid", "127.0.0.1:1"])
def test_hosts_that_do_not_answer(host, hub, tmp_path, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", f"http://{host}")
    assert "no connection" in pulled_nothing(tmp_path)


@pytest.mark.parametrize("on", ["/api/models", "repos/create", "commit/"])
def test_a_hub_that_hangs(on, hub, shared, trained, tmp_path, monkeypatch):
    monkeypatch.setattr("autoencode.io.hub_errors.ANSWER_SECONDS", 0.1)
    hub.hang(on, 0.5)
    if on == "/api/models":
        assert "does not answer" in pulled_nothing(tmp_path)
    else:
        assert "does not answer" in refused(lambda: ae.push(trained, "me/ae"))


@pytest.mark.parametrize("name", ["weights.safetensors", "run.json"])
def test_a_connection_that_breaks_is_resumed(name, hub, shared, trained, tmp_path, monkeypatch):
    hub.cut(name, after=50, times=2)
    copy = ae.pull("me/ae", out=tmp_path / "copy").folder
    assert (copy / name).read_bytes() == shared.files[name]


@pytest.mark.parametrize("name", ["weights.safetensors", "run.json", "recipe.json"])
def test_a_connection_that_always_breaks(name, hub, shared, tmp_path, monkeypatch):
    hub.cut(name, after=0)
    message = pulled_nothing(tmp_path)
    assert "it broke" in message
    assert "try again" in message
    hub.faults.clear()
    ae.pull("me/ae", out=tmp_path / "copy")


@pytest.mark.parametrize("how", ["changed", "short", "long", "empty"])
@pytest.mark.parametrize("name", ["weights.safetensors", "recipe.json"])
def test_files_that_arrive_otherwise_than_listed(how, name, hub, shared, content, tmp_path):
    right = content[name]
    wrong = {
        "changed": right[:-2] + b"\0\0",
        "short": right[:-1],
        "long": right + b" ",
        "empty": b"",
    }[how]
    from hashlib import sha256

    shared.claims[name] = (len(right), sha256(right).hexdigest())
    if not name.endswith("safetensors"):
        from hashlib import sha1

        shared.claims[name] = (len(right), sha1(b"blob %d\0" % len(right) + right).hexdigest())
    shared.files[name] = wrong
    assert "Try again" in pulled_nothing(tmp_path)
    # The wrong file does not stay in the cache.
    shared.files[name] = right
    ae.pull("me/ae", out=tmp_path / "copy")


@pytest.mark.parametrize("body", [b"<html>", b"[]", b"{}", b'{"sha": 1}', b"null", b"", b"\xff"])
def test_answers_that_are_none_of_the_hub(body, hub, hub_standin, shared, tmp_path):
    def fault(request, path):
        if path.startswith("/api/models"):
            raise hub_standin.Answer(200, body)

    hub.faults.append(fault)
    assert "hf:me/ae" in pulled_nothing(tmp_path)


def test_the_token_is_never_shown(hub, hub_standin, trained, capsys, monkeypatch):
    def echo(request, path):
        text = f"your header was {request.headers.get('Authorization')}"
        body = json.dumps({"error": text}).encode()
        raise hub_standin.Answer(500, body, X_Error_Message=text)

    hub.faults.append(echo)
    for token in (hub_standin.WRITER, "hf_with a space", "hf_with\ttab", "hf_ümlaut"):
        monkeypatch.setenv("HF_TOKEN", token)
        with pytest.raises(SystemExit) as end:
            main(["push", str(trained), "me/ae"])
        assert end.value.code == 2
        found = capsys.readouterr()
        assert "hf_" not in found.out + found.err


def test_the_cache_is_used_without_a_connection(hub, shared, tmp_path, monkeypatch, capsys):
    first = ae.load("hf:me/ae")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    second = ae.load("hf:me/ae")
    assert "its copy in the cache is used, commit" in capsys.readouterr().err
    assert all((a == b).all() for a, b in zip(first.parameters(), second.parameters(), strict=True))
    assert "HF_HUB_OFFLINE" in refused(lambda: ae.load("hf:me/another"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://no-such-host.invalid")
    ae.load("hf:me/ae")
    assert "its copy in the cache is used" in capsys.readouterr().err


def test_a_copy_that_is_not_complete_is_not_used_without_a_connection(
    hub, shared, monkeypatch, tmp_path
):
    hub.cut("weights", after=5)
    refused(lambda: ae.load("hf:me/ae"))
    hub.faults.clear()
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    assert "HF_HUB_OFFLINE" in refused(lambda: ae.load("hf:me/ae"))


@pytest.mark.parametrize(
    "name",
    [
        *("../evil.py", "../../.bashrc", "/etc/passwd", "evaluation/../../x.safetensors"),
        *("evaluation/x.pkl", "model.pkl", "pytorch_model.bin", "state/step.safetensors"),
        *("run.lock", "RUN.JSON", "run.json ", "evaluation/A.safetensors", "setup.py"),
        *("figures/training/1.png.exe", "figures/training/x.svg", ".git/config", "network.pyc"),
        *("evaluation/a/b.safetensors", "C:\\x", "nested/run.json", "a\nb", "card.md"),
    ],
)
def test_other_files_are_not_copied_and_said(name, hub, shared, content, tmp_path):
    assert max_bytes(name) is None
    hub.add("me/ae", {**content, name: b"cos\nsystem\n(S'touch executed'\ntR."})
    done = ae.pull("me/ae", out=tmp_path / "copy")
    assert name in done.notices[0]
    found = {p.relative_to(done.folder).as_posix() for p in done.folder.rglob("*")}
    assert found == set(content)
    assert not [path for method, path in hub.requests if "resolve" in path and "evil" in path]


@pytest.mark.parametrize(
    ("name", "size"),
    [
        ("weights.safetensors", 2**40),
        ("run.json", 2**30),
        ("network.py", 2**25),
        ("figures/training/000000001.png", 2**40),
        ("weights.safetensors", -1),
        ("recipe.json", None),
        ("recipe.json", "1"),
        ("recipe.json", 1e300),
    ],
)
def test_sizes_that_no_run_has(name, size, hub, content, tmp_path):
    repository = hub.add("me/ae", {**content, name: content.get(name, b"x")})
    repository.claims[name] = (size, "0" * 64)
    assert f"{name} has {size} bytes" in pulled_nothing(tmp_path, kind=RunError)
    assert not [path for _, path in hub.requests if "resolve" in path]


def test_more_than_the_disk_holds(hub, shared, tmp_path, monkeypatch):
    usage = shutil.disk_usage(tmp_path)._replace(free=1000)
    monkeypatch.setattr("autoencode.io.hub.shutil.disk_usage", lambda path: usage)
    assert "Make room" in pulled_nothing(tmp_path, kind=ResourceError)


def test_too_many_files(hub, content, tmp_path, monkeypatch):
    monkeypatch.setattr("autoencode.io.hub.MAX_FILES", 4)
    more = {f"figures/training/{i}.png": b"x" for i in range(4)}
    hub.add("me/ae", {**content, **more})
    assert "has at most 4" in pulled_nothing(tmp_path)


def damaged(content, name, change):
    return {**content, name: change(content[name])}


def replaced(**entries):
    return lambda text: json.dumps({**json.loads(text), **entries}).encode()


HOSTILE = {
    "a link": ("weights.safetensors", lambda _: b"../../../etc/passwd"),
    "a pickle": ("weights.safetensors", lambda _: b"\x80\x04cos\nsystem\n."),
    "a zip": ("weights.safetensors", lambda _: b"PK\x03\x04" + bytes(50)),
    "cut weights": ("weights.safetensors", lambda b: b[: len(b) // 2]),
    "a bit": ("weights.safetensors", lambda b: b[:-1] + bytes([b[-1] ^ 1])),
    "a giant header": ("weights.safetensors", lambda b: (2**60).to_bytes(8, "little") + b),
    "no weights": ("weights.safetensors", lambda _: b""),
    "no JSON": ("run.json", lambda _: b"run"),
    "a list": ("run.json", lambda _: b"[]"),
    "deep JSON": ("run.json", lambda _: b'{"a":' * 10**5),
    "a link in JSON": ("recipe.json", lambda _: b"/etc/passwd"),
    "another status": ("run.json", replaced(status="running")),
    "a newer format": ("run.json", replaced(format=99)),
    "more entries": ("run.json", replaced(code="import os")),
    "no data": ("run.json", replaced(data=None)),
    "giant sizes": ("run.json", replaced(sizes={"x": [10**9], "z": [2], "context": 0, "n": 1})),
    "an unknown part": ("recipe.json", replaced(network={"kind": "evil", "args": {}})),
    "a network elsewhere": ("recipe.json", replaced(network={"kind": "/x/y.py:Z", "args": {}})),
    "a network above": ("recipe.json", replaced(network={"kind": "../y.py:Z", "args": {}})),
    "a giant network": (
        "recipe.json",
        replaced(network={"kind": "mlp", "args": {"hidden": [10**6] * 9}}),
    ),
    "NaN": ("recipe.json", lambda b: b.replace(b"{", b'{"x": NaN,', 1)),
}


@pytest.mark.parametrize("what", HOSTILE)
def test_hostile_runs_are_refused(what, hub, content, tmp_path):
    hub.add("me/ae", damaged(content, *HOSTILE[what]))
    message = pulled_nothing(tmp_path)
    assert "/copy." not in message  # the temporary folder
    refused(lambda: ae.load("hf:me/ae"))


@pytest.mark.parametrize("name", ["run.json", "recipe.json", "weights.safetensors"])
def test_repositories_without_a_run(name, hub, content, tmp_path):
    hub.add("me/ae", {key: value for key, value in content.items() if key != name})
    assert f"no run of autoencode: it has no {name}" in pulled_nothing(tmp_path)


def test_critics_of_another_model_are_said(hub, content, trained, tmp_path):
    hub.add("me/ae", {**content, "critics.safetensors": b"nothing"})
    done = ae.pull("me/ae", out=tmp_path / "copy")
    assert "critics.safetensors" in done.notices[0]
    assert f"{tmp_path / 'copy'}/critics" in done.notices[0]


def test_an_existing_run_is_replaced_only_on_demand(hub, shared, trained, tmp_path):
    out = tmp_path / "copy"
    ae.pull("me/ae", out=out)
    assert "exists" in pulled_nothing(tmp_path)
    (out / "log.jsonl").write_text("mine")
    (out / "snapshots").mkdir()
    ae.pull("me/ae", out=out, overwrite=True)
    assert not (out / "snapshots").exists()
    assert (out / "run.json").read_bytes() == shared.files["run.json"]
    assert [path.name for path in tmp_path.iterdir()] == ["copy"]


def test_what_is_no_run_is_not_replaced(hub, shared, tmp_path):
    out = tmp_path / "copy"
    out.mkdir()
    (out / "thesis.tex").write_text("mine")
    message = pulled_nothing(tmp_path, lambda: ae.pull("me/ae", out=out, overwrite=True))
    assert "not of a run" in message
    (tmp_path / "file").write_text("mine")
    for overwrite in (False, True):
        call = lambda: ae.pull("me/ae", out=tmp_path / "file", overwrite=overwrite)  # noqa: B023, E731
        assert "--out" in pulled_nothing(tmp_path, call)
    (tmp_path / "empty").mkdir()
    ae.pull("me/ae", out=tmp_path / "empty")


def test_a_damaged_copy_leaves_the_earlier_one(hub, shared, content, tmp_path):
    out = tmp_path / "copy"
    ae.pull("me/ae", out=out)
    hub.add("me/ae", damaged(content, *HOSTILE["a bit"]))
    pulled_nothing(tmp_path, lambda: ae.pull("me/ae", out=out, overwrite=True))
    ae.load(out)


@pytest.mark.parametrize("at", ["_copy", "_checked"])
def test_a_pull_that_is_interrupted_leaves_nothing(at, hub, shared, tmp_path, monkeypatch):
    def stop(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(f"autoencode.use.hub.{at}", stop)
    with pytest.raises(KeyboardInterrupt):
        ae.pull("me/ae", out=tmp_path / "copy")
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_pull_left_is_removed(hub, shared, tmp_path, dead):
    left = tmp_path / f"copy.{dead}.tmp"
    left.mkdir()
    (left / "weights.safetensors").write_bytes(b"half")
    ae.pull("me/ae", out=tmp_path / "copy")
    assert [path.name for path in tmp_path.iterdir()] == ["copy"]


def test_a_folder_that_cannot_be_written(hub, shared, tmp_path):
    (tmp_path / "file").write_text("")
    call = lambda: ae.pull("me/ae", out=tmp_path / "file" / "copy")  # noqa: E731
    assert "cannot be written" in pulled_nothing(tmp_path, call)


def test_copies_hold_no_links(hub, shared, tmp_path):
    copy = ae.pull("me/ae", out=tmp_path / "copy").folder
    assert any(path.is_symlink() for path in download(HubName.parse("me/ae")).folder.iterdir())
    assert not any(path.is_symlink() for path in copy.rglob("*"))
    record = read_json(copy / "run.json")
    assert record["data"]["source"] == "digits"


@pytest.mark.parametrize("words", [["push", "RUN", "me/a"], ["pull", "me/a", "--out", "x"]])
def test_without_the_client(words, trained, monkeypatch, capsys, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    for each in (words, ["embed", "hf:me/a"]):
        with pytest.raises(SystemExit) as end:
            main([str(trained) if word == "RUN" else word for word in each])
        assert end.value.code == 2
        assert 'pip install "autoencode[hub]"' in capsys.readouterr().err
    assert "autoencode[hub]" in refused(lambda: ae.load("hf:me/a"))


def test_settings_of_the_client_are_restored(hub, shared):
    from huggingface_hub import get_session
    from huggingface_hub.utils import are_progress_bars_disabled

    get_session().timeout = httpx.Timeout(3)
    ae.load("hf:me/ae")
    refused(lambda: ae.load("hf:me/b"))
    assert get_session().timeout == httpx.Timeout(3)
    assert not are_progress_bars_disabled()
    assert Path(get_session().base_url.path) == Path("/")
