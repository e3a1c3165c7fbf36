import json
import shutil

import numpy as np
import pytest

from autoencode.data import check_source, load_data
from autoencode.errors import DataError

R = np.random.default_rng(0)


def test_good_data_are_described(images):
    check = check_source(images)
    assert check.usable
    assert (check.shape, check.dtype, check.classes) == ((6, 8), "uint8", ("a", "b"))
    assert 0 <= check.low < check.high <= 255
    data = load_data(images)
    sizes = {p.part: p.examples for p in check.parts}
    assert sizes == {n: len(getattr(data, n)) for n in ("train", "validation", "test")}
    for part in check.parts:
        counts = np.bincount(getattr(data, part.part).y, minlength=2).tolist()
        assert part.per_class == {"a": counts[0], "b": counts[1]}
    assert (check.constant, check.not_finite, check.bad_files) == (0, 0, ())


def test_the_record_is_fit_for_json(images):
    (images / "a" / "1.png").write_text("no image")
    record = json.loads(json.dumps(check_source(images).to_dict(), allow_nan=False))
    assert record["bad_files"][0]["path"].endswith("a/1.png")
    assert record["usable"] is False
    x = np.array([[np.nan, np.inf]] * 3)
    record = json.loads(json.dumps(check_source(x).to_dict(), allow_nan=False))
    assert record["low"] is None


def test_bad_files_are_all_listed_and_judged_by_the_options(images):
    for i in (2, 5):
        (images / "b" / f"{i}.png").write_bytes(b"")
    check = check_source(images)
    assert [bad.reason for bad in check.bad_files] == ["it is empty"] * 2
    assert check.problems == ("2 of 20 files cannot be used.",)
    assert sum(p.examples for p in check.parts) == 18
    assert not check_source(images, on_bad="skip").usable
    assert check_source(images, on_bad="skip", max_bad=0.1).usable


def test_what_is_there_twice_is_counted_within_and_between_parts():
    x = R.random((30, 4))
    x[1] = x[2] = x[0]
    x[21] = x[20]
    x[25] = x[5]
    check = check_source({"x_train": x[:20], "x_val": x[18:20], "x_test": x[20:]})
    found = {p.part: (p.repeated, p.in_train) for p in check.parts}
    assert found == {"train": (2, 0), "validation": (0, 2), "test": (1, 1)}
    assert len(check.notices) == 2


def test_constant_and_broken_examples_are_counted_with_the_first():
    x = R.random((20, 3))
    x[4] = 0.5
    x[7] = 0
    x[9, 1] = np.nan
    x[15, 0] = -np.inf
    check = check_source(x)
    assert (check.constant, check.first_constant) == (2, 4)
    assert (check.not_finite, check.first_not_finite) == (2, 9)
    assert (check.low, check.high) == (x[np.isfinite(x)].min(), x[np.isfinite(x)].max())
    assert "Example 9 contains NaN" in check.problems[0]
    assert [p.part for p in check.parts] == ["all"]


@pytest.mark.parametrize(
    ("source", "options", "word"),
    [
        (R.random((9, 3)) * 200, {}, "0..255"),
        ((R.random((9, 3)), np.zeros(8)), {}, "9 examples and 8 labels"),
        (np.zeros((1, 3)), {}, "only 1 example"),
        (np.zeros(3), {}, "shape (3,)"),
        (np.zeros(()), {}, "shape ()"),
        (np.zeros((0, 3)), {}, "(0, 3)"),
        (np.array([["a"]]), {}, "<U1"),
        (np.array([[None]]), {}, "object"),
        (R.random((9, 3)), {"validation": 8}, "validation"),
    ],
)
def test_what_cannot_be_used_is_a_problem_and_no_refusal(source, options, word):
    check = check_source(source, **options)
    assert word in check.problems[0]
    assert not check.usable
    json.dumps(check.to_dict())


def test_problems_are_the_sentences_of_loading(tmp_path):
    np.save(tmp_path / "x.npy", R.normal(size=(9, 3)))
    with pytest.raises(DataError) as caught:
        load_data(tmp_path / "x.npy")
    assert check_source(tmp_path / "x.npy").problems == (str(caught.value),)


def test_where_there_is_nothing_to_look_at_it_is_refused(tmp_path, images, picture):
    for source in (tmp_path / "none", tmp_path / "empty", "mnits"):
        (tmp_path / "empty").mkdir(exist_ok=True)
        with pytest.raises(DataError):
            check_source(source)
    picture(images / "a" / "odd.png", size=(9, 9))
    with pytest.raises(DataError, match="2 sizes"):
        check_source(images)
    shutil.rmtree(images)


def test_a_named_set_can_be_checked():
    check = check_source("digits")
    assert (check.low, check.high, check.shape) == (0, 16, (8, 8))
    assert sum(sum(p.per_class.values()) for p in check.parts) == 1797
