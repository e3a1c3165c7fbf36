"""What killed processes left next to a target is removed by the next one that writes it."""

import os

import numpy as np
import pytest
from PIL import Image

from autoencode.explorer import page
from autoencode.io.folders import sweep_beside
from autoencode.report import save_picture
from autoencode.use.files import array_to, arrays_to, folder_to, rows_to


def write_rows(out):
    with rows_to(out) as rows:
        rows.add({"z": np.zeros(2)})


def write_array(out):
    with array_to(out) as array:
        array.add(np.zeros((2, 3)))


def write_arrays(out):
    with arrays_to(out) as arrays:
        arrays["z"].add(np.zeros((2, 3)))


def write_folder(out):
    with folder_to(out) as folder:
        folder.write("a/b.png", b"x")


def write_explorer(out):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(page, "page_payload", lambda *_: None)
        patch.setattr(page, "html", lambda *_: "x")
        patch.setattr(page, "title_of", lambda *_: "x")
        page.write_explorer([], out)


WRITERS = {
    "codes.csv": write_rows,
    "codes.parquet": write_rows,
    "codes.npy": write_array,
    "codes.npz": write_arrays,
    "images": write_folder,
    "pairs.png": lambda out: save_picture(Image.new("L", (2, 2)), out),
    "page.html": write_explorer,
    "odd [a-z]+(.csv": lambda out: write_rows(out.with_suffix(".csv")),
}


@pytest.mark.parametrize("name", WRITERS)
def test_what_killed_processes_left_of_a_target_is_removed(tmp_path, dead, name):
    own = os.getpid()  # containers give the same number again
    for number in (dead, own):
        for ending in (".tmp", ".tmp.parts"):
            if name == "images" or ending == ".tmp.parts":
                (tmp_path / f"{name}.{number}{ending}" / "a").mkdir(parents=True)
                (tmp_path / f"{name}.{number}{ending}" / "a" / "b.png").write_bytes(b"half")
            else:
                (tmp_path / f"{name}.{number}{ending}").write_bytes(b"half")
    WRITERS[name](tmp_path / name)
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_everything_else_stays(tmp_path, dead):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "a.txt").write_text("mine")
    stays = (
        *(f"other.csv.{dead}.tmp", f"codes.csv{dead}.tmp", f"codes.csv.{dead}.tmp.txt"),
        *("codes.csv.tmp", "codes.csv.parts", f"codes.csv.{dead}.parts", "codes.csv.x.tmp"),
        *(f"codes.csv.{os.getppid()}.tmp", "codes.csv.1.tmp", f"codes_csv.{dead}.tmp"),
        *(f"codes.csv.{10**12}.tmp", f"codes.csv.{dead}.tmp.parts.parts"),
        f"a.codes.csv.{dead}.tmp",
    )  # fmt: skip
    for name in stays:
        (tmp_path / name).write_text("kept")
    (tmp_path / f"codes.csv.{dead}.tmp").symlink_to(tmp_path / "mine")
    os.mkfifo(tmp_path / f"codes.csv.{dead}.tmp.parts")
    before = sorted(path.name for path in tmp_path.iterdir())
    sweep_beside(tmp_path / "codes.csv")
    assert sorted(path.name for path in tmp_path.iterdir()) == before
    assert (tmp_path / "mine" / "a.txt").read_text() == "mine"


def test_a_link_in_a_left_folder_leads_nowhere(tmp_path, dead):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "a.txt").write_text("mine")
    left = tmp_path / f"images.{dead}.tmp"
    left.mkdir()
    (left / "link").symlink_to(tmp_path / "mine")
    sweep_beside(tmp_path / "images")
    assert not left.exists()
    assert (tmp_path / "mine" / "a.txt").read_text() == "mine"


def test_a_folder_that_is_missing_is_no_fault(tmp_path):
    sweep_beside(tmp_path / "none" / "codes.csv")
    write_rows(tmp_path / "none" / "codes.csv")
    assert (tmp_path / "none" / "codes.csv").exists()
