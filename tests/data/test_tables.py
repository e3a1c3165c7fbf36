import ast
import datetime
import gzip
import json
import re
import shlex
import subprocess
import sys
from decimal import Decimal

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from autoencode.data import check_source, load_data, load_new
from autoencode.data.load import read
from autoencode.data.options import Options
from autoencode.data.storage import MemoryStorage
from autoencode.errors import DataError

R = np.random.default_rng(0)
N = 30
AGE = R.integers(18, 90, N)
HEIGHT = R.normal(1.7, 0.1, N).round(3)
CITY = R.choice(["Bern", "Oslo", "São Paulo"], N)
TABLE = pd.DataFrame({"age": AGE, "height": HEIGHT, "city": CITY})
CODES = np.unique(CITY, return_inverse=True)[1]
VALUES = np.stack([AGE, HEIGHT, CODES], 1).astype(float)
KINDS = {"age": "numeric", "height": "numeric", "city": "categorical"}


def raw(source, **options):
    return read(source, Options(**options), MemoryStorage(reuse=True))


def said(found):
    return "\n".join(found.notices)


def kinds(found):
    return {column.name: column.kind for column in found.columns}


def refusal(source, **options):
    with pytest.raises(DataError) as caught:
        load_data(source, **options)
    return caught.value


def fixes(error):
    """The options in a fix, as Python and as the command line write them."""
    python = {
        name: ast.literal_eval(value)
        for name, value in re.findall(
            r"\b(columns|id|label|scale)=(\[.*?\]|'.*?'(?=\)))", error.fix
        )
    }
    for name, value in re.findall(r"--(\w+) ('.*?'|[^ ]+) \(", error.fix):
        (written,) = shlex.split(value)
        assert Options(**{name: written}) == Options(**{name: python[name]})
    return python


def write(path, text, encoding="utf-8"):
    path.write_bytes(text.encode(encoding))
    return path


# Files

COMMA = TABLE.to_csv(index=False)
TAB = TABLE.to_csv(index=False, sep="\t")
SEMICOLON = TABLE.to_csv(index=False, sep=";", decimal=",")
ROW_NAMES = COMMA.splitlines()
ROW_NAMES = "\n".join([ROW_NAMES[0], *(f"r{i},{line}" for i, line in enumerate(ROW_NAMES[1:]))])
DIALECTS = {
    "comma": (COMMA, "utf-8", ""),
    "tab": (TAB, "utf-8", "separated by tabs"),
    "semicolon and decimal comma": (SEMICOLON, "utf-8", "decimal commas"),
    "semicolon and point": (TABLE.to_csv(index=False, sep=";"), "utf-8", "separated by semicolons"),
    "bar": (TABLE.to_csv(index=False, sep="|"), "utf-8", "separated by vertical bars"),
    "byte order mark": (COMMA, "utf-8-sig", ""),
    "latin-1": (COMMA, "latin-1", "not in UTF-8"),
    "utf-16": (TAB, "utf-16", "read as utf-16"),
    "carriage returns": (COMMA.replace("\n", "\r\n"), "utf-8", ""),
    "carriage returns alone": (COMMA.replace("\n", "\r"), "utf-8", ""),
    "quoted": (TABLE.to_csv(index=False, quoting=1), "utf-8", ""),
    "spaces": (COMMA.replace(",", " ,  "), "utf-8", "Spaces around"),
    "comments": ("# made by hand\n\n" + COMMA, "utf-8", "start with #"),
    "blank lines": (COMMA.replace("\n", "\n\n"), "utf-8", ""),
    "no last line feed": (COMMA.rstrip("\n"), "utf-8", ""),
    "trailing delimiter": (COMMA.replace("\n", ",\n"), "utf-8", "has no name and is empty"),
    "trailing delimiter of rows": (
        COMMA.replace("\n", ",\n").replace(",\n", "\n", 1),
        "utf-8",
        "is empty",
    ),
    "written index": (TABLE.to_csv(), "utf-8", "counts the rows"),
    "names of rows": (ROW_NAMES, "utf-8", "gives the names of the rows"),
}


@pytest.mark.parametrize("name", DIALECTS)
def test_every_dialect_gives_the_same_table(tmp_path, name):
    text, encoding, notice = DIALECTS[name]
    found = raw(write(tmp_path / "t.csv", text, encoding), no_labels=True)
    assert kinds(found) == KINDS
    assert found.columns[2].categories == ("Bern", "Oslo", "São Paulo")
    np.testing.assert_array_equal(found.parts["all"][0], VALUES)
    assert notice in said(found)
    assert notice or not found.notices
    assert found.names["all"][3] == ("r3" if name == "names of rows" else "row 3")


