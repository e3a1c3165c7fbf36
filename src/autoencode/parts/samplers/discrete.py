"""An autoregressive sampler of discrete codes."""

from __future__ import annotations

from typing import Annotated, Any, Protocol

import torch
from torch import Tensor, nn
from torch.distributions import Distribution
from torch.nn import functional

from autoencode.contract import Code, Sizes, Width, Within
from autoencode.errors import RecipeError
from autoencode.parts.samplers.fitted import FittedSampler, train_network


class Book(Protocol):
    """A codebook: a bottleneck whose space is CODES, which converts between indices and codes.

    groups: number of indices per code.   entries: number of values of each index.
    """

    groups: int
    entries: int

    def codes_of(self, index: Tensor) -> Tensor:
        """Converts indices [*some, groups] to codes [*some, *Z]."""
        ...

    def index_of(self, z: Tensor) -> Tensor:
        """Converts codes [*some, *Z] to indices [*some, groups]."""
        ...


class Autoregressive(FittedSampler):
    """Autoregressive distribution of the indices: p(k) = ∏ᵢ p(kᵢ | k₁ … kᵢ₋₁).

    A masked network, trained by maximum likelihood on `Code.index`, computes all conditionals in
    one pass; a sample takes one pass per index.
    width: units per group in each of the two hidden layers.
    steps, lr: training steps and learning rate, for batches of 500 codes.
    Source: [oord2017], section 3.3; the masked network: [germain2015].
    """

    name = "autoregressive"
    discrete = True

    def __init__(
        self,
        sizes: Sizes,
        book: Book,
        width: Width = 16,
        steps: Annotated[int, Within(1, 10_000_000)] = 1000,
        lr: Annotated[float, Within(0.0, 10.0)] = 5e-3,
    ) -> None:
        """`book` is the bottleneck of the model; it does not become a submodule of the sampler."""
        super().__init__(sizes)
        self.groups, self.entries = book.groups, book.entries
        self.codes_of, self.index_of = book.codes_of, book.index_of
        self.width, self.steps, self.lr = width, steps, lr
        self.network = self._build().requires_grad_(False)

    def _build(self) -> NextIndex:
        return NextIndex(self.groups, self.entries, self.width)

    def fit_codes(self, code: Code, seed: int) -> None:
        """Maximises the likelihood of the indices [N, groups].

        Raises:
            RecipeError: the codes have no indices.
        """
        if code.index is None:
            raise RecipeError(
                'Sampler "autoregressive" needs discrete codes, and these codes are continuous',
                'Use sampler "mixture", or a bottleneck with a codebook, such as "vq".',
            )
        index = code.index.detach().clone().to(self.fitted.device)

        def loss(batch: Tensor) -> Tensor:
            target = index[batch]
            return functional.cross_entropy(self.network(target).flatten(0, 1), target.flatten())

        train_network(self.network, self._build, loss, len(index), seed, self.steps, self.lr)

    def distribution(self) -> Distribution:
        """Event [*Z]."""
        return BookCodes(self)


class NextIndex(nn.Module):
    """Masked network that computes the logits of each index given all previous indices."""

    def __init__(self, groups: int, entries: int, width: int) -> None:
        super().__init__()
        self.groups = groups
        self.symbol = nn.Embedding(entries, width)
        self.first = CausalLinear(groups, width, own=False)
        self.second = CausalLinear(groups, width, own=True)
        self.head = nn.Linear(width, entries)
        # Logits of each group that do not depend on the previous indices.
        self.bias = nn.Embedding(groups, entries)
        nn.init.zeros_(self.bias.weight)

    def forward(self, index: Tensor) -> Tensor:
        """Indices [B, groups] to logits [B, groups, entries]."""
        logits: Tensor = self.head(self._past(index)) + self.bias.weight
        return logits

    def sample(self, n: int) -> Tensor:
        """Samples indices [n, groups], group by group; each hidden unit is computed once."""
        biases = self.bias.weight
        index = torch.zeros(n, self.groups, dtype=torch.long, device=biases.device)
        symbols = biases.new_zeros(n, self.groups, self.symbol.embedding_dim)
        past = torch.zeros_like(symbols)
        for group, bias in enumerate(biases):
            past[:, group] = functional.silu(self.first.at(symbols, group))
            both = past[:, group] + functional.silu(self.second.at(past, group))
            index[:, group] = sample_entry(self.head(both) + bias)
            symbols[:, group] = self.symbol(index[:, group])
        return index

    def _past(self, index: Tensor) -> Tensor:
        """Hidden features of each group, computed from the previous groups, [B, groups, width]."""
        past = functional.silu(self.first(self.symbol(index)))
        both: Tensor = past + functional.silu(self.second(past))
        return both


def sample_entry(logits: Tensor) -> Tensor:
    """Samples one entry per row of logits [B, entries]: [B].

    It is much faster than `torch.multinomial` for many rows and entries.
    """
    cumulative = logits.softmax(-1).cumsum(-1)
    threshold = torch.rand_like(cumulative[:, :1]) * cumulative[:, -1:]
    found = torch.searchsorted(cumulative, threshold, right=True)[:, 0]
    # Rounding may make the threshold equal to the sum.
    return found.clamp(max=logits.shape[-1] - 1)


class CausalLinear(nn.Module):
    """Masked linear layer on [B, groups, width]: a group depends on no later group.

    own: whether a group depends on itself.
    """

    allowed: Tensor

    def __init__(self, groups: int, width: int, *, own: bool) -> None:
        super().__init__()
        self.width, self.own = width, own
        self.linear = nn.Linear(groups * width, groups * width)
        earlier = torch.ones(groups, groups).tril(0 if own else -1)
        blocks = earlier.repeat_interleave(width, 0).repeat_interleave(width, 1)
        self.register_buffer("allowed", blocks.bool(), persistent=False)

    def forward(self, h: Tensor) -> Tensor:
        """[B, groups, width]."""
        weight = self.linear.weight * self.allowed
        return functional.linear(h.flatten(1), weight, self.linear.bias).reshape(h.shape)

    def at(self, h: Tensor, group: int) -> Tensor:
        """One group of the result of `forward`, [B, width]; later groups of h are not used."""
        rows = slice(group * self.width, (group + 1) * self.width)
        inputs = (group + self.own) * self.width
        weight = self.linear.weight[rows, :inputs]
        return functional.linear(h.flatten(1)[:, :inputs], weight, self.linear.bias[rows])


class BookCodes(Distribution):
    """The distribution of discrete codes under an autoregressive sampler: event [*Z]."""

    arg_constraints = {}  # noqa: RUF012

    def __init__(self, sampler: Autoregressive) -> None:
        self.sampler = sampler
        super().__init__(event_shape=torch.Size(sampler.sizes.z), validate_args=False)

    @torch.no_grad()
    def sample(self, sample_shape: Any = ()) -> Tensor:
        """Samples [*sample_shape, *Z]."""
        shape = torch.Size(sample_shape)
        index = self.sampler.network.sample(shape.numel())
        return self.sampler.codes_of(index.reshape(*shape, -1))

    def log_prob(self, value: Tensor) -> Tensor:
        """Nats, the log-probability of the entries nearest to codes [*some, *Z]: [*some]."""
        index = self.sampler.index_of(value)
        rows = index.reshape(-1, index.shape[-1])
        nats = functional.cross_entropy(
            self.sampler.network(rows).flatten(0, 1), rows.flatten(), reduction="none"
        )
        return -nats.reshape(rows.shape).sum(1).reshape(index.shape[:-1])
