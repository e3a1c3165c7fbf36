"""Fixtures of the tests and of the examples in docstrings."""

import importlib.util
import time
import types
from pathlib import Path

import pytest
from _pytest.doctest import DoctestItem

# Examples that take seconds: an export is compared with its model, pages are complete.
LONG = ("use.export.export", "report.pages.report.write_report", "explorer.notebook.Explorer")


def pytest_collection_modifyitems(items):
    """Marks the long examples."""
    for item in items:
        if isinstance(item, DoctestItem) and item.name.endswith(LONG):
            item.add_marker(pytest.mark.long)


@pytest.fixture(autouse=True)
def _examples_have_their_own_folder(request, tmp_path_factory, monkeypatch):
    """An example in a docstring may write files, and those of the hub meet a stand-in."""
    if isinstance(request.node, DoctestItem):
        monkeypatch.chdir(tmp_path_factory.mktemp("example"))
        if "autoencode.use.hub." in request.node.name:
            request.getfixturevalue("hub")


@pytest.fixture(scope="session")
def hub_standin():
    """The module `hub_standin.py`."""
    path = Path(__file__).parent / "tests" / "hub_standin.py"
    spec = importlib.util.spec_from_file_location("hub_standin", path)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    assert spec.loader is not None
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def hub(hub_standin, monkeypatch, tmp_path_factory):
    """A local stand-in of the hub, which the client in this process uses, with a token to write."""
    import huggingface_hub
    from huggingface_hub import constants

    server = hub_standin.Hub()
    home = tmp_path_factory.mktemp("hub-home")
    resolve = server.address + "/{repo_id}/resolve/{revision}/{filename}"
    monkeypatch.setattr(constants, "ENDPOINT", server.address)
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", resolve)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(home / "hub"))
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(home / "token"))
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
    quick = types.ModuleType("time")
    quick.__dict__.update({**vars(time), "sleep": lambda seconds: None})
    monkeypatch.setattr("huggingface_hub.utils._http.time", quick)
    monkeypatch.setattr("huggingface_hub.file_download.time", quick)
    monkeypatch.setenv("HF_TOKEN", hub_standin.WRITER)
    yield server
    huggingface_hub.close_session()
    server.close()