@pytest.mark.parametrize("suffix", ["csv.gz", "tsv", "txt", "data", "CSV"])
def test_suffixes_of_text(tmp_path, suffix):
    path = tmp_path / f"t.{suffix}"
    text = (TAB if suffix == "tsv" else COMMA).encode()
    path.write_bytes(gzip.compress(text) if suffix.endswith("gz") else text)
    np.testing.assert_array_equal(raw(path).parts["all"][0], VALUES)
    assert load_data(path).name == "t"


def test_quoted_cells_hold_delimiters_quotes_and_line_feeds(tmp_path):
    cells = ['a,"b"\nc', "d;e", "d;e"] * 4
    table = pd.DataFrame({"x, y": range(0, 24, 2), "t": cells})
    path = tmp_path / "t.csv"
    table.to_csv(path, index=False)
    found = raw(path)
    assert kinds(found) == {"x, y": "numeric", "t": "categorical"}
    assert found.columns[1].categories == ('a,"b"\nc', "d;e")


@pytest.mark.parametrize("suffix", ["parquet", "pq", "bin"])
def test_parquet(tmp_path, suffix):
    TABLE.to_parquet(tmp_path / f"t.{suffix}")
    found = raw(tmp_path / f"t.{suffix}")
    assert kinds(found) == KINDS
    np.testing.assert_array_equal(found.parts["all"][0], VALUES)


@pytest.mark.parametrize(
    ("text", "names", "rows"),
    [
        ("5.1,3.5,a\n4.9,3.0,b\n4.7,3.2,a\n", ["x1", "x2", "x3"], 3),
        ("1,7\n3,5\n2,6\n", ["x1", "x2"], 3),
        ("0,1,2\n200,30,77\n12,0,255\n", ["0", "1", "2"], 2),
        ("place,2019,2020\na,3.5,7\nb,1.5,9\n", ["place", "2019", "2020"], 2),
        ("850.5,900.1,1000\n0.1,0.2,0.3\n0.3,0.1,0.2\n", ["850.5", "900.1", "1000"], 2),
        ("# a b\n0.1 0.2\n0.3 0.1\n", ["a", "b"], 2),
        ("#a,b\n1,2\n3,4\n", ["a", "b"], 2),
        ("0.1 0.2\n0.3 0.1\n0.2 0.2\n", ["x1", "x2"], 3),
        ("only\n3\n4\n", ["only"], 2),
    ],
)
def test_header(tmp_path, text, names, rows):
    found = raw(write(tmp_path / "t.csv", text))
    assert [column.name for column in found.columns] == names
    assert len(found.parts["all"][0]) == rows
    assert ("no line with names" in said(found)) == (names[0] == "x1")


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("", "is empty"),
        ("\n\n", "is empty"),
        ("a,b\n", "no rows below its header"),
        ("a,b\n1,2\n3\n4,5\n", "line 3 has 1 cells instead of 2"),
        ("a,b\n1,2\n3,4\n4,5,6\n", "line 4 has 3 cells instead of 2"),
        ("PK\3\4", "no text file"),
        ("a,b\n1,\0\n", "no text file"),
    ],
)
def test_broken_files_are_refused(tmp_path, text, word):
    assert word in str(refusal(write(tmp_path / "t.csv", text)))


def test_other_files_are_refused_with_what_to_do(tmp_path):
    assert "Save it as .csv" in str(refusal(write(tmp_path / "t.xlsx", "PK\3\4")))
    assert "is damaged" in str(refusal(write(tmp_path / "t.parquet", "PAR1 and no more")))
    texts = pa.array(["blue", "reddish", "green"] * 20)
    pq.write_table(
        pa.table({"colour": texts}),
        tmp_path / "u.parquet",
        compression="none",
        use_dictionary=False,
    )
    content = (tmp_path / "u.parquet").read_bytes()
    assert b"reddish" in content
    (tmp_path / "u.parquet").write_bytes(content.replace(b"reddish", b"red\xa0ish"))
    assert "is damaged" in str(refusal(tmp_path / "u.parquet"))
    (tmp_path / "cut.csv.gz").write_bytes(gzip.compress(COMMA.encode())[:40])
    assert "is damaged" in str(refusal(tmp_path / "cut.csv.gz"))


@pytest.mark.parametrize("package", ["pandas", "pyarrow"])
def test_a_missing_package_is_named_with_how_to_install_it(tmp_path, monkeypatch, package):
    monkeypatch.setitem(sys.modules, package, None)
    error = refusal(write(tmp_path / "t.csv", COMMA))
    assert f"need {package}" in error.what
    assert 'pip install "autoencode[tables]"' in error.fix


# Python objects

