"""What is seen of the data themselves, the same for every model that is held to them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from torch import Tensor

from autoencode.data import Data, Split, still
from autoencode.evaluation.features import Features, features_of
from autoencode.evaluation.metrics.copying import nearest


@dataclass(frozen=True)
class Real:
    """The examples of a data set in features."""

    data: Data

    @cached_property
    def train(self) -> Split:
        """The training part, as one draw of itself."""
        return still(self.data.train)

    @cached_property
    def features(self) -> Features:
        """What images are compared in."""
        return features_of(self.data)

    @cached_property
    def train_features(self) -> Tensor:
        """Of the training examples, [N, F]."""
        return self.features.of(self.train.x)

    @cached_property
    def test_features(self) -> Tensor:
        """Of the test examples, [N, F]."""
        return self.features.of(self.data.test.x)

    @cached_property
    def test_distances(self) -> Tensor:
        """In features, of each test example to the nearest training example, [N]."""
        return nearest(self.test_features, self.train_features).distance

    @cached_property
    def test_proba(self) -> Tensor | None:
        """Of each class, in the test examples, [N, K]; None without a classifier."""
        return None if self.features.proba is None else self.features.proba(self.data.test.x)


_last: dict[str, Real] = {}


def real(data: Data) -> Real:
    """What is seen of the data; that of the last data is kept, for one model after another."""
    if not data.fingerprint:
        return Real(data)
    if data.fingerprint not in _last:
        _last.clear()
        _last[data.fingerprint] = Real(data)
    return _last[data.fingerprint]
