"""A sampler of discrete codes: one index after another."""

from __future__ import annotations

from typing import Annotated, Any, Protocol

import torch
from torch import Tensor, nn
from torch.distributions import Distribution
from torch.nn import functional

from autoencode.contract import Code, Sizes, Width, Within
from autoencode.errors import RecipeError
from autoencode.parts.samplers.fitted import FittedSampler, Learning, redraw


class Book(Protocol):
    """What turns indices into codes and back: a bottleneck whose space is CODES.

    groups: indices in one code.   entries: values of each index.
    """

    groups: int
    entries: int

    def codes_of(self, index: Tensor) -> Tensor:
        """Indices [*some, groups] to codes [*some, *Z]."""
        ...

    def index_of(self, z: Tensor) -> Tensor:
        """Codes [*some, *Z] to indices [*some, groups]."""
        ...


class Autoregressive(FittedSampler):
    """p(k) = ∏ᵢ p(kᵢ | k₁ … kᵢ₋₁): each index of a discrete code given those before it.

    A masked network, trained by maximum likelihood on `Code.index`, gives all these conditionals
    in one pass; a draw takes one for each index. A code's probability is that of its indices.
    width: units of each group in each of the two hidden layers.   steps, lr: of its training, by
    500 codes.   Source: [oord2017], section 3.3; the masked network: [germain2015].
    """

    discrete = True

    def __init__(
        self,
        sizes: Sizes,
        book: Book,
        width: Width = 16,
        steps: Annotated[int, Within(1, 10_000_000)] = 1000,
        lr: Annotated[float, Within(0.0, 10.0)] = 5e-3,
    ) -> None:
        """The book is the model's own bottleneck; it is asked, and not kept as a part of this."""
        super().__init__(sizes)
        self.groups, self.entries = book.groups, book.entries
        self.codes_of, self.index_of = book.codes_of, book.index_of
        self.width, self.steps, self.lr = width, steps, lr
        self.network = self._build().requires_grad_(False)

    def _build(self) -> NextIndex:
        return NextIndex(self.groups, self.entries, self.width)

    def learn(self, code: Code, seed: int) -> None:
        """Maximises the likelihood of the indices [N, groups].

        Raises:
            RecipeError: the codes have no index.
        """
        if code.index is None:
            raise RecipeError(
                'Sampler "autoregressive" learns from indices, and these codes have none',
                'Use sampler "mixture", or a bottleneck with a book, such as "vq".',
            )
        index = code.index.detach().clone().to(self.fitted.device)

        def loss(chosen: Tensor) -> Tensor:
            batch = index[chosen]
            return functional.cross_entropy(self.network(batch).flatten(0, 1), batch.flatten())

        redraw(self.network, self._build, seed)
        Learning(self.steps, self.lr).minimise(self.network, loss, len(index), seed)

    def learned(self) -> Distribution:
        """Event [*Z]."""
        return BookCodes(self)


class NextIndex(nn.Module):
    """Logits of each index given those before it, all in one pass: groups with masked layers."""

    def __init__(self, groups: int, entries: int, width: int) -> None:
        super().__init__()
        self.groups = groups
        self.symbol = nn.Embedding(entries, width)
        self.first = CausalLinear(groups, width, own=False)
        self.second = CausalLinear(groups, width, own=True)
        self.head = nn.Linear(width, entries)
        # What each group takes most often, whatever came before.
        self.habit = nn.Embedding(groups, entries)
        nn.init.zeros_(self.habit.weight)

    def forward(self, index: Tensor) -> Tensor:
        """Indices [B, groups] to logits [B, groups, entries]."""
        logits: Tensor = self.head(self._past(index)) + self.habit.weight
        return logits

    def draw(self, n: int) -> Tensor:
        """New indices [n, groups], each group computed once, when all before it are drawn."""
        habits = self.habit.weight
        index = torch.zeros(n, self.groups, dtype=torch.long, device=habits.device)
        symbols = habits.new_zeros(n, self.groups, self.symbol.embedding_dim)
        past = torch.zeros_like(symbols)
        for group, habit in enumerate(habits):
            past[:, group] = functional.silu(self.first.at(symbols, group))
            both = past[:, group] + functional.silu(self.second.at(past, group))
            index[:, group] = drawn_entry(self.head(both) + habit)
            symbols[:, group] = self.symbol(index[:, group])
        return index

    def _past(self, index: Tensor) -> Tensor:
        """What each group can know of those before it, [B, groups, width]."""
        past = functional.silu(self.first(self.symbol(index)))
        both: Tensor = past + functional.silu(self.second(past))
        return both


def drawn_entry(logits: Tensor) -> Tensor:
    """An entry for each row [B, entries], as likely as it says: [B].

    Many times as quick as `torch.multinomial`, where rows and entries are many.
    """
    rising = logits.softmax(-1).cumsum(-1)
    mark = torch.rand_like(rising[:, :1]) * rising[:, -1:]
    found = torch.searchsorted(rising, mark, right=True)[:, 0]
    return found.clamp(max=logits.shape[-1] - 1)  # where rounding made the mark the whole


class CausalLinear(nn.Module):
    """A linear layer [B, groups, width] to the same, in which no group sees a later one.

    own: whether a group sees itself.
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
        """One group of what `forward` gives, [B, width]; later groups of h are not looked at."""
        rows = slice(group * self.width, (group + 1) * self.width)
        seen = (group + self.own) * self.width
        weight = self.linear.weight[rows, :seen]
        return functional.linear(h.flatten(1)[:, :seen], weight, self.linear.bias[rows])


class BookCodes(Distribution):
    """Codes of a book, drawn index by index: event [*Z]."""

    arg_constraints = {}  # noqa: RUF012

    def __init__(self, sampler: Autoregressive) -> None:
        self.sampler = sampler
        super().__init__(event_shape=torch.Size(sampler.sizes.z), validate_args=False)

    @torch.no_grad()
    def sample(self, sample_shape: Any = ()) -> Tensor:
        """Draws [*sample_shape, *Z]."""
        shape = torch.Size(sample_shape)
        index = self.sampler.network.draw(shape.numel())
        return self.sampler.codes_of(index.reshape(*shape, -1))

    def log_prob(self, value: Tensor) -> Tensor:
        """Nats of the entries nearest to codes [*some, *Z]: [*some]."""
        index = self.sampler.index_of(value)
        rows = index.reshape(-1, index.shape[-1])
        surprise = functional.cross_entropy(
            self.sampler.network(rows).flatten(0, 1), rows.flatten(), reduction="none"
        )
        return -surprise.reshape(rows.shape).sum(1).reshape(index.shape[:-1])