DATE = datetime.date(2024, 1, 1)
TYPES = {
    "int8": (pd.array([1, 2, 3], "int8"), "numeric", [1, 2, 3]),
    "Int64": (pd.array([1, None, 3], "Int64"), "numeric", [1, np.nan, 3]),
    "float32": (np.float32([0.5, np.nan, 3]), "numeric", [0.5, np.nan, 3]),
    "Float64": (pd.array([0.5, None, 3], "Float64"), "numeric", [0.5, np.nan, 3]),
    "double[pyarrow]": (pd.array([0.5, None, 3], "double[pyarrow]"), "numeric", [0.5, np.nan, 3]),
    "decimals": ([Decimal("0.5"), None, Decimal(3)], "numeric", [0.5, np.nan, 3]),
    "objects": (pd.Series([1, None, 3.5], dtype=object), "numeric", [1, np.nan, 3.5]),
    "sparse": (pd.arrays.SparseArray([0.0, 0.0, 3.0]), "numeric", [0, 0, 3]),
    "bool": ([True, False, True], ("False", "True"), [1, 0, 1]),
    "boolean": (pd.array([True, None, False], "boolean"), ("False", "True"), [1, np.nan, 0]),
    "bool[pyarrow]": (pd.array([True, False, None], "bool[pyarrow]"), ("False", "True"), None),
    "bool objects": (pd.Series([True, None, False], dtype=object), ("False", "True"), None),
    "category": (pd.Categorical(["b", None, "a"]), ("a", "b"), [1, np.nan, 0]),
    "category of numbers": (pd.Categorical([10, 9, None]), ("9", "10"), [1, 0, np.nan]),
    "unused category": (pd.Categorical(["b", "b", "a"], ["c", "b", "a"]), ("a", "b"), [1, 1, 0]),
    "str": (["b", None, "a"], ("a", "b"), [1, np.nan, 0]),
    "string[pyarrow]": (pd.array(["b", None, "a"], "string[pyarrow]"), ("a", "b"), [1, np.nan, 0]),
    "numbers as text": (["1", "07", "1"], ("1", "07"), [0, 1, 0]),
    "mixed": ([1, "a", None], ("1", "a"), [0, 1, np.nan]),
    "dates": (pd.to_datetime(["2024-01-01"] * 3), "holds dates", None),
    "datetime with zone": (pd.date_range("2024", periods=3, tz="UTC"), "holds dates", None),
    "date objects": ([DATE] * 3, "holds dates", None),
    "date32": (pd.array([DATE] * 3, pd.ArrowDtype(pa.date32())), "holds dates", None),
    "timedelta": (pd.to_timedelta([1, 2, 3], "s"), "holds dates or times", None),
    "period": (pd.period_range("2024", periods=3), "holds dates", None),
    "complex": ([1j, 2j, 3j], "complex", None),
    "lists": ([[1], [2], [3]], "objects (list)", None),
    "bytes": ([b"a", b"b", b"a"], "bytes", None),
    "interval": (pd.interval_range(0, 3), "type interval", None),
    "nothing": ([None, None, None], "only missing values", None),
    "empty text": (["", "NA", "?"], "only missing values", None),
}


@pytest.mark.parametrize("name", TYPES)
def test_types_of_columns(name):
    cells, kind, values = TYPES[name]
    table = pd.DataFrame({"a": [0.5, 1.5, 4.0], "x": cells})
    if isinstance(kind, str) and kind != "numeric":
        error = refusal(table)
        assert f"olumn x {kind}" in error.what or kind in error.what
        assert fixes(error)["columns"] == ["a"]
        load_data(table, columns="a")
        return
    found = raw(table)
    column = found.columns[1]
    assert column.kind == ("numeric" if kind == "numeric" else "categorical")
    assert column.categories == (() if kind == "numeric" else kind)
    if values is not None:
        np.testing.assert_array_equal(found.parts["all"][0][:, 1], values)


class OfAnotherLibrary:
    """A table that shows its columns by the protocol of Arrow, as polars does."""

    def __init__(self, table):
        self.table, self.columns = table, table.column_names

    def __arrow_c_stream__(self, schema=None):
        return self.table.__arrow_c_stream__(schema)


OfAnotherLibrary.__module__ = "polars.dataframe.frame"


@pytest.mark.parametrize(
    "source",
    [
        TABLE,
        pa.table(TABLE),
        OfAnotherLibrary(pa.table(TABLE)),
        TABLE.to_records(index=False),
        {name: TABLE[name].to_numpy() for name in TABLE},
        {name: TABLE[name].tolist() for name in TABLE},
        TABLE.rename(columns=lambda name: f" {name}"),
    ],
    ids=["pandas", "pyarrow", "polars", "structured", "arrays", "lists", "spaces"],
)
def test_objects_that_are_tables(source):
    found = raw(source)
    assert kinds(found) == KINDS
    np.testing.assert_array_equal(found.parts["all"][0], VALUES)


