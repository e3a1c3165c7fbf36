"""Examples of one group, such as one patient, stay in one part."""

import numpy as np
import pytest
from PIL import Image

from autoencode.data import check_source, load_data
from autoencode.errors import DataError

PARTS = ("train", "validation", "test")


@pytest.fixture
def patients(tmp_path):
    """Twelve patients p1 … p12, each with as many images as its number, in two classes."""
    value = 0
    for p in range(1, 13):
        for i in range(p):
            path = tmp_path / "set" / ("ill" if p % 2 else "well") / f"p{p}_{i}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            value += 1
            Image.fromarray(np.full((2, 2), value, np.uint8)).save(path)
    return tmp_path / "set"


def groups_of(data, pattern=lambda name: name.split("/")[-1].split("_")[0]):
    return {part: {pattern(name) for name in getattr(data, part).names} for part in PARTS}


@pytest.mark.parametrize("pattern", [r"p\d+_", r"(p\d+)_", r"/(p\d+)", r"[^/]+(?=_\d+\.png$)"])
def test_groups_stay_in_one_part(patients, pattern):
    for seed in range(4):
        data = load_data(patients, group=pattern, seed=seed)
        found = groups_of(data)
        assert set.union(*found.values()) == {f"p{p}" for p in range(1, 13)}
        assert sum(map(len, found.values())) == 12
        assert all(found.values())
        counts = ", ".join(f"{len(found[part])} in {part}" for part in PARTS)
        assert f"The parts keep groups together: of 12 groups, {counts}." in data.notices
    assert load_data(data.source, **data.options).fingerprint == data.fingerprint
    assert load_data(patients, group=pattern, seed=3, memory="map").test.names == data.test.names


def test_without_groups_patients_are_in_several_parts(patients):
    assert sum(map(len, groups_of(load_data(patients)).values())) > 12


def test_a_name_that_does_not_match_is_refused_with_a_fix(patients):
    (patients / "well" / "p4_0.png").rename(patients / "well" / "other.png")
    with pytest.raises(DataError, match=r"1 of 78 names, such as well/other\.png"):
        load_data(patients, group=r"p\d+")
    data = load_data(patients, group="^[^_]+")
    assert "of 13 groups" in " ".join(data.notices)


@pytest.mark.parametrize("x", [np.zeros((30, 2)), np.zeros((30, 4, 5))])
def test_examples_without_names_are_refused(x):
    with pytest.raises(DataError, match="no names"):
        load_data(x, group="a")


def test_too_few_groups_are_refused(patients):
    with pytest.raises(DataError, match="form 2 groups"):
        load_data(patients, group="ill|well")


def test_own_parts_are_kept_and_shared_groups_are_stated(tmp_path):
    for p in range(12):
        for i in range(3):
            part = "test" if p in (9, 10) or (p == 4 and i == 0) else "train"
            path = tmp_path / part / f"p{p}_{i}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(np.full((2, 2), 3 * p + i, np.uint8)).save(path)
    data = load_data(tmp_path, group=r"p\d+", seed=1)
    found = groups_of(data)
    assert found["test"] == {"p4", "p9", "p10"}
    assert not found["train"] & found["validation"]
    shared = [n for n in data.notices if "groups are in the training and in the test part" in n]
    assert len(shared) == len(found["train"] & {"p4"})
    # Unless p4 was drawn for validation, one of the two parts shares it with the test part.
    assert any("too optimistic" in n for n in data.notices) == ("p4" in found["train"])


def test_groups_of_an_optional_match_are_refused_as_not_matched(patients):
    with pytest.raises(DataError, match="does not match"):
        load_data(patients, group=r"p(1)?\d*_")


def test_the_check_groups_too(patients):
    assert any("of 12 groups" in n for n in check_source(patients, group=r"p\d+").notices)
