"""The explorer in a notebook, as a frame and as a widget."""

import builtins
from html import unescape

import pytest
import torch
import traitlets

import autoencode as ae
from autoencode.errors import AutoencodeError
from autoencode.models.recipes.table import RECIPES
from autoencode.train import fit


@pytest.fixture(scope="module")
def explorer(digits, tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    for name, latent in (("ae", 2), ("vae", 3)):
        recipe = RECIPES[name].set("network.hidden", (16,)).but(sampler=None)
        fit(
            recipe,
            digits,
            latent=latent,
            steps=5,
            batch_size=50,
            progress=False,
            out=folder / name,
        )
    return ae.Explorer(folder / "ae", str(folder / "vae"), data=digits, points=50, height=500)


@pytest.mark.long
def test_a_frame_contains_the_page_and_is_sandboxed(explorer):
    frame = explorer._repr_html_()
    assert explorer.html in unescape(frame)
    assert 'sandbox="allow-scripts allow-downloads"' in frame
    assert "allow-same-origin" not in frame
    assert "height: 500px" in frame


@pytest.mark.long
def test_a_widget_contains_the_page(explorer):
    widget = explorer.widget()
    assert widget._page == explorer.html
    assert (widget.height, widget.codes, widget.selected) == (500, [], [])
    synced = {name for name in widget.keys if widget.trait_metadata(name, "sync")}
    assert {"_page", "_title", "height", "selected", "codes", "pins"} <= synced


@pytest.mark.long
def test_arrays_and_tensors_become_lists(explorer):
    widget = explorer.widget()
    changes = []
    widget.observe(changes.append, "selected")
    widget.selected = torch.tensor([3, 5])
    widget.codes = [torch.tensor([0.5, 1.0]), torch.zeros(3).numpy()]
    widget.pins = [torch.ones(2, 2), []]
    assert widget.selected == [3, 5]
    assert widget.codes == [[0.5, 1.0], [0.0, 0.0, 0.0]]
    assert widget.pins == [[[1.0, 1.0], [1.0, 1.0]], []]
    assert [change["new"] for change in changes] == [[3, 5]]


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("codes", [[1.0, 2.0]]),
        ("codes", [[1.0, 2.0, 3.0], [1.0, 2.0]]),
        ("pins", [[[1.0]], []]),
    ],
)
@pytest.mark.long
def test_codes_of_the_wrong_length_are_refused(explorer, name, wrong):
    widget = explorer.widget()
    with pytest.raises(traitlets.TraitError, match="one list per model, with codes of length"):
        setattr(widget, name, wrong)
    assert getattr(widget, name) == []


def test_without_anywidget_names_what_to_install(explorer, monkeypatch):
    real = builtins.__import__

    def without(name, *rest):
        if name.startswith("anywidget") or name == "autoencode.explorer.widget":
            raise ImportError(name)
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(AutoencodeError, match="anywidget") as refused:
        explorer.widget()
    assert "autoencode[notebook]" in str(refused.value)
