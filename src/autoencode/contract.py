"""The interface of every model: records, the protocol `Autoencoder`, and base classes of parts.

The code that trains, evaluates, plots or explores a model depends on this interface only. Shapes
use `B` for the batch size, `*S` for the sample dimensions of the code, `*X` for the shape of one
example and `*Z` for the shape of one code.
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

from autoencode.arguments import Within as Within


class Space(Enum):
    """The latent space of a model; it decides which priors fit and how codes are interpolated.

    >>> import autoencode as ae
    >>> ae.build(ae.RECIPES["sphere-vae"], ae.Sizes((8, 8), (3,))).space is ae.Space.SPHERE
    True
    """

    REAL = "real"  #: all of ℝᵈ
    BOX = "box"  #: the cube (−1, 1)ᵈ
    SPHERE = "sphere"  #: the unit sphere in ℝᵈ
    CODES = "codes"  #: entries of a finite codebook


@dataclass(frozen=True)
class Sizes:
    """The shapes and counts that a model needs to know about its data.

    x: shape of one example: (28, 28), (3, 32, 32), or (30,) for vectors.
    z: shape of one code: (2,).
    context: number of features that condition the model; 0 for an unconditional model.
    n: number of training examples, used by estimators of log q(z).
    labelled: fraction of the training examples that have a label. It is set where batches contain
        a different fraction of labelled examples than the data, else None.
    bounded: whether the values of examples are in [0, 1]; those of tables are not.

    >>> import autoencode as ae
    >>> sizes = ae.Sizes((28, 28), (2,))
    >>> sizes.image, sizes.pixels, sizes.latent
    ((1, 28, 28), 784, 2)
    """

    x: tuple[int, ...]
    z: tuple[int, ...]
    context: int = 0
    n: int = 0
    labelled: float | None = None
    bounded: bool = True

    @property
    def image(self) -> tuple[int, int, int] | None:
        """Channels, height and width of an image; None if examples are vectors."""
        if len(self.x) == 2:
            return (1, *self.x)
        return self.x if len(self.x) == 3 else None

    @property
    def pixels(self) -> int:
        """Number of values in one example."""
        return math.prod(self.x)

    @property
    def latent(self) -> int:
        """Number of latent dimensions."""
        return math.prod(self.z)


@dataclass(frozen=True)
class Code:
    """The encoding of a batch.

    z: input of the decoder, [*S, B, *Z]: the posterior mean, or samples if they were requested.
    q: the posterior q(z|x), batch [B], event [*Z]; None for a deterministic bottleneck.
    costs: loss terms that the bottleneck or the model adds itself, name -> values [B].
    index: indices of discrete codes, [B, groups]; None for continuous codes.
    features: what a sparse bottleneck selects from, [B, d]: the values of all dimensions before the
        selection; None for other bottlenecks.
    active: the number of active dimensions divided by the desired one, [B], with a gradient where
        thresholds are learned; None for bottlenecks that do not learn which dimensions are active.
    """

    z: Tensor
    q: Distribution | None = None
    costs: Mapping[str, Tensor] = field(default_factory=dict)
    index: Tensor | None = None
    features: Tensor | None = None
    active: Tensor | None = None


@dataclass(frozen=True)
class ForwardPass:
    """The result of one forward pass in training: everything that a loss term may use.

    x: target of the reconstruction, [B, *X].
    inputs: input of the encoder, [B, *X]; `x` itself if the recipe has no corruption.
    context: conditioning features, [B, C]; None for an unconditional model.
    code: the encoding of the batch.
    px: the likelihood p(x|z), batch [*S, B], event [*X].
    pz: the prior p(z|c), event [*Z]; None for a model without a prior.
    model: the model itself.
    """

    x: Tensor
    inputs: Tensor
    context: Tensor | None
    code: Code
    px: Distribution
    pz: Distribution | None
    model: Autoencoder


class ModelOutput(NamedTuple):
    """The result of calling a model: codes [B, *Z] and reconstructions in the input's shape."""

    codes: Tensor
    images: Tensor


