"""What every autoencoder owes the rest of the house: a few records, one protocol, and the slots.

Whatever trains, measures, draws or explores a model knows this file and nothing else about it.
Shapes are written with `B` for the batch, `*S` for samples of the code, `*X` for one example and
`*Z` for one code.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Annotated, ClassVar, NamedTuple, Protocol, runtime_checkable

from torch import Tensor, nn
from torch.distributions import Distribution


class Space(Enum):
    """Where codes live. Decides which priors fit and how one moves between two codes."""

    REAL = "real"  # all of ℝᵈ
    BOX = "box"  # the cube (−1, 1)ᵈ
    SPHERE = "sphere"  # the unit sphere in ℝᵈ
    CODES = "codes"  # entries of a finite code book


@dataclass(frozen=True)
class Sizes:
    """What only the data knows.

    x: shape of one example: (28, 28), (3, 32, 32), or (30,) for plain vectors.
    z: shape of one code: (2,).
    context: number of label features that condition the model; 0 is unconditional.
    n: number of training examples, for estimators of log q(z).
    labelled: share of the training examples whose label is known, where batches are to hold
        another share of them; None where batches are as the data.
    """

    x: tuple[int, ...]
    z: tuple[int, ...]
    context: int = 0
    n: int = 0
    labelled: float | None = None

    @property
    def image(self) -> tuple[int, int, int] | None:
        """Channels, height and width; None when an example is a plain vector."""
        if len(self.x) == 2:
            return (1, *self.x)
        return self.x if len(self.x) == 3 else None

    @property
    def pixels(self) -> int:
        """Numbers in one example."""
        return math.prod(self.x)

    @property
    def latent(self) -> int:
        """Numbers in one code."""
        return math.prod(self.z)


@dataclass(frozen=True)
class Code:
    """Where a batch lands in latent space.

    z: what the decoder gets, [*S, B, *Z]; the posterior's mean unless samples were asked for.
    q: the posterior q(z|x), batch [B], event [*Z]; None when the code is a point.
    costs: what the bottleneck itself charges, name -> nats [B].
    index: the discrete codes, where there are any.
    """

    z: Tensor
    q: Distribution | None = None
    costs: Mapping[str, Tensor] = field(default_factory=dict)
    index: Tensor | None = None


@dataclass(frozen=True)
class ForwardPass:
    """One batch passed through a model: all that a term of the objective may use.

    x: the target of the reconstruction, [B, *X].
    inputs: what the encoder received, [B, *X]; `x` itself where nothing is corrupted.
    context: the conditioning features, [B, C]; None for an unconditional model.
    code: the codes of the batch.   px: p(x|z), batch [*S, B], event [*X].
    pz: the prior p(z|c), event [*Z]; None for a model without one.
    """

    x: Tensor
    inputs: Tensor
    context: Tensor | None
    code: Code
    px: Distribution
    pz: Distribution | None
    model: Autoencoder


class ModelOutput(NamedTuple):
    """What calling a model gives: codes [B, *Z], and images in the shape that came in."""

    codes: Tensor
    images: Tensor


@runtime_checkable
class Autoencoder(Protocol):
    """The contract; whoever keeps it is also an `nn.Module`.

    `encode` is deterministic (the posterior's mean) unless `samples` are asked for, and builds no
    gradients unless the model is in training mode. `forward_pass` is the pass of a training step.
    `context` conditions the model: class numbers [B], −1 where unknown, or features [B, C].
    """

    space: Space
    sizes: Sizes

    def encode(self, x: Tensor, context: Tensor | None = None, samples: int | None = None) -> Code:
        """Images [B, *X] to their code; with `samples=S`, z is [S, B, *Z] drawn from q(z|x)."""
        ...

    def decode(self, z: Tensor, context: Tensor | None = None) -> Distribution:
        """Codes [*S, B, *Z] to p(x|z), batch [*S, B], event [*X]."""
        ...

    def prior(self, context: Tensor | None = None) -> Distribution | None:
        """The prior p(z|c), event [*Z]; None for a model without one."""
        ...

    def sampler(self) -> Distribution | None:
        """What random codes are drawn from: fitted after training, else the prior, else None."""
        ...

    def forward_pass(self, x: Tensor, context: Tensor | None = None) -> ForwardPass:
        """One batch through the whole model, noise and all."""
        ...

    def forward(self, x: Tensor, context: Tensor | None = None) -> ModelOutput:
        """Codes and reconstructed images, without noise."""
        ...


@dataclass(frozen=True)
class Within:
    """The range of a number, in its annotation: Annotated[int, Within(1, 9)]."""

    low: float
    high: float

    def __contains__(self, number: float) -> bool:
        return self.low <= number <= self.high

    def __str__(self) -> str:
        return f"from {self.low:,} to {self.high:,}"


# The width of a layer, a number of channels, or the size of a code.
Width = Annotated[int, Within(1, 1_000_000)]


class Network(ABC):
    """A pair of builders: the two networks between an example and its code.

    A network's `__init__` signature is its configuration.
    """

    @abstractmethod
    def encoder(self, sizes: Sizes, features: int) -> nn.Module:
        """A module (x [B, *X], c [B, C] or None) -> [B, features]."""

    @abstractmethod
    def decoder(self, sizes: Sizes, channels: int) -> nn.Module:
        """A module (z [B, *Z], c [B, C] or None) -> [B, channels, *X]."""


class Part(nn.Module):
    """A module that fills a slot; its arguments after the sizes are its configuration."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.sizes = sizes


class Corruption(Part, ABC):
    """Spoils what the encoder is shown; the model is asked for the clean example.

    It draws noise in training and in evaluation alike, so that a denoising model is measured on
    what it was made for; `encode` and `forward` see the example as it is.
    """

    @abstractmethod
    def forward(self, x: Tensor) -> Tensor:
        """Examples [B, *X] in [0, 1] to spoiled ones, [B, *X] in [0, 1]."""


class Context(Part, ABC):
    """Turns what is known of each example into the features that condition the model."""

    # Where it comes from: the labels of the data, or vectors given beside them.
    source: ClassVar[str]

    @abstractmethod
    def forward(self, known: Tensor) -> Tensor:
        """What is known [B] or [B, K], or features already, to features [B, C]."""


class Bottleneck(Part, ABC):
    """Turns the encoder's features into a code."""

    space: ClassVar[Space]
    random: ClassVar[bool] = False  # does it give a posterior?
    normal: ClassVar[bool] = False  # one that is Independent(Normal), in closed form?
    maps: ClassVar[bool] = True  # may a code be a map, [D, h, w], and not only a vector?
    # Outputs of the encoder for each number of the code.
    features: int = 1
    # Unit of each cost that `Code.costs` may hold: cost name -> "nats" or "".
    cost_units: ClassVar[Mapping[str, str]] = {}

    @abstractmethod
    def forward(self, h: Tensor, samples: int | None = None) -> Code:
        """Features [B, features · d] to a code; `samples` as in `Autoencoder.encode`."""

    def split_features(self, h: Tensor) -> tuple[Tensor, ...]:
        """Features [B, features · d] one kind after the other, [B, *Z] each."""
        return tuple(kind.reshape(-1, *self.sizes.z) for kind in h.chunk(self.features, -1))


class Prior(Part, ABC):
    """The distribution that codes are meant to follow."""

    space: ClassVar[Space]
    clustered: ClassVar[bool] = False  # does it know in which of its clusters a code lies?

    @abstractmethod
    def forward(self, context: Tensor | None, encode: Callable[[Tensor], Code]) -> Distribution:
        """p(z|c), event [*Z]. `encode` is the model's own encoder, for priors built from it."""


class FittedPrior(Prior, ABC):
    """A prior that begins again in the middle of training, fitted to the codes as they are then.

    after: the training steps before that; None: it never does.
    """

    after: int | None

    @abstractmethod
    def fit(self, z: Tensor, seed: int) -> None:
        """Moves its parameters to where the codes of training examples lie, z [N, *Z].

        Raises:
            DataError: there are too few codes to learn from.
        """


class Sampler(Part, ABC):
    """A distribution fitted to the codes of the training examples, once the model is trained.

    What it learns lies in buffers or parameters, so that it is saved with the weights.
    """

    # Where codes must live: on any space that is not a finite code book, or only there.
    discrete: ClassVar[bool] = False

    @abstractmethod
    def fit(self, code: Code, seed: int) -> None:
        """Learns from the codes of all training examples, z [N, *Z].

        Raises:
            DataError: there are too few codes to learn from.
        """

    @abstractmethod
    def forward(self) -> Distribution:
        """What was learned: event [*Z].

        Raises:
            RunError: nothing has been fitted yet.
        """


class Likelihood(Part, ABC):
    """Turns what the decoder says into p(x|z)."""

    # Outputs of the decoder for each number of an example.
    channels: ClassVar[int] = 1
    # Whether p(x|z) integrates to 1; if not, −ln p(x|z) is an energy and is not given in nats.
    normalised: ClassVar[bool] = True

    @abstractmethod
    def forward(self, theta: Tensor) -> Distribution:
        """Decoder outputs [*S, B, channels, *X] to a distribution with event [*X]."""


class Term(Part, ABC):
    """One named summand of the objective: nats for each example, unweighted, positive is worse."""

    # What the model must have for the term to mean anything: "posterior", "prior", "samples"
    # (two codes or more for each example), "normal-posterior", "mixture-prior".
    needs: ClassVar[frozenset[str]] = frozenset()
    formula: ClassVar[str]
    # Unit of the value: "nats" for log-likelihoods and KL divergences, "" for any other penalty.
    unit: ClassVar[str] = "nats"
    # Whether the value contains −ln p(x|z).
    has_likelihood: ClassVar[bool] = False

    @abstractmethod
    def forward(self, p: ForwardPass) -> Tensor:
        """Nats: [*S, B] for each example, or [] for a statistic of the batch."""


class Adversary(Term):
    """A term with a critic of its own, which learns against the model.

    After each update of the model the trainer updates the critic by `critic_loss`, with an
    optimiser of its own; `forward` is the model's part of the game.
    """

    @abstractmethod
    def critic_loss(self, p: ForwardPass) -> Tensor:
        """The critic's own loss on that pass, []; no gradient reaches the model."""
