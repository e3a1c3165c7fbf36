"""Features of the data themselves, the same for every model that is compared with them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from torch import Tensor

from autoencode.data import Data, Split, still
from autoencode.evaluation.features import Features, features_of
from autoencode.evaluation.metrics.copying import nearest


@dataclass(frozen=True)
class ReferenceData:
    """The training and test examples in the features that images are compared in."""

    data: Data

    @cached_property
    def train(self) -> Split:
        """The training part; of pixels that are drawn at random, one draw."""
        return still(self.data.train)

    @cached_property
    def features(self) -> Features:
        """The features that images are compared in."""
        return features_of(self.data)

    @cached_property
    def train_features(self) -> Tensor:
        """Features of the training examples, [N, F]."""
        return self.features.of(self.train.x)

    @cached_property
    def test_features(self) -> Tensor:
        """Features of the test examples, [N, F]."""
        return self.features.of(self.data.test.x)

    @cached_property
    def test_distances(self) -> Tensor:
        """Distance of each test example to the nearest training example in features, [N]."""
        return nearest(self.test_features, self.train_features).distance

    @cached_property
    def test_probabilities(self) -> Tensor | None:
        """Probability of each class for the test examples, [N, K]; None without a classifier."""
        return self.features.probabilities(self.data.test.x)


_last: dict[str, ReferenceData] = {}


def reference_data(data: Data) -> ReferenceData:
    """The features of the data; those of the last data are kept for the next model."""
    if not data.fingerprint:
        return ReferenceData(data)
    if data.fingerprint not in _last:
        _last.clear()
        _last[data.fingerprint] = ReferenceData(data)
    return _last[data.fingerprint]
