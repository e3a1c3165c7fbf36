"""Labels for a folder of images from a table or an array, and labels that are not known."""

import numpy as np
import pytest
import torch
from PIL import Image

from autoencode.data import load_data
from autoencode.data.load import load_new, read
from autoencode.data.options import Options
from autoencode.data.storage import MemoryStorage
from autoencode.errors import DataError

N = 24
KINDS = ["cat", "dog", "ant"]


def kind(i):
    return KINDS[i * 7 % 3]


@pytest.fixture
def flat(tmp_path):
    """0.png to 23.png, whose pixels are 10 · i."""
    (tmp_path / "flat").mkdir()
    for i in range(N):
        Image.fromarray(np.full((2, 2), 10 * i, np.uint8)).save(tmp_path / "flat" / f"{i}.png")
    return tmp_path / "flat"


@pytest.fixture
def divided(tmp_path):
    """train/x/0.png …, test/x/18.png …, with the same pixels."""
    for i in range(N):
        part = tmp_path / "divided" / ("train" if i < 18 else "test") / "xy"[i % 2]
        part.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((2, 2), 10 * i, np.uint8)).save(part / f"{i}.png")
    return tmp_path / "divided"


def labelled(source, **options):
    """The label of each image by the number that its pixels hold, and the notices."""
    raw = read(source, Options(**options), MemoryStorage(reuse=True))
    found = {}
    for x, y in raw.parts.values():
        for image, label in zip(x, y, strict=True):
            label = raw.classes[label] if raw.classes and label >= 0 else label
            found[int(image[0, 0]) // 10] = label
    return found, " ".join(raw.notices)


def table(tmp_path, head, row, numbers=range(N), name="labels.csv", encoding="utf-8"):
    lines = [head] * bool(head) + [row(i) for i in reversed(numbers)]
    (tmp_path / name).write_text("\n".join(lines) + "\n", encoding=encoding)
    return tmp_path / name


WANTED = {i: kind(i) for i in range(N)}


@pytest.mark.parametrize(
    ("head", "row", "stated"),
    [
        ("file,label", lambda i: f"{i}.png,{kind(i)}", "matched by path"),
        ("filename,class", lambda i: f"photos/{i}.png,{kind(i)}", "matched by file name."),
        ("label;Image", lambda i: f"{kind(i)};{i}.png", "matched by path"),
        ("id\ttarget\twidth", lambda i: f"{i}\t{kind(i)}\t2", "file name without ending"),
        ("Image Name,species,x,y", lambda i: f'"{i}.jpg", {kind(i)},"a,b",', "without ending"),
        ("a,b", lambda i: f"{i}.png,{kind(i)}", "column a is the file, and the other one"),
        ("", lambda i: f"{i}.png,{kind(i)}", "has no header; its first column is the file"),
        ("label,photo", lambda i: f"{kind(i)},./{i}.png", "column photo is the file"),
        ("path,category", lambda i: rf"C:\photos\{i}.png,{kind(i)}", "matched by file name."),
    ],
)
def test_tables_give_labels_by_file(flat, tmp_path, head, row, stated):
    found, notices = labelled(flat, labels=table(tmp_path, head, row))
    assert found == WANTED
    assert stated in notices


@pytest.mark.parametrize("row", ["train/x/{}.png", "{}.png", "{}"])
def test_tables_give_labels_to_parts(divided, tmp_path, row):
    def line(i):
        name = row.format(i)
        if "train" in name:
            name = f"{'train' if i < 18 else 'test'}/{'xy'[i % 2]}/{i}.png"
        return f"{name},{kind(i)}"

    found, notices = labelled(divided, labels=table(tmp_path, "file,label", line))
    assert found == WANTED
    assert "the folders are not used as labels" in notices


def test_columns_of_unknown_names_are_named_by_options(flat, tmp_path):
    path = table(tmp_path, "a,b,c", lambda i: f"{i % 5},{i}.png,{kind(i)}")
    with pytest.raises(DataError, match=r"columns a, b, c.*--id COLUMN"):
        labelled(flat, labels=path)
    with pytest.raises(DataError, match=r"label is not clear.*--label COLUMN"):
        labelled(flat, labels=path, id="b")
    assert labelled(flat, labels=path, id="b", label="c")[0] == WANTED
    with pytest.raises(DataError, match="has no column d"):
        labelled(flat, labels=path, id="d")


def test_byte_order_marks_and_empty_lines_are_no_rows(flat, tmp_path):
    path = table(tmp_path, "file,label", lambda i: f"{i}.png,{kind(i)}\n", encoding="utf-8-sig")
    assert labelled(flat, labels=path)[0] == WANTED


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        (
            lambda i: "" if i in (3, 7) else f"{i}.png,cat",
            "2 of 24 files have no row: 3.png, 7.png",
        ),
        (lambda i: f"{i}.png,cat" + "\nx.png,dog" * (i == 2), "1 of 25 rows have no file: x.png"),
        (lambda i: f"{i % 23}.png,{i}", "two labels for 0.png: 23 and 0"),
        (lambda i: f"{i}.png,cat" + ",more" * (i == 4), "has 3 cells, and the first has 2"),
    ],
)
def test_rows_that_do_not_fit_the_files_are_refused(flat, tmp_path, rows, words):
    with pytest.raises(DataError) as caught:
        labelled(flat, labels=table(tmp_path, "file,label", rows))
    assert words in str(caught.value)