def test_one_column_alone_is_refused_and_as_a_table_accepted():
    for one in (TABLE["age"], pa.chunked_array([[1, 2]])):
        assert "one column and no table" in str(refusal(one))
    assert load_data(TABLE["age"].to_frame()).shape == (1,)
    assert "no rows" in str(refusal(TABLE[:0]))
    assert "no column" in str(refusal(pd.DataFrame(index=range(4))))


def test_the_index_of_a_frame_names_its_rows():
    assert raw(TABLE.set_index(pd.Index([f"p{i}" for i in range(N)]))).names["all"][2] == "p2"
    assert raw(TABLE[10:]).names["all"][0] == "row 0"
    assert raw(TABLE[TABLE.age > 50]).names["all"][0] == f"row {np.flatnonzero(AGE > 50)[0]}"
    assert raw(pd.concat([TABLE, TABLE])).names["all"][N] == f"row {N}"


def test_the_frame_of_the_caller_is_left_as_it_is():
    before = TABLE.copy(deep=True)
    load_data(TABLE, scale="robust", id="city")
    pd.testing.assert_frame_equal(TABLE, before)


# Parts

Y = np.array(["no", "yes"])[AGE % 2]
HALVES = (TABLE[:20], TABLE[20:])


@pytest.mark.parametrize("kind", ["csv", "parquet", "pairs", "mapping", "keys", "folder"])
def test_parts(tmp_path, kind):
    train, test = (t.assign(y=y) for t, y in zip(HALVES, (Y[:20], Y[20:]), strict=True))
    options, source = {"label": "y"}, tmp_path
    if kind == "pairs":
        options, source = {}, ((HALVES[0], Y[:20]), (HALVES[1], Y[20:]))
    elif kind == "keys":
        options = {}
        names = ("x_train", "y_train", "x_test", "y_test")
        source = dict(zip(names, (HALVES[0], Y[:20], HALVES[1], Y[20:]), strict=True))
    elif kind == "mapping":
        source = {"train": train, "test": test}
    else:
        form = "csv" if kind == "folder" else kind
        for name, table in (("test", test), ("train", train)):
            write_to = table.to_parquet if form == "parquet" else table.to_csv
            write_to(tmp_path / f"{name}.{form}", index=False)
        write(tmp_path / "readme.md", "words")
        (tmp_path / ".hidden").mkdir()
    data = load_data(source, **options)
    assert len(data.test) == 10
    assert len(data.train) + len(data.validation) == 20
    assert data.classes == ("no", "yes")
    assert (data.test.y.numpy() == AGE[20:] % 2).all()
    assert data.preprocessing.columns[2].categories == ("Bern", "Oslo", "São Paulo")
    back = data.preprocessing.inverse(data.test.x)
    assert back[:, 2].tolist() == CITY[20:].tolist()
    np.testing.assert_allclose(back[:, 1].astype(float), HEIGHT[20:], rtol=1e-5)


def test_categories_of_one_part_are_those_of_both():
    first, second = (pd.DataFrame({"a": range(5), "t": list(s)}) for s in ("xyxyx", "zzzyz"))
    found = raw({"train": first, "test": second})
    assert found.columns[1].categories == ("x", "y", "z")
    assert found.parts["test"][0][:, 1].tolist() == [2, 2, 2, 1, 2]


def test_columns_of_one_part_alone_are_refused_and_without_them_accepted():
    parts = {"train": TABLE.assign(extra=1.0), "test": TABLE}
    error = refusal(parts)
    assert "Only the train part has the columns extra" in error.what
    assert load_data(parts, **fixes(error)).shape == (5,)


def test_a_test_part_without_labels_leaves_them_out_and_says_so():
    data = load_data({"train": TABLE.assign(y=Y), "test": TABLE}, label="y")
    assert data.classes == ()
    assert "Only train have labels" in said(data)


# Labels, names, groups and the choice of columns