@runtime_checkable
class Autoencoder(Protocol):
    """The protocol of all models; every implementation is also an `nn.Module`.

    `encode` is deterministic (it returns the posterior mean) unless `samples` is given. `encode`,
    `decode` and `forward` record gradients in training mode, and otherwise only if an input
    requires them. `forward_pass` is used by training steps.
    `context` conditions the model: class labels [B] (−1 for unknown) or features [B, C].
    """

    space: Space
    sizes: Sizes

    def encode(self, x: Tensor, context: Tensor | None = None, samples: int | None = None) -> Code:
        """Encodes examples [B, *X]; with `samples=S`, z is [S, B, *Z], sampled from q(z|x)."""
        ...

    def decode(self, z: Tensor, context: Tensor | None = None) -> Distribution:
        """Decodes codes [*S, B, *Z] to p(x|z), batch [*S, B], event [*X]."""
        ...

    def prior(self, context: Tensor | None = None) -> Distribution | None:
        """The prior p(z|c), event [*Z]; None for a model without a prior."""
        ...

    def sampler(self) -> Distribution | None:
        """The distribution of random codes: the fitted sampler, else the prior, else None."""
        ...

    def forward_pass(self, x: Tensor, context: Tensor | None = None) -> ForwardPass:
        """Runs a training pass, including corruption and sampling of codes."""
        ...

    def forward(self, x: Tensor, context: Tensor | None = None) -> ModelOutput:
        """Encodes and decodes examples, without corruption and without sampling."""
        ...


# The width of a layer, a number of channels, or the size of a code.
Width = Annotated[int, Within(1, 1_000_000)]


class Network(ABC):
    """An architecture: it builds the encoder network and the decoder network.

    The arguments of its `__init__` are its configuration in a recipe.
    """

    # Name in recipes; only networks of the package define it.
    name: ClassVar[str]

    @abstractmethod
    def encoder(self, sizes: Sizes, features: int) -> nn.Module:
        """Builds a module that maps (x [B, *X], context [B, C] or None) to [B, features]."""

    @abstractmethod
    def decoder(self, sizes: Sizes, channels: int) -> nn.Module:
        """Builds a module that maps (z [B, *Z], context [B, C] or None) to [B, channels, *X]."""


@runtime_checkable
class StartsAtData(Protocol):
    """Half of a network whose weights start at the scale of the data.

    shape: shape of one of the examples that `start_at` takes.
    """

    shape: tuple[int, ...]

    def start_at(self, examples: Tensor) -> None:
        """Sets weights before training.

        examples: of an encoder's inputs, [N, *X], or of a decoder's outputs, [N, channels, *X],
            without NaN.
        """
        ...


class Part(nn.Module):
    """Base class of modules that fill a slot of a recipe.

    The arguments of its `__init__` after `sizes` are its configuration in a recipe.
    """

    # Name in recipes; a class that defines it is found and registered.
    name: ClassVar[str]

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.sizes = sizes


class Corruption(Part, ABC):
    """Corrupts the encoder's input in `forward_pass`; the target stays the clean example.

    It is active in training and in validation. `encode` and `forward` do not corrupt examples.
    """

    @abstractmethod
    def forward(self, x: Tensor) -> Tensor:
        """Corrupts examples [B, *X] in [0, 1]; the result is [B, *X] in [0, 1]."""


class Context(Part, ABC):
    """Converts labels or vectors of the data to the features that condition the model."""

    # Which part of the data it uses: "labels" or "vectors".
    source: ClassVar[str]

    @abstractmethod
    def forward(self, context: Tensor) -> Tensor:
        """Converts labels [B] or vectors [B, C] to features [B, C]; features stay unchanged."""


class Bottleneck(Part, ABC):
    """Converts the output of the encoder network to a code."""

    space: ClassVar[Space]
    random: ClassVar[bool] = False  # whether `Code.q` is a posterior q(z|x)
    normal: ClassVar[bool] = False  # whether that posterior is an Independent(Normal)
    sparse: ClassVar[bool] = False  # whether it sets most of a code to 0, and gives `Code.features`
    counted: ClassVar[bool] = False  # whether it gives `Code.active`
    thresholds: ClassVar[bool] = False  # whether that has a gradient
    maps: ClassVar[bool] = True  # whether a code may be a feature map [D, h, w]
    # Whether z without samples is the first d features as they are, and the others, if there are
    # any, are ln σ² of a normal posterior: then a linear encoder gives the codes of PCA.
    affine: ClassVar[bool] = False
    # Outputs of the encoder for each number of the code.
    features: int = 1
    # Unit of each cost that `Code.costs` may hold: cost name -> "nats" or "".
    cost_units: ClassVar[Mapping[str, str]] = {}

    @abstractmethod
    def forward(self, h: Tensor, samples: int | None = None) -> Code:
        """Converts features [B, features · d] to a code; `samples` as in `Autoencoder.encode`."""

    def split_features(self, h: Tensor) -> tuple[Tensor, ...]:
        """Splits [B, features · d] into `features` tensors of shape [B, *Z]."""
        return tuple(chunk.reshape(-1, *self.sizes.z) for chunk in h.chunk(self.features, -1))