def test_equal_names_in_two_folders_need_paths(divided, tmp_path):
    (divided / "test" / "x" / "18.png").rename(divided / "test" / "x" / "2.png")
    path = table(tmp_path, "file,label", lambda i: f"{i}.png,{kind(i)}")
    with pytest.raises(DataError, match=r"several files, such as 2.png. .* such as train/x/2.png"):
        labelled(divided, labels=path)


@pytest.mark.parametrize("content", [b"", b"\n\n", b"file,label\n\xff\xfe,1\n"])
def test_tables_that_are_none_are_refused(flat, tmp_path, content):
    (tmp_path / "bad.csv").write_bytes(content)
    with pytest.raises(DataError, match=r"bad\.csv"):
        labelled(flat, labels=tmp_path / "bad.csv")


def test_rows_of_files_that_were_skipped_are_no_error(flat, tmp_path):
    (flat / "5.png").write_bytes(b"broken")
    path = table(tmp_path, "file,label", lambda i: f"{i}.png,{kind(i)}")
    found, _ = labelled(flat, labels=path, on_bad="skip", max_bad=0.1)
    assert found == {i: kind(i) for i in range(N) if i != 5}


@pytest.mark.parametrize("form", ["array", "npy", "npz alone", "npz y", "npz labels", "csv"])
def test_labels_in_order_are_those_of_the_natural_order(flat, tmp_path, form):
    y = np.arange(N)
    labels = {"array": y, "csv": tmp_path / "y.csv"}.get(form, tmp_path / f"y.{form[:3]}")
    if form == "npy":
        np.save(labels, y)
    elif form == "csv":
        labels.write_text("label\n" + "\n".join(map(str, y)))
    elif form != "array":
        names = {"npz alone": {"what": y}, "npz y": {"x": y[::-1], "y": y}}
        np.savez(labels, **names.get(form, {"Labels": y, "ids": y[::-1]}))
    raw = read(flat, Options(labels=labels), MemoryStorage(reuse=True))
    x, found = raw.parts["all"]
    assert [int(v) for v in found] == (x[:, 0, 0] // 10).tolist() == [*range(N)]
    assert "natural order, from 0.png to 23.png" in " ".join(raw.notices)


def test_an_npz_without_a_name_of_labels_is_refused(flat, tmp_path):
    np.savez(tmp_path / "y.npz", a=np.arange(N), b=np.arange(N))
    with pytest.raises(DataError, match="contains a, b, and which are the labels is not clear"):
        labelled(flat, labels=tmp_path / "y.npz")


def test_a_table_by_file_for_examples_without_names_is_refused(tmp_path):
    np.save(tmp_path / "x.npy", np.zeros((N, 2)))
    path = table(tmp_path, "file,label", lambda i: f"{i}.png,{kind(i)}")
    with pytest.raises(DataError, match="have no names"):
        load_data(tmp_path / "x.npy", labels=path)


def test_labels_of_a_table_load_again_and_from_files(flat, tmp_path):
    path = table(tmp_path, "file,label", lambda i: f"{i}.png,{kind(i)}")
    data = load_data(flat, labels=path)
    assert load_data(data.source, **data.options).fingerprint == data.fingerprint
    mapped = load_data(flat, labels=path, memory="map")
    assert mapped.fingerprint == data.fingerprint
    table(tmp_path, "file,label", lambda i: f"{i}.png,{kind(i + 1)}")
    assert load_data(flat, labels=path, memory="map").fingerprint != data.fingerprint


# Labels of 40 examples of which every fourth is unknown.
KNOWN = np.arange(40) % 4 > 0
NUMBERS = np.arange(40) % 2 + 3


@pytest.mark.parametrize(
    ("labels", "classes"),
    [
        (np.where(KNOWN, NUMBERS, -1), ("3", "4")),
        (np.where(KNOWN, NUMBERS, -1).astype(np.int8), ("3", "4")),
        (np.where(KNOWN, NUMBERS, np.nan), ("3", "4")),
        (np.where(KNOWN, NUMBERS.astype(object), None), ("3", "4")),
        (np.where(KNOWN, NUMBERS.astype(str), ""), ("3", "4")),
        (np.where(KNOWN, NUMBERS.astype(str), "-1"), ("3", "4")),
        ([str(v) if k else None for k, v in zip(KNOWN, NUMBERS, strict=True)], ("3", "4")),
        ([str(v) if k else np.nan for k, v in zip(KNOWN, NUMBERS, strict=True)], ("3", "4")),
        (np.where(KNOWN, NUMBERS.astype(str), "").astype("S"), ("3", "4")),
        (torch.from_numpy(np.where(KNOWN, NUMBERS, -1.0)), ("3", "4")),
    ],
)
def test_unknown_labels_are_no_class(labels, classes):
    x = np.linspace(0, 1, 80).reshape(40, 2)
    data = load_data((x, labels))
    assert data.classes == classes
    assert "The labels of 10 of 40 examples are unknown (−1, NaN or empty)." in data.notices
    for part in (data.train, data.validation, data.test):
        at = [int(np.abs(x[:, 0] - value).argmin()) for value in part.x[:, 0].numpy()]
        assert part.y.tolist() == np.where(KNOWN, NUMBERS - 3, -1)[at].tolist()


@pytest.mark.parametrize("blank", ["", "-1", "nan", "NaN"])
def test_empty_cells_are_unknown(flat, tmp_path, blank):
    path = table(tmp_path, "file,label", lambda i: f"{i}.png,{kind(i) if i % 2 else blank}")
    data = load_data(flat, labels=path)
    assert data.classes == ("ant", "cat", "dog")
    assert "The labels of 12 of 24 examples are unknown (−1, NaN or empty)." in data.notices
    for part in (data.train, data.validation, data.test):
        for image, label in zip(part.x, part.y.tolist(), strict=True):
            i = int(image[0, 0]) // 10
            assert (data.classes[label] if label >= 0 else "") == (kind(i) if i % 2 else "")


def test_minus_one_beside_one_is_stated():
    x = np.linspace(0, 1, 80).reshape(40, 2)
    notices = load_data((x, np.where(KNOWN, 1, -1))).notices
    assert any("labels + 1" in notice for notice in notices)


def test_no_known_label_at_all_is_refused_and_can_be_left_out():
    x = np.linspace(0, 1, 80).reshape(40, 2)
    with pytest.raises(DataError, match=r"No label is known.*no_labels=True"):
        load_data((x, np.full(40, -1)))
    assert load_data((x, np.full(40, -1)), no_labels=True).train.y is None


def test_labels_are_kept_among_the_known_ones():
    x = np.random.default_rng(0).random((400, 2))
    y = np.where(np.arange(400) < 40, np.arange(400) % 2, -1)
    for seed in range(3):
        data = load_data((x, y), labelled=10, seed=seed)
        assert (data.train.y >= 0).sum() == 10
        assert torch.bincount(data.train.y[data.train.y >= 0]).tolist() == [5, 5]
    with pytest.raises(DataError, match="training examples with a label"):
        load_data((x, y), labelled=200)


def test_a_part_without_any_known_label_is_allowed(flat):
    x = np.linspace(0, 1, 80).reshape(40, 2)
    data = load_data(((x[:30], np.arange(30) % 2), (x[30:], np.full(10, -1))))
    assert data.test.y.tolist() == [-1] * 10
    assert "The labels of 10 of 10 (test) examples are unknown (−1, NaN or empty)." in data.notices


def test_new_data_may_have_unknown_labels():
    x = np.linspace(0, 1, 80).reshape(40, 2)
    data = load_data((x, np.arange(40) % 2))
    new = load_new((x, np.where(KNOWN, 1, -1)), data.preprocessing)
    assert new.test.y.tolist() == np.where(KNOWN, 1, -1).tolist()
