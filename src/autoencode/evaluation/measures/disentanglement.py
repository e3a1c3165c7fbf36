"""Whether single numbers of the code stand for the factors that examples were made from."""

from __future__ import annotations

from collections.abc import Iterator

from autoencode.evaluation.context import EvaluationContext
from autoencode.evaluation.metrics.disentanglement import (
    dci,
    factor_vae_score,
    modularity,
    mutual_information_gap,
    sap,
)
from autoencode.evaluation.records import Record

# Training codes that a forest or a vote is fitted to.
MOST_TRAIN = 10_000


def measure(subject: EvaluationContext) -> Iterator[Record]:
    """MIG, DCI, SAP, the FactorVAE score and modularity, where factors are known."""
    data = subject.data
    train, test = data.train.factors, data.test.factors
    if train is None or test is None:
        return
    codes, known = subject.codes, subject.train_codes[:MOST_TRAIN]
    train = train[:MOST_TRAIN]
    unordered = [data.factors.index(name) for name in data.unordered]
    n, of = len(test), f"of {', '.join(data.factors)}"
    unit = "from 0 to 1"
    forests = dci(known, train, codes, test, unordered)
    for name, value, what in (
        ("mig", mutual_information_gap(codes, test), "Mutual information gap"),
        ("dci_disentanglement", forests.disentanglement, "Each number of the code has one factor"),
        ("dci_completeness", forests.completeness, "Each factor has one number of the code"),
        ("dci_informativeness", forests.informativeness, "Forests tell the factor from the code"),
        ("sap", sap(codes, test, unordered), "Separated attribute predictability"),
        (
            "factor_vae_score",
            factor_vae_score(codes, test),
            "A vote of the least varying number tells the fixed factor",
        ),
        ("modularity", modularity(codes, test), "Each number informs of one factor only"),
    ):
        yield Record(name, value, unit, n, f"{what}; {of}, test examples.")
