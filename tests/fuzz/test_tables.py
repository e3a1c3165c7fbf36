"""Damaged tables: text with any delimiter and encoding, Parquet, and tables of labels."""

import csv
import gzip
import io

import numpy as np
import pandas as pd
import pytest
from hypothesis import strategies as st

from autoencode.data import load_data

pytestmark = pytest.mark.long

RANDOM = np.random.default_rng(0)
TABLE = pd.DataFrame(
    {
        "length": RANDOM.normal(5, 1, 40).round(2),
        "count": RANDOM.integers(0, 9, 40),
        "colour": RANDOM.choice(["red", "green, dark", "blau ä"], 40),
        "class": RANDOM.choice(["a", "b"], 40),
    }
)


def text(**options):
    return TABLE.to_csv(index=False, **options).encode()


def parquet(**options):
    file = io.BytesIO()
    TABLE.set_index("count", drop=False).to_parquet(file, **options)
    return file.getvalue()


TEXTS = {
    "comma": text(),
    "tab": text(sep="\t"),
    "semicolon": text(sep=";", decimal=","),
    "quoted": text(quoting=csv.QUOTE_ALL, lineterminator="\r\n"),
    "latin-1": text().decode().encode("latin-1"),
    "utf-16": text().decode().encode("utf-16"),
    "mark": "\ufeff".encode() + text(),
    "zipped": gzip.compress(text()),
}
PARQUETS = {
    "plain": parquet(use_dictionary=False, compression="none"),
    "dictionary": parquet(compression="snappy"),
    "zstd": parquet(compression="zstd", row_group_size=7),
    "second": parquet(data_page_version="2.0", compression="gzip"),
}
LABELS = {
    "named": "file,label\n" + "".join(f"{i}.png,{'ab'[i % 2]}\n" for i in range(40)),
    "one": "label\n" + "".join(f"{'ab'[i % 2]}\n" for i in range(40)),
}
# What tables of the world contain, in the wrong place.
PIECES = (
    *('"', "'", '""', '"\n"', "\0", "\r", "\n\n", ",", ";", "\t", "#", "\ufeff", "\x1a", "\ud800"),
    *("1e999", "-inf", "nan", "9" * 400, "0x1F", "1,5", "1.000,5", "=1+1", "²", "١", "\u2028"),
    *("x" * 3_000, ",".join("abcdefgh" * 100), "\x85", "\\", "\\N", "2020-13-45", "True"),
)


@st.composite
def pieces(draw, content):
    """A text with one to four such pieces put in."""
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(content)))
        piece = draw(st.sampled_from(PIECES)).encode("utf-8", "surrogatepass")
        content = content[:at] + piece * draw(st.sampled_from((1, 1, 3))) + content[at:]
    return content


def reader(path, **options):
    def read(content):
        path.write_bytes(content)
        load_data(path, **options)

    return read


def any_of(damaged, contents):
    return st.sampled_from(sorted(contents)).flatmap(lambda name: damaged(contents[name]))


def test_damaged_text(fuzz, damaged, tmp_path):
    fuzz(any_of(damaged, TEXTS), reader(tmp_path / "x.csv", label="class"))


def test_text_with_odd_pieces(fuzz, tmp_path):
    fuzz(any_of(pieces, TEXTS), reader(tmp_path / "x.csv"))


def test_damaged_parquet_files(fuzz, damaged, tmp_path):
    fuzz(any_of(damaged, PARQUETS), reader(tmp_path / "x.parquet", label="class"))


def test_parquet_files_with_a_damaged_footer(fuzz, damaged, tmp_path):
    """The footer has the counts of rows, the types, the places of columns, and pandas' own text."""

    def footers(content):
        length = int.from_bytes(content[-8:-4], "little") + 8
        start, end = content[:-length], content[-length:-8]
        return damaged(end).map(
            lambda footer: start + footer + len(footer).to_bytes(4, "little") + b"PAR1"
        )

    fuzz(any_of(footers, PARQUETS), reader(tmp_path / "x.parquet"))


@pytest.mark.parametrize("kind", ["csv", "txt"])
def test_damaged_tables_of_labels(fuzz, damaged, tmp_path, kind):
    path, x = tmp_path / f"y.{kind}", RANDOM.random((40, 5))
    contents = {name: content.encode() for name, content in LABELS.items()}

    def read(content):
        path.write_bytes(content)
        load_data(x, labels=path)

    fuzz(any_of(damaged, contents) | any_of(pieces, contents), read)


def test_damaged_tables_of_labels_of_files(fuzz, damaged, tmp_path):
    from PIL import Image

    path, folder = tmp_path / "labels.csv", tmp_path / "images"
    folder.mkdir()
    for i in range(12):
        image = Image.fromarray(RANDOM.integers(0, 256, (4, 5), np.uint8))
        image.save(folder / f"{i}.png")
    content = ("file,label\n" + "".join(f"{i}.png,{'ab'[i % 2]}\n" for i in range(12))).encode()

    def read(content):
        path.write_bytes(content)
        load_data(folder, labels=path)

    fuzz(damaged(content) | pieces(content), read)