@pytest.mark.parametrize(
    ("cells", "classes", "codes"),
    [
        (["b", "a", "b"] * 10, ("a", "b"), [1, 0, 1]),
        ([10, 9, 10] * 10, ("9", "10"), [1, 0, 1]),
        ([1.0, np.nan, 0.0] * 10, ("0", "1"), [1, -1, 0]),
        ([True, False, True] * 10, ("False", "True"), [1, 0, 1]),
        (["b", None, "a"] * 10, ("a", "b"), [1, -1, 0]),
        (["b", "?", ""] * 10, ("b",), [0, -1, -1]),
        (pd.Categorical(["b", None, "a"] * 10), ("a", "b"), [1, -1, 0]),
        (pd.array([1, None, 0] * 10, "Int64"), ("0", "1"), [1, -1, 0]),
    ],
    ids=["text", "numbers", "floats", "truth", "missing", "unknown", "category", "Int64"],
)
@pytest.mark.parametrize("how", ["column", "pair"])
def test_labels(how, cells, classes, codes):
    table, series = TABLE.assign(kind=cells), pd.Series(cells)
    found = raw(table, label="kind") if how == "column" else raw((TABLE, series))
    assert kinds(found) == KINDS
    assert found.classes == classes
    assert found.parts["all"][1][:3].tolist() == codes
    data = load_data(table, label="kind")
    assert data.classes == classes
    assert (min(codes) < 0) == (int(data.train.y.min()) < 0)
    assert ("have no label" in said(data)) == (-1 in codes)
    assert not any("may be the label" in notice for notice in data.notices)


def test_numbers_with_decimals_are_no_label_and_the_fix_leaves_them_out():
    error = refusal(TABLE, label="height")
    assert "it is a number and no class" in error.what
    assert load_data(TABLE, **fixes(error)).shape == (4,)
    assert "not classes" in str(refusal((TABLE, HEIGHT)))
    assert "labels have shape" in str(refusal((TABLE, np.zeros((N, 2)))))
    assert "30 examples and 29 labels" in str(refusal((TABLE, Y[:29])))
    assert "Leave one of them out" in str(refusal((TABLE, Y), label="city"))


@pytest.mark.parametrize(
    ("extra", "name"),
    [
        ({"target": [0, 1, 2] * 10}, "target"),
        ({"Species": ["a", "b"] * 15}, "Species"),
        ({"quality": [3, 5, 7] * 10}, "quality"),
        ({}, "city"),
    ],
)
def test_a_column_that_may_be_the_label_is_pointed_out(extra, name):
    (notice,) = [n for n in raw(TABLE.assign(**extra)).notices if "may be the label" in n]
    assert f"Column {name} has" in notice
    assert f"--label {name}" in notice
    assert raw(TABLE.assign(**extra), label=name).parts["all"][1] is not None
    assert not raw(TABLE.assign(**extra), no_labels=True).notices
    assert not raw((TABLE.assign(**extra), Y)).notices


def test_names_of_rows():
    table = TABLE.assign(who=[f"p{i}" for i in range(N - 1)] + [None], number=range(100, 100 + N))
    found = raw(table, id="who", columns="age,city")
    assert found.names["all"][:2] == ["p0", "p1"]
    assert found.names["all"][-1] == f"row {N - 1}"
    assert list(kinds(found)) == ["age", "city"]
    data = load_data(table.drop(columns="who"), id="number")
    assert data.test.name(0) in {str(i) for i in range(100, 100 + N)}
    assert [column.name for column in data.preprocessing.columns] == list(KINDS)


def test_groups_stay_together():
    house = R.integers(0, 9, N)
    table = TABLE.assign(house=house, who=range(N))
    found = raw(table, group="house", id="who")
    assert "house" not in kinds(found)
    data = load_data(table, group="house", id="who")
    sets = [
        {house[int(name)] for name in part.names}
        for part in (data.train, data.validation, data.test)
    ]
    assert sum(map(len, sets)) == len(set.union(*sets)) == len(set(house))
    table = table.assign(house=[None, *house[1:]])
    error = refusal(table, group="house", id="who")
    assert "1 rows" in error.what
    assert "the first 0" in error.what


def test_chosen_and_categorical_columns():
    found = raw(TABLE, columns=["city", "age"], categorical="age")
    assert kinds(found) == {"city": "categorical", "age": "categorical"}
    assert found.columns[1].categories == tuple(str(v) for v in np.unique(AGE))
    assert "columns contains city" in str(refusal(TABLE, columns="age,city", label="city"))


@pytest.mark.parametrize("option", ["label", "id", "group", "columns", "categorical"])
def test_unknown_columns_are_refused_with_the_nearest(option):
    error = refusal(TABLE, **{option: "heigth"})
    assert f'{option}: the table has no column "heigth"' in error.what
    assert error.fix == 'Did you mean "height"? Its columns: age, height, city.'


@pytest.mark.parametrize("option", ["label", "id", "columns", "categorical"])
def test_options_of_tables_are_refused_for_other_data(option):
    assert "the data are no table" in str(refusal(R.random((20, 3)), **{option: "a"}))


# Cells


