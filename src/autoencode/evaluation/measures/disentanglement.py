"""Whether single latent dimensions represent the factors that examples were made from."""

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

# Training codes that a forest is fitted to.
MAX_TRAIN = 10_000


def measure(ctx: EvaluationContext) -> Iterator[Record]:
    """MIG, DCI, SAP, the FactorVAE score and modularity, if factors are known."""
    data = ctx.data
    train, test = data.train.factors, data.test.factors
    if train is None or test is None:
        return
    codes = ctx.codes
    unordered = [data.factors.index(name) for name in data.unordered]
    forests = dci(ctx.train_codes[:MAX_TRAIN], train[:MAX_TRAIN], codes, test, unordered)
    for name, value, what in (
        ("mig", mutual_information_gap(codes, test), "Mutual information gap"),
        ("dci_disentanglement", forests.disentanglement, "Each latent dimension has one factor"),
        ("dci_completeness", forests.completeness, "Each factor has one latent dimension"),
        ("dci_informativeness", forests.informativeness, "Forests predict factors from the code"),
        ("sap", sap(codes, test, unordered), "Separated attribute predictability"),
        (
            "factor_vae_score",
            factor_vae_score(codes, test),
            "The least varying latent dimension votes for the fixed factor",
        ),
        ("modularity", modularity(codes, test), "Each latent dimension informs of one factor"),
    ):
        note = f"{what}; of {', '.join(data.factors)}, test examples."
        yield Record(name, value, "from 0 to 1", len(test), note)
