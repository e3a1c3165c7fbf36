"""An evaluation as a mapping of its metrics."""

import json
import pickle

import pytest

from autoencode.errors import AutoencodeError
from autoencode.evaluation import Evaluation, Record, evaluate

RECORDS = (
    Record("squared_error", 32.5, "", 10, "Summed over pixels."),
    Record("nll", 481.25, "nats", 10, "With 100 samples.", (480.0, 482.5)),
    Record("terms.kl", 5.5, "nats", 10, "The mean."),
    Record("kl_per_dimension", (3.0, 2.5), "nats", 10, "Of each dimension."),
)
VALUES = {"squared_error": 32.5, "nll": 481.25, "terms.kl": 5.5, "kl_per_dimension": (3.0, 2.5)}


def test_an_evaluation_is_a_mapping():
    found = Evaluation(RECORDS, 10, "made")
    assert dict(found) == VALUES
    assert list(found) == list(found.keys()) == list(VALUES)
    assert list(found.values()) == list(VALUES.values())
    assert list(found.items()) == list(VALUES.items())
    assert len(found) == 4
    assert {**found} == VALUES
    assert "nll" in found
    assert "kl" not in found
    assert 3 not in found
    assert found["nll"] == found.get("nll") == 481.25
    assert found.get("fid") is None
    assert found.get("fid", -1.0) == -1.0
    assert found == Evaluation(RECORDS, 10, "made")
    assert found != Evaluation(RECORDS, 11, "made")
    assert not Evaluation((), 0, "made")


@pytest.mark.parametrize(
    ("name", "fix"),
    [
        ("nl", 'Did you mean "nll"?'),
        ("square_error", 'Did you mean "squared_error"?'),
        ("kl", 'Did you mean "terms.kl"?'),
        ("term.kl", 'Did you mean "terms.kl"?'),
        ("xyz", "Choose one of: kl_per_dimension, nll, squared_error, terms.kl."),
        (3, "Choose one of"),
    ],
)
def test_an_unknown_metric_names_the_nearest(name, fix):
    found = Evaluation(RECORDS, 10, "made")
    with pytest.raises(KeyError) as refused:
        found[name]
    assert isinstance(refused.value, AutoencodeError)
    assert str(refused.value).startswith(f'There is no metric "{name}" in this evaluation. {fix}')
    assert str(pickle.loads(pickle.dumps(refused.value))) == str(refused.value)


def test_what_was_measured_is_what_the_mapping_has(make_model, make_data):
    found = evaluate(make_model("vae", (6, 5)), make_data((6, 5)))
    written = found.to_dict()
    assert "terms.kl" in found
    for name, value in found.items():
        head, _, term = name.partition("terms.")
        assert value == (written["terms"][term] if term else written[head])
    assert json.loads(json.dumps(dict(found), allow_nan=False)).keys() == set(found)