class Prior(Part, ABC):
    """The prior distribution p(z|c) of the codes."""

    space: ClassVar[Space]
    clustered: ClassVar[bool] = False  # whether it is a mixture with `responsibilities`

    @abstractmethod
    def forward(self, context: Tensor | None, encode: Callable[[Tensor], Code]) -> Distribution:
        """Returns p(z|c), event [*Z]; `encode` is the encoder, for priors that are based on it."""


class FittedPrior(Prior, ABC):
    """A prior whose parameters are re-initialised once during training, by a fit to the codes.

    after: number of training steps before the fit; None for no fit.
    """

    after: int | None

    @abstractmethod
    def fit(self, z: Tensor, seed: int) -> None:
        """Fits the parameters to the codes of the training examples, z [N, *Z].

        Raises:
            DataError: there are too few codes.
        """


class Sampler(Part, ABC):
    """A distribution that is fitted to the codes of the training examples after training.

    Its state is held in buffers or parameters, so that it is saved with the weights.
    """

    # Whether it needs discrete codes (`Space.CODES`); otherwise it needs continuous codes.
    discrete: ClassVar[bool] = False

    @abstractmethod
    def fit(self, code: Code, seed: int) -> None:
        """Fits the distribution to the codes of all training examples, z [N, *Z].

        Raises:
            DataError: there are too few codes.
        """

    @abstractmethod
    def forward(self) -> Distribution:
        """Returns the fitted distribution, event [*Z].

        Raises:
            RunError: the sampler has not been fitted.
        """


class Likelihood(Part, ABC):
    """Converts the output of the decoder network to the distribution p(x|z)."""

    # Outputs of the decoder for each number of an example.
    channels: int = 1
    # Whether p(x|z) integrates to 1; if not, −ln p(x|z) is an energy and is not given in nats.
    normalised: ClassVar[bool] = True
    # Whether values of an example may be missing, NaN.
    missing: bool = False
    # (a, b) if the mean of p(x|z) is a + b θ, with θ of the first channel, so that a linear decoder
    # can give the mean of PCA; None for any other function.
    affine: tuple[float, float] | None = None

    def initialise(self, x: Tensor) -> None:
        """Sets parameters to the scale of the training examples x [N, *X], before training."""

    def noise_variance(self) -> float | None:
        """The variance of a value given z; None if training examples decide where it starts."""
        return None

    def set_noise_variance(self, variance: float) -> None:  # most have none
        """Sets where a learned variance of a value given z starts, before training."""

    @abstractmethod
    def forward(self, theta: Tensor) -> Distribution:
        """Converts decoder outputs [*S, B, channels, *X] to a distribution with event [*X]."""


class Term(Part, ABC):
    """A loss term: a value per example, without its weight; lower is better."""

    # Properties that the model must have: "posterior", "prior", "samples" (at least two codes per
    # example), "normal-posterior", "mixture-prior", "features" and "active" (see `Code`), and
    # "thresholds", see `Bottleneck`.
    needs: ClassVar[frozenset[str]] = frozenset()
    formula: ClassVar[str]
    # Unit of the value: "nats" for log-likelihoods and KL divergences, "" for any other penalty.
    unit: ClassVar[str] = "nats"
    # Whether the value contains −ln p(x|z).
    has_likelihood: ClassVar[bool] = False

    @abstractmethod
    def forward(self, p: ForwardPass) -> Tensor:
        """Returns values per example, [*S, B], or one value for the batch, []."""


class Adversary(Term):
    """A term with a critic network that is trained against the model.

    `forward` is the loss of the model. After each update of the model, the trainer updates the
    critic with `critic_loss` and a separate optimiser.
    """

    @abstractmethod
    def critic_loss(self, p: ForwardPass) -> Tensor:
        """Returns the loss of the critic, []; it sends no gradient to the model."""
