"""Trainings that differ so little that they can be done in lockstep."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace

from autoencode.data import Data
from autoencode.errors import AutoencodeError, Interrupted
from autoencode.models.recipe import Recipe
from autoencode.train.lockstep.together import Member, Together, plan_of
from autoencode.train.run_folder import memory_errors
from autoencode.train.settings import Settings
from autoencode.train.training import Fitted, Training


def likeness(recipe: Recipe, settings: Settings) -> str:
    """The same for trainings that differ in their seeds and in the weights of their terms only."""
    terms = {name: replace(term, weight=1.0) for name, term in recipe.terms.items()}
    words = [recipe.but(terms=terms).to_dict(), replace(settings, seed=0).to_dict()]
    return json.dumps(words, sort_keys=True, default=str)


def on_device(data: Data, training: Training) -> Data:
    """The data where a training computes, so that many hold them once."""
    device = training.loop.device
    moved = {
        name: replace(part, x=part.x.to(device))
        for name, part in (("train", data.train), ("validation", data.validation))
    }
    return replace(data, **moved)


def train_together(
    trainings: Sequence[Training], overwrite: Sequence[bool], progress: bool | None
) -> list[Fitted | AutoencodeError]:
    """Trains them in lockstep, those that are at the same step; what became of each.

    Those that have a run are continued, the others begin.

    Raises:
        Untraceable: they cannot be; nothing was changed.
        Interrupted: Ctrl-C or SIGTERM, after all of them were saved.
    """
    plan = plan_of(trainings[0].loop, len(trainings))
    found: dict[int, Fitted | AutoencodeError] = {}
    with ExitStack() as held:
        members: dict[int, Member] = {}
        for i, (training, replacing) in enumerate(zip(trainings, overwrite, strict=True)):
            with training.seeded():
                try:
                    begins = training.run is None
                    held.enter_context(training.begun(replacing) if begins else training.restored())
                    members[i] = Member.of(training.loop)
                except AutoencodeError as error:
                    found[i] = error
        for step in sorted({member.loop.step for member in members.values()}):
            places = [i for i, member in members.items() if member.loop.step == step]
            some = [members[i] for i in places]
            try:
                with memory_errors(some[0].loop.settings.batch_size):
                    Together(some, plan, progress).run()
            except Interrupted as error:
                for i in members.keys() - found.keys():
                    trainings[i].stopped(error)
                raise
            except AutoencodeError as error:
                found |= dict.fromkeys(places, error)
                continue
            found |= {i: _ended(trainings[i], members[i]) for i in places}
    return [found[i] for i in range(len(trainings))]


def _ended(training: Training, member: Member) -> Fitted | AutoencodeError:
    if member.error is not None:
        training.stopped(member.error)
        return member.error
    try:
        with training.seeded():
            return training.finished()
    except AutoencodeError as error:
        return error
