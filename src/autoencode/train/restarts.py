"""Units of sparse codes that stay inactive begin anew at what the model reconstructs badly.

A unit that the term `aux-k` does not revive has half learned a direction that another unit has: it
explains what is left of that direction, and no gradient leads away from it. The error of a badly
reconstructed example points to a direction that no unit has.
"""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor

from autoencode.data import scaled
from autoencode.models.assemble import Decoder, Encoder
from autoencode.parts.networks.dictionary import DictionaryDecoder, DictionaryEncoder
from autoencode.parts.terms.dictionary import AuxK
from autoencode.train.batches import SEED_STRIDE, Batches
from autoencode.train.state import TrainState

# Steps from one look for such units to the next.
EVERY = 20
# The term alone has so many times as long to revive a unit as until it is dead.
USES = 3
# The share of a training after which no unit begins anew: it would have no time to learn.
UNTIL = 0.8
# Examples for each unit that begins anew at once, so that few units get the same direction.
EXAMPLES_PER_UNIT = 8
# Examples are drawn in proportion to this power of the length of their error [bricken2023].
POWER = 4


class Restarts:
    """Lets idle units of a dictionary with the term `aux-k` begin anew; other models have none."""

    def __init__(self, state: TrainState, batches: Batches) -> None:
        self.state, self.batches = state, batches
        self.done = state.settings.done_steps
        self.steps = state.total_steps - self.done
        terms = [each for each in state.objective.terms if isinstance(each, AuxK)]
        self.term = next((each for each in terms if each.restart), None)
        if (halves := _halves(state)) is None:
            self.term = None
        else:
            self.encoder, self.decoder = halves

    def is_due(self, step: int) -> bool:
        """Whether it is called after that many updates."""
        step -= self.done
        return self.term is not None and step % EVERY == 0 and step <= UNTIL * self.steps

    def __call__(self) -> None:
        """Changes the units, and forgets where the optimiser was heading with them."""
        assert self.term is not None
        found = self.state.group.first(partial(self.found, self.term))
        if found is None:
            return
        units, directions = (each.to(self.state.device) for each in found)
        # What is active now.
        like = self.term.idle == self.term.idle.min()
        changed = self.encoder.restart(units, directions, like)
        changed += self.decoder.restart(units, directions)
        for p in changed:
            if p in self.state.optimizer.state:
                self.state.optimizer.state[p]["exp_avg"][units] = 0
        self.term.idle[units] = 0

    @torch.no_grad()
    def found(self, term: AuxK) -> tuple[Tensor, Tensor] | None:
        """Units that begin anew, [n], and the direction of each, [n, values]; None without any."""
        state, batches = self.state, self.batches
        idle = term.idle > term.restart * self.steps * batches.batch_size
        if not idle.any():
            return None
        x = scaled(batches.x.index_select(0, batches.rows(state.step))).to(state.device)
        state.objective.eval()
        codes, images = state.model.forward(x)
        state.objective.train()
        idle &= term.idle * (codes != 0).float().mean() > USES * term.after
        errors = (x - images).flatten(1).nan_to_num(0.0).cpu().double()
        lengths = errors.norm(dim=1)
        count = min(int(idle.sum()), max(1, len(x) // EXAMPLES_PER_UNIT), int((lengths > 0).sum()))
        if count == 0:
            return None
        seed = state.settings.seed * SEED_STRIDE + state.step
        draw = torch.Generator().manual_seed(seed % 2**63)
        chances = (lengths / lengths.max()).pow(POWER)
        rows = chances.multinomial(count, generator=draw)
        # The ones that were inactive for longest.
        units = torch.where(idle, term.idle, -1.0).topk(count).indices.cpu()
        return units, errors[rows] / lengths[rows, None]


def _halves(state: TrainState) -> tuple[DictionaryEncoder, DictionaryDecoder] | None:
    """The two halves of a dictionary that are trained; None in another model."""
    modules = [
        each.network for each in state.model.modules() if isinstance(each, Encoder | Decoder)
    ]
    if len(modules) != 2:
        return None
    encoder = next((each for each in modules if isinstance(each, DictionaryEncoder)), None)
    decoder = next((each for each in modules if isinstance(each, DictionaryDecoder)), None)
    if encoder is None or decoder is None or len(decoder.bias) != state.model.sizes.pixels:
        return None
    return (encoder, decoder) if _is_trained(encoder) and _is_trained(decoder) else None


def _is_trained(module: torch.nn.Module) -> bool:
    return all(p.requires_grad for p in module.parameters())
