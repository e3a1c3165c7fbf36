"""A page that follows a training."""

import pytest

from autoencode.errors import RunError
from autoencode.explorer.server import ExplorerServer
from autoencode.explorer.watch import Watch
from autoencode.models.recipes.table import RECIPES
from autoencode.models.run import open_run
from autoencode.models.snapshots import save_snapshot, snapshot_steps
from autoencode.train import fit

SETTINGS = {"steps": 8, "batch_size": 50, "progress": False}
SMALL = RECIPES["vae"].set("network.hidden", (16,))


@pytest.mark.long
def test_shows_each_new_snapshot(digits, tmp_path):
    fitted = fit(SMALL, digits, snapshots=3, out=tmp_path / "run", **SETTINGS)
    run = open_run(tmp_path / "run")
    watch = Watch([run], 50, digits)
    page, models = watch.page()
    assert watch.shown[0].stem == f"{snapshot_steps(8, 3)[-1]:09d}"
    with ExplorerServer(page, models) as server:
        before = server.version
        assert not watch.renew(server)
        assert server.version == before
        save_snapshot(run.folder, fitted.model, 9)
        assert watch.renew(server)
        assert server.version != before
        assert server.page != page.encode()


def test_a_run_without_snapshots_is_refused(digits, tmp_path):
    fit(SMALL, digits, out=tmp_path / "run", **SETTINGS)
    with pytest.raises(RunError, match="has no snapshots"):
        Watch([open_run(tmp_path / "run")], 50, digits)