@pytest.mark.parametrize("token", ["", "NaN", "NA", "null", "None", "?", " ? "])
def test_missing_cells(tmp_path, token):
    age, city = [*map(str, AGE)], [*CITY]
    age[3], city[3], city[5] = token, token, token
    table = pd.DataFrame({"age": age, "height": HEIGHT, "city": city})
    path = tmp_path / "t.csv"
    table.to_csv(path, index=False)
    wanted = VALUES.copy()
    wanted[3, [0, 2]] = wanted[5, 2] = np.nan
    found = raw(path)
    assert kinds(found) == KINDS
    np.testing.assert_array_equal(found.parts["all"][0], wanted)
    data = load_data(path)
    assert data.preprocessing.missing
    assert "3 of 90 cells" in said(data)
    assert (f'"{token.strip()}" (3) are missing' in said(found)) == bool(token)


TEXTS = {
    "names": ([f"Person {'abcdefghij'[i % 10]}{i}" for i in range(N)], "30 different texts"),
    "units": ([f"{i} kg" for i in range(N)], "without units"),
    "percent": ([f"{i}%" for i in range(N)], "without units"),
    "thousands": ([f"{i},{i:03d}" for i in range(1, N + 1)], "without units and separators"),
    "money": ([f"${i}.50" for i in range(N)], "without units"),
    "one is no number": (["<5", *map(str, range(N - 1))], 'numbers but for "<5"'),
    "dates": ([f"2024-01-{i + 1:02d}" for i in range(N)], "which are dates"),
    "codes": ([f"{i:05d}" for i in range(N)], "30 different texts"),
}


@pytest.mark.parametrize("name", TEXTS)
def test_texts_that_are_no_categories(tmp_path, name):
    cells, hint = TEXTS[name]
    table = TABLE.assign(**{"odd one": cells})
    path = tmp_path / "t.csv"
    table.to_csv(path, index=False)
    error = refusal(path)
    assert "olumn odd one has" in error.what
    assert hint in error.what
    options = fixes(error)
    assert options == {"columns": ["age", "height", "city"], "id": "odd one"}
    first = load_data(path, columns=options["columns"])
    assert first.shape == (5,)
    second = load_data(path, id=options["id"])
    assert second.fingerprint == first.fingerprint
    assert set(second.test.names) < set(cells)
    assert load_data(path, categorical="odd one").shape == (5 + N,)


def test_all_unusable_columns_are_refused_at_once():
    table = TABLE.assign(name=[f"n {i}" for i in range(N)], when=pd.Timestamp(0), none=np.nan)
    error = refusal(table, label="city")
    assert "name has 30" in error.what
    assert "when holds dates" in error.what
    assert "none has only missing" in error.what
    options = fixes(error)
    assert load_data(table, label="city", **options).shape == (2,)


def test_names_with_commas_have_a_fix_in_python():
    table = TABLE.rename(columns={"age": "age, years"}).assign(none=np.nan)
    error = refusal(table)
    assert "--columns" not in error.fix
    assert load_data(table, **fixes(error)).shape == (5,)


@pytest.mark.parametrize(("bad", "rows"), [(np.inf, 1), (-np.inf, 2)])
def test_infinity_is_refused_with_row_and_column(tmp_path, bad, rows):
    table = TABLE.assign(x=R.random(N))
    table.loc[range(7, 7 + rows), "x"] = bad
    table.to_csv(tmp_path / "t.csv", index=False)
    for source in (table, tmp_path / "t.csv"):
        error = refusal(source)
        assert "Column x is infinite in row 7" in error.what
        assert ("1 more rows" in error.what) == (rows == 2)
        load_data(source, **fixes(error))


@pytest.mark.parametrize("size", [1e101, -1e150, 1e200, -1e300, 1.7e308])
def test_numbers_too_large_to_be_scaled_are_refused_with_row_and_column(tmp_path, size):
    table = TABLE.assign(x=R.random(N))
    table.loc[7, "x"] = size
    table.to_csv(tmp_path / "t.csv", index=False)
    for source in (table, tmp_path / "t.csv"):
        error = refusal(source)
        assert "in row 7, and numbers up to 1e+100" in error.what
        load_data(source, **fixes(error))
    load_data(table.assign(x=R.normal(size=N) * 1e90))


@pytest.mark.parametrize(("value", "count"), [(-999, 3), (9999, 2), (-999, 1), (3, 3), (99, 0)])
def test_numbers_that_may_mean_missing_are_pointed_out(value, count):
    x = np.arange(N) % 11 * 0.5
    x[:count] = value
    notice = f"Column x has the value {value} in {count} rows, far from all others"
    assert (notice in said(raw({"a": HEIGHT, "x": x}))) == (abs(value) > 100 and count > 1)


