"""Disentanglement: whether each latent dimension corresponds to one known factor of the data.

All metrics take codes [N, *Z] and factors [N, F], the whole numbers of `Split.factors`; a factor
with a single value is left out. Of a VAE give the means, without dimensions that equal the prior.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Annotated, NamedTuple

import numpy as np
from scipy.stats import entropy  # type: ignore[import-untyped]
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.metrics import mutual_info_score, recall_score
from sklearn.tree import DecisionTreeClassifier
from torch import Tensor

from autoencode.arguments import check_value
from autoencode.contract import Within
from autoencode.errors import DataError
from autoencode.evaluation.metrics.arrays import Array, check_finite

BINS = 20
# Trees in a forest, and codes drawn for each; more change the metrics by little.
TREES, CODES_PER_TREE = 20, 2_000
# Votes to fit the majority, as many again to score it, and the codes in each vote.
VOTES, BATCH = 2_000, 64
# Numbers in memory at once for the votes.
MAX_NUMBERS = 2**22


class Dci(NamedTuple):
    """The three scores of `dci`, each from 0 to 1."""

    disentanglement: float
    completeness: float
    informativeness: float


def mutual_information_gap(codes: Tensor, factors: Tensor, bins: int = BINS) -> float:
    """Mutual information gap (MIG): I of the best latent dimension minus the next, from 0 to 1.

    Mean over the factors v of (I(zᵢ; v) − I(zⱼ; v)) / H(v), where i and j are the two dimensions
    with the highest I; for a code of one dimension the second is 0. Each dimension is cut into
    `bins` of equal width from its lowest to its highest value, as by [locatello2019]: a factor of
    more values than `bins` cannot reach 1. The plug-in estimate of I is about
    (bins − 1)(values − 1) / 2N nats too high, which mostly cancels in the difference.
    Source: [chen2018].

    Raises:
        DataError: not one row of whole numbers for each code, or too few factors that vary.
        Diverged: codes that are not finite.
        RecipeError: `bins` is not a whole number from 2 to 1,000.
    """
    [(z, v)], _ = _checked_factors((codes, factors))
    entropies = np.array([mutual_info_score(each, each) for each in v.T])
    return float((_gaps(_mutual_information(z, v, bins)) / entropies).mean())


def modularity(codes: Tensor, factors: Tensor, bins: int = BINS) -> float:
    """Whether each latent dimension has information about one factor only, from 0 to 1.

    Mean over the dimensions i of 1 − Σᵥ I(zᵢ; v)² / ((F − 1) maxᵥ I(zᵢ; v)²), the sum without the
    factor of the maximum; 0 for a dimension without information. I as in `mutual_information_gap`.
    The score does not depend on the amount of information: by chance, factors of many values get
    more, so that noise scores well above 0. Compare it with the informativeness of `dci`.
    Source: [ridgeway2018].

    Raises:
        DataError, Diverged, RecipeError: as `mutual_information_gap`; two factors must vary.
    """
    [(z, v)], _ = _checked_factors((codes, factors), least=2)
    squares = _mutual_information(z, v, bins) ** 2
    highest = squares.max(1)
    others = (squares.sum(1) - highest) / (v.shape[1] - 1)
    spread = np.divide(others, highest, out=np.ones_like(others), where=highest > 0)
    return float((1 - spread).mean())


def sap(codes: Tensor, factors: Tensor, unordered: Collection[int] = (), seed: int = 0) -> float:
    """SAP: how much better one latent dimension predicts a factor than the next, from 0 to 1.

    Mean over the factors of the highest score minus the second; for a code of one dimension the
    second is 0. The score of a dimension is R² of the factor's linear regression on it. For
    `unordered` factors, columns whose numbers are only names, it is the balanced accuracy of K − 1
    thresholds for K values: a tree of K leaves fitted to half of the codes, drawn by `seed`, and
    scored on the others. Chance is 1/K there, so that such a factor gives about 1 − 1/K at best.
    Source: [kumar2018].

    Raises:
        DataError: as `mutual_information_gap`; or `unordered` has a position that is not a column.
        Diverged: codes that are not finite.
    """
    [(z, v)], unordered_columns = _checked_factors((codes, factors), unordered=unordered)
    scores = [
        _threshold_scores(z, each, seed) if is_unordered else _regression_scores(z, each)
        for each, is_unordered in zip(v.T, unordered_columns, strict=True)
    ]
    return float(_gaps(np.stack(scores, 1)).mean())


def dci(
    train_codes: Tensor,
    train_factors: Tensor,
    test_codes: Tensor,
    test_factors: Tensor,
    unordered: Collection[int] = (),
    seed: int = 0,
) -> Dci:
    """Disentanglement, completeness and informativeness by random forests.

    A forest (20 trees on 2,000 training codes each, drawn by `seed`) predicts each factor v from
    the code: by regression, for `unordered` factors by classification. Rᵢᵥ is the importance of
    dimension i in it, the share of the impurity that its splits remove.
    disentanglement: Σᵢ ρᵢ (1 − H_F(Rᵢ.)), entropy to base F, ρᵢ the share of dimension i in all R.
    completeness: mean over v of 1 − H_d(R.ᵥ), entropy to base d, for codes of d dimensions.
    informativeness: mean over v of the share of the error of the best constant prediction that the
    forest avoids on the test codes, at least 0: R², or of the errors for `unordered` factors.
    Source: [eastwood2018].

    Raises:
        DataError: as `sap`, of either part; two factors must vary in both, for codes of one size.
        Diverged: codes that are not finite.
    """
    parts, unordered_columns = _checked_factors(
        (train_codes, train_factors), (test_codes, test_factors), unordered=unordered, least=2
    )
    (z, v), (queries, truth) = parts
    importance, avoided = np.empty((z.shape[1], v.shape[1])), []
    for k, is_unordered in enumerate(unordered_columns):
        kind = RandomForestClassifier if is_unordered else RandomForestRegressor
        # Each split may use all dimensions, or those without information would get importance.
        forest = kind(
            TREES, max_samples=min(CODES_PER_TREE, len(z)), max_features=None, random_state=seed
        ).fit(z, v[:, k])
        importance[:, k] = forest.feature_importances_
        score = forest.score(queries, truth[:, k])
        if is_unordered:
            constant = np.unique(truth[:, k], return_counts=True)[1].max() / len(truth)
            score = (score - constant) / (1 - constant)
        avoided.append(max(0.0, score))
    total = importance.sum()
    weights = importance.sum(1) / total if total else np.zeros(len(importance))
    return Dci(
        disentanglement=float(weights @ _concentration(importance)),
        completeness=float(_concentration(importance.T).mean()),
        informativeness=float(np.mean(avoided)),
    )


def factor_vae_score(codes: Tensor, factors: Tensor, seed: int = 0) -> float:
    """The FactorVAE score: how often the least varying dimension identifies the fixed factor.

    In a batch of 64 codes that share one value of one factor, the latent dimension with the least
    variance, relative to its variance among all codes, votes for that factor. The majority of 2,000
    batches assigns a factor to each dimension; 2,000 other batches are scored. Factors and their
    values are drawn uniformly by `seed`, and a batch with replacement from the codes with that
    value, from one half of all codes to assign and from the other to score. Chance, and the score
    of noise, is 1/F for F factors. Dimensions that never vary do not vote.  Source: [kim2018].

    Raises:
        DataError: as `mutual_information_gap`; two factors must vary, and each needs four codes or
            more that share a value.
        Diverged: codes that are not finite.
    """
    [(z, v)], _ = _checked_factors((codes, factors), least=2)
    spread = z.std(0)
    z = z[:, spread > 0] / spread[spread > 0]
    if z.shape[1] == 0:
        return float(1 / v.shape[1])
    rng = np.random.default_rng(seed)
    half = rng.permutation(len(z)) % 2 == 0
    assigned, scored = (_votes(z[part], v[part], rng) for part in (half, ~half))
    return float(scored[np.arange(z.shape[1]), assigned.argmax(1)].sum() / scored.sum())


def _votes(z: Array, v: Array, rng: np.random.Generator) -> Array:
    """How often each dimension varied least while a factor was fixed: [d, F]."""
    found = np.zeros((z.shape[1], v.shape[1]))
    drawn = np.bincount(rng.integers(v.shape[1], size=VOTES), minlength=v.shape[1])
    for k, count in enumerate(drawn):
        order = np.argsort(v[:, k], kind="stable")
        _, starts, sizes = np.unique(v[order, k], return_index=True, return_counts=True)
        starts, sizes = starts[sizes > 1], sizes[sizes > 1]
        if len(sizes) == 0:
            raise DataError("Hardly two codes share a value of a factor", "Give more codes.")
        groups = rng.integers(len(sizes), size=count)
        for some in np.array_split(groups, 1 + count * BATCH * z.shape[1] // MAX_NUMBERS):
            places = rng.random((len(some), BATCH)) * sizes[some, None]
            batches = z[order[starts[some, None] + places.astype(int)]]
            found[:, k] += np.bincount(batches.var(1).argmin(1), minlength=z.shape[1])
    return found


def _gaps(scores: Array) -> Array:
    """For each factor the highest of the scores [d, F] minus the second, or minus 0."""
    ranked = np.sort(np.pad(scores, ((1, 0), (0, 0))), 0)
    return np.asarray(ranked[-1] - ranked[-2])


def _concentration(shares: Array) -> Array:
    """1 − the entropy of each row [m, n], to base n: 1 for a single entry, 0 for a uniform row."""
    n = shares.shape[1]
    even = np.where(shares.sum(1, keepdims=True) > 0, shares, 1.0)
    return np.asarray(1 - entropy(even, base=max(n, 2), axis=1))


def _checked_factors(
    *parts: tuple[Tensor, Tensor], unordered: Collection[int] = (), least: int = 1
) -> tuple[list[tuple[Array, Array]], Array]:
    """Codes [N, d], the factors [N, F] that vary in each part, and which columns are unordered.

    parts: pairs of both, for training and test.
    unordered: positions of columns whose numbers are only names.
    least: the smallest number of factors that must vary.

    Raises:
        DataError: not one row of whole numbers for each code, two sizes of code, a position that is
            not a column, or too few factors that vary.
        Diverged: codes that are not finite.
    """
    width = parts[0][1].shape[-1] if parts[0][1].dim() == 2 else 0
    for codes, factors in parts:
        integral = not (factors.is_floating_point() or factors.is_complex())
        if not integral or factors.shape != (len(codes), width) or codes[0:1].numel() == 0:
            raise DataError(
                "Each code needs one row of whole numbers, the values of the factors, and there "
                f"are codes of shape {tuple(codes.shape)} and factors of shape "
                f"{tuple(factors.shape)} and type {factors.dtype}"
            )
        if codes.shape[1:] != parts[0][0].shape[1:]:
            raise DataError(
                f"Training codes of shape {tuple(parts[0][0].shape[1:])} do not fit test "
                f"codes of shape {tuple(codes.shape[1:])}"
            )
        check_finite(codes, "codes")
    if not set(unordered) <= set(range(width)):
        raise DataError(f"The unordered factors are {[*unordered]}, of {width} columns from 0 on")
    varying = np.all([(f != f[:1]).any(0).cpu().numpy() for _, f in parts], 0)
    if varying.sum() < least:
        raise DataError(
            f"{least} factors or more must vary, and {varying.sum()} of {width} do",
            "Give examples of several values.",
        )
    is_unordered = np.isin(np.arange(width), [*unordered])[varying]
    found = [
        (codes.flatten(1).cpu().double().numpy(), factors.cpu().long().numpy()[:, varying])
        for codes, factors in parts
    ]
    return found, is_unordered


def _mutual_information(z: Array, v: Array, bins: int) -> Array:
    """I(zᵢ; v), nats, of codes [N, d], in bins of equal width, and factors [N, F]: [d, F].

    Raises:
        RecipeError: `bins` is not a whole number from 2 to 1,000.
    """
    check_value(bins, Annotated[int, Within(2, 1_000)], "bins")
    low, width = z.min(0), np.ptp(z, 0)
    shares = np.divide(z - low, width, out=np.zeros_like(z), where=width > 0)
    places = np.minimum((shares * bins).astype(int), bins - 1)
    found = [[mutual_info_score(place, each) for each in v.T] for place in places.T]
    return np.array(found)


def _regression_scores(z: Array, v: Array) -> Array:
    """R² of the linear regression of a factor on each dimension: the squared correlation, [d]."""
    z, w = z - z.mean(0), v - v.mean()
    scale = (z**2).sum(0) * (w**2).sum()
    return np.asarray(np.divide((w @ z) ** 2, scale, out=np.zeros_like(scale), where=scale > 0))


def _threshold_scores(z: Array, v: Array, seed: int) -> Array:
    """Balanced accuracy of a factor predicted by thresholds on each dimension, [d]."""
    order = np.random.default_rng(seed).permutation(len(z))
    # Every second code of each value, so that both halves have all values.
    order = order[np.argsort(v[order], kind="stable")]
    fitted, scored = order[::2], order[1::2]
    values = np.unique(v[scored])
    tree = DecisionTreeClassifier(
        max_leaf_nodes=len(np.unique(v)), class_weight="balanced", random_state=seed
    )
    predicted = [
        tree.fit(each[fitted, None], v[fitted]).predict(each[scored, None]) for each in z.T
    ]
    return np.array(
        [recall_score(v[scored], each, labels=values, average="macro") for each in predicted]
    )