def test_a_heavy_tail_is_pointed_out_and_robust_scaling_ends_it():
    x = R.normal(size=2000)
    spike = np.where(np.arange(2000) == 7, 1e4, x)
    table = pd.DataFrame({"a": x, "spike": spike})
    (notice,) = raw(table).notices
    assert "Column spike has a value 45 standard deviations" in notice
    assert "10000 in row 7" in notice
    assert not raw(table, scale="robust").notices
    unscaled = raw({"a": x, "b": 1e5 * R.normal(size=2000)}, scale="none")
    assert "--scale standard" in said(unscaled)
    for fine in (R.normal(size=50), R.exponential(size=5000), R.random(40) < 0.1):
        table = {"a": fine * 1.0, "b": R.normal(size=len(fine))}
        assert not raw(table, no_labels=True).notices


@pytest.mark.parametrize(
    ("name", "cells", "told"),
    [
        ("Id", np.arange(N) * 7 % 31, True),
        ("patient_id", np.arange(N)[::-1], True),
        ("customerID", np.arange(N) * 3, True),
        ("n", np.arange(1, N + 1), True),
        ("paid", np.arange(N) * 7 % 31, False),
        ("id", AGE, False),
    ],
)
def test_a_column_that_may_name_the_rows_is_pointed_out(name, cells, told):
    table = pd.DataFrame({name: cells, "height": HEIGHT})
    assert (f"give --id {name} " in said(raw(table))) == told
    assert f"--id {name}" not in said(raw(table, id=name))


def test_names_that_occur_twice(tmp_path):
    found = raw(write(tmp_path / "t.csv", "a,b,a,,\n1,2,3,,5\n4,5,6,,2\n7,9,8,,1\n"))
    assert list(kinds(found)) == ["a", "b", "a_2", "Unnamed: 4"]
    assert "Column 3 has the name a, as an earlier one, and is a_2" in said(found)
    table = TABLE.copy()
    table.columns = [1, "1", 2.5]
    assert list(kinds(raw(table))) == ["1", "1_2", "2.5"]
    levels = pd.DataFrame(R.random((4, 2)), columns=pd.MultiIndex.from_tuples([("a", 1), ("a", 2)]))
    assert list(kinds(raw(levels))) == ["a_1", "a_2"]


def test_dates_as_text_with_few_values_are_categories():
    found = raw(TABLE.assign(year=["2024-01-01", "2025-01-01"] * 15))
    assert found.columns[3].categories == ("2024-01-01", "2025-01-01")


# New data


@pytest.fixture
def trained():
    table = TABLE.assign(ok=AGE > 50, grade=AGE % 3)
    return load_data(table, categorical="grade", label="city").preprocessing


def new(trained, source, **options):
    return load_new(source, trained, **options)


def test_new_data_are_read_by_the_names_of_the_columns(tmp_path, trained):
    table = TABLE.assign(ok=AGE > 50, grade=AGE % 3)
    wanted = new(trained, table, label="city")
    assert wanted.test.y.tolist() == CODES.tolist()
    other = table[["grade", "city", "ok", "height", "age"]].assign(
        when=pd.Timestamp(0), name=[f"n{i}" for i in range(N)]
    )
    other.to_csv(tmp_path / "o.csv", index=False, sep=";", decimal=",")
    other.to_parquet(tmp_path / "o.parquet")
    for source in (other, tmp_path / "o.csv", tmp_path / "o.parquet"):
        found = new(trained, source)
        assert found.fingerprint == new(trained, table).fingerprint
        assert "3 columns that the model was not trained on are not used" in said(found)
        assert "city, when, name" in said(found)
        assert (found.test.x == wanted.test.x).all()
        assert "columns that" not in said(new(trained, source, columns="grade,ok,age,height"))


def test_one_row_of_new_data_has_the_categories_of_the_model(trained):
    row = {"age": [40.0], "height": [1.8], "ok": ["True"], "grade": ["2"]}
    (x,) = new(trained, pd.DataFrame(row)).test.x
    assert x[2:].tolist() == [0, 1, 0, 0, 1]
    mean = trained.columns[0]
    assert x[0] == pytest.approx((40 - mean.centre) / mean.scale)


@pytest.mark.parametrize(
    ("change", "what", "fix"),
    [
        ({"age": None}, "The table has no column age", "Add the column"),
        ({"height": None, "Height": 1.0}, "no column height", "Height may be height"),
        ({"grade": 7}, 'Column grade has "7" in row 0', "Correct it"),
        ({"ok": "maybe"}, 'Column ok has "maybe" in row 0, and the model knows False, True', ""),
        ({"age": "old"}, 'Column age has "old" in row 0, and the model takes numbers', ""),
        ({"height": np.inf}, "Column height is infinite in row 0 and 29 more rows", ""),
    ],
)
def test_new_data_that_do_not_fit_are_refused(trained, change, what, fix):
    table = TABLE.assign(ok=AGE > 50, grade=AGE % 3).assign(**change)
    table = table.drop(columns=[name for name, value in change.items() if value is None])
    with pytest.raises(DataError) as caught:
        new(trained, table)
    assert what in caught.value.what
    assert fix in caught.value.fix


def test_columns_of_new_data_cannot_be_chosen(trained):
    with pytest.raises(DataError, match="Leave columns out"):
        new(trained, TABLE.assign(ok=True, grade=1), columns="age")


def test_arrays_for_a_model_of_a_table(trained):
    with pytest.raises(DataError, match="the model takes 4 columns: age, height, ok, grade"):
        new(trained, R.random((5, 4)))
    numeric = load_data(TABLE, columns="age,height").preprocessing
    found = new(numeric, TABLE[["age", "height"]].to_numpy())
    assert found.fingerprint == new(numeric, TABLE).fingerprint
    assert "taken as age, height, in this order" in said(found)
    for shape in ((5, 3), (5, 2, 2)):
        with pytest.raises(DataError, match="the model takes 2 columns"):
            new(numeric, R.random(shape))
    vectors = load_data(R.random((20, 2)) * 9, scale="standard").preprocessing
    assert not new(vectors, R.random((20, 2))).notices
    plain = load_data(R.random((20, 3))).preprocessing
    with pytest.raises(DataError, match="columns of text"):
        new(plain, TABLE)


# What is kept


def test_mapped_tables_are_the_same_and_told_apart(tmp_path):
    path, who = tmp_path / "t.csv", [f"p{i}" for i in range(N)]
    TABLE.assign(who=who).to_csv(path, index=False)
    options = {"id": "who", "group": "city"}
    data = load_data(path, **options)
    mapped = load_data(path, memory="map", **options)
    assert mapped.fingerprint == data.fingerprint
    assert mapped.preprocessing == data.preprocessing
    assert list(mapped.test.names) == list(data.test.names)
    again = load_data(path, memory="map", **options)
    assert again.fingerprint == data.fingerprint
    for other in (
        TABLE.assign(who=who[::-1]),
        TABLE.rename(columns={"age": "years"}).assign(who=who),
    ):
        found = load_data(other, memory="map", **options)
        wanted = load_data(other, **options)
        assert list(found.test.names) == list(wanted.test.names)
        assert found.preprocessing == wanted.preprocessing


@pytest.mark.long  # a process of its own
def test_the_fingerprint_is_that_of_every_process(tmp_path):
    path = tmp_path / "t.csv"
    TABLE.assign(x=["a", "1", "b"] * 10).to_csv(path, index=False)
    code = "import sys, autoencode as a; print(a.load_data(sys.argv[1]).fingerprint)"
    for seed in "12":
        done = subprocess.run(
            [sys.executable, "-c", code, str(path)],
            env={"PYTHONPATH": ":".join(sys.path), "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        )
        assert done.stdout.strip() == load_data(path).fingerprint


def test_check_describes_the_columns():
    table = TABLE.assign(y=[None, *Y[1:]])
    table.loc[4, "age"] = np.nan
    found = check_source(table, label="y")
    assert found.usable
    age, height, city = found.columns
    assert (age.kind, age.missing, age.low, age.high) == (
        "numeric",
        1,
        table.age.min(),
        table.age.max(),
    )
    assert height.mean == pytest.approx(HEIGHT.mean())
    assert city.categories == pd.Series(CITY).value_counts().sort_index().to_dict()
    assert sum(sum(part.per_class.values()) for part in found.parts) == N - 1
    assert (found.low, found.constant, found.not_finite) == (None, 0, 0)
    json.dumps(found.to_dict(), allow_nan=False)


@pytest.mark.parametrize("scale", ["standard", "robust", "minmax"])
@pytest.mark.parametrize("value", [0.1, 0.3, 1e5 / 3, -7.0])
def test_columns_of_equal_values_have_no_spread(scale, value):
    """The deviation of a thousand times 0.3 is 1e-16, by which new values must not be divided."""
    x = np.column_stack([np.arange(1000.0), np.full(1000, value)])
    data = load_data(x, scale=scale)
    assert data.preprocessing.columns[1].centre == value
    assert data.preprocessing.columns[1].scale == 1
    assert data.preprocessing.columns[0].scale > 1
    assert any("no spread in the training part" in notice for notice in data.notices)
