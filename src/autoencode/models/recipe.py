"""A recipe: which part fills each slot. JSON in, JSON out."""

from __future__ import annotations

import json
import reprlib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any, Self

from autoencode.contract import Width
from autoencode.errors import RecipeError, did_you_mean
from autoencode.models.arguments import arguments_of, check_arguments, check_value
from autoencode.parts import SLOTS
from autoencode.parts.networks import network_class
from autoencode.parts.networks.custom import is_custom, kind_of_class, network_file


@dataclass(frozen=True)
class Spec:
    """A part by its name in the slot's table; `args` are those of its `__init__`.

    A network may be one of your own: "my_nets.py:MyNet", or in Python the class itself.
    """

    kind: str
    args: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if isinstance(self.kind, type):
            object.__setattr__(self, "kind", kind_of_class(self.kind))
        elif is_custom(self.kind):
            # A run is opened from other folders too.
            path, name = network_file(self.kind)
            object.__setattr__(self, "kind", f"{path}:{name}" if name else str(path))


@dataclass(frozen=True)
class Weighted(Spec):
    """A term of the objective and its weight."""

    weight: float = 1.0


def _reconstruction() -> Mapping[str, Weighted]:
    return {"reconstruction": Weighted("reconstruction")}


@dataclass(frozen=True)
class Recipe:
    """What fills each slot of an autoencoder.

    name, about, papers: how the table and the documentation speak of it.
    latent: numbers in one code.
    model: how the parts are put together, see `models.kinds`.
    network, bottleneck, likelihood: the parts that no model works without.
    prior: how codes are meant to be distributed, or None.
    corruption: what spoils the examples that the encoder is shown, or None.
    context: what conditions the model beside the example, or None.
    sampler: what is fitted to the codes after training, to draw new ones, or None.
    terms: the objective, name -> weighted term; the loss is their weighted sum, in nats.
    samples: codes drawn for each example in training; None is one where the bottleneck is random.
    schedules: dotted name of a number -> (start, steps): in training it moves in a straight line
        from `start` to the recipe's own value, which it reaches after so many steps. A third
        number, (start, steps, wait), holds it at `start` for so many steps before.
    training: settings that suit this model, where they differ from the trainer's defaults.
    """

    name: str = "custom"
    about: str = ""
    papers: tuple[str, ...] = ()
    latent: int = 2
    model: Spec = Spec("slots")
    network: Spec = Spec("mlp")
    bottleneck: Spec = Spec("point")
    likelihood: Spec = Spec("gaussian")
    prior: Spec | None = None
    corruption: Spec | None = None
    context: Spec | None = None
    sampler: Spec | None = None
    terms: Mapping[str, Weighted] = field(default_factory=_reconstruction)
    samples: int | None = None
    schedules: Mapping[str, tuple[float, int] | tuple[float, int, int]] = field(
        default_factory=dict
    )
    training: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if isinstance(self.papers, list):  # as JSON has them
            object.__setattr__(self, "papers", tuple(self.papers))
        self._check()

    def _check(self) -> None:
        for name, kind in (("name", str), ("about", str), ("papers", tuple[str, ...])):
            check_value(getattr(self, name), kind, name)
        check_value(self.latent, Width, "latent")
        check_value(self.samples, Width | None, "samples")
        for slot in NEEDED:
            if getattr(self, slot) is None:
                raise RecipeError(
                    f'Recipe "{self.name}" has no {slot}, and no model works without one',
                    f"Choose one of: {', '.join(sorted(SLOTS[slot]))}.",
                )
        for slot, spec in self._specs():
            table = SLOTS[slot.split(".")[0]]
            if slot == "network" and is_custom(spec.kind):
                check_arguments(network_class(spec.kind), spec.args, slot)
                continue
            if spec.kind not in table:
                raise RecipeError(
                    f'There is no {slot.split(".")[0].removesuffix("s")} "{spec.kind}"',
                    did_you_mean(spec.kind, table),
                )
            check_arguments(table[spec.kind], spec.args, slot)
            if isinstance(spec, Weighted):
                check_value(spec.weight, float, f"{slot}.weight")
        check_value(self.model, Spec, "model")
        self._check_schedules()
        for name in self.terms:
            if not name.replace("-", "_").isidentifier():
                raise RecipeError(
                    f"{reprlib.repr(name)} is no name for a term",
                    "Give it letters, digits, - and _: it is part of an address.",
                )
        if not self.terms:
            raise RecipeError(
                f'Recipe "{self.name}" has no terms, so there is nothing to minimise',
                'Give it at least the term "reconstruction".',
            )

    def _check_schedules(self) -> None:
        for address, plan in self.schedules.items():
            if address not in self.addresses() or "." not in address:
                raise RecipeError(
                    f'There is no number "{address}" that a schedule could move',
                    did_you_mean(address, [name for name in self.addresses() if "." in name]),
                )
            if not isinstance(plan, tuple | list) or len(plan) not in (2, 3):
                raise RecipeError(
                    f"schedules.{address} must be (start, steps) or (start, steps, wait), and is "
                    f"{reprlib.repr(plan)}",
                    f"For example: --set schedules.{address}=[0,5000].",
                )
            check_value(plan[0], float, f"schedules.{address}, the start,")
            for steps in plan[1:]:
                check_value(steps, Width, f"schedules.{address}, the steps,")

    def _specs(self) -> list[tuple[str, Spec]]:
        named = [(slot, getattr(self, slot)) for slot in PART_SLOTS]
        named += [(f"terms.{name}", term) for name, term in self.terms.items()]
        return [(slot, spec) for slot, spec in named if spec is not None]

    def parts(self) -> list[tuple[str, Spec, type[Any]]]:
        """What fills each slot, "network" or "terms.NAME": its spec and its class."""
        found = []
        for slot, spec in self._specs():
            own = slot == "network" and is_custom(spec.kind)
            kind = network_class(spec.kind) if own else SLOTS[slot.split(".")[0]][spec.kind]
            found.append((slot, spec, kind))
        return found

    def but(self, **changes: Any) -> Self:
        """The same recipe with other fields: `RECIPES["vae"].but(latent=8)`."""
        known = [f.name for f in fields(self)]
        for name in changes:
            if name not in known:
                raise RecipeError(f'A recipe has no field "{name}"', did_you_mean(name, known))
        return replace(self, **changes)

    def set(self, address: str, value: Any) -> Self:
        """The same recipe with one number changed, by its dotted name.

        `terms.kl.weight` is a term's weight, `network.hidden` an argument of the part in a slot.
        `schedules.ADDRESS` takes (start, steps), `training.NAME` a setting.
        `likelihood` alone takes the name of another part for the slot, `terms.NAME` that of a term
        to add; None empties the slot or takes the term away.

        Raises:
            RecipeError: no such address, with the nearest one that exists.
        """
        head, _, rest = address.partition(".")
        if head == "terms" and rest and "." not in rest:
            kept = {name: term for name, term in self.terms.items() if name != rest}
            return self.but(terms=kept if value is None else kept | {rest: Weighted(str(value))})
        if head in ("training", "schedules") and rest:
            kept = {k: v for k, v in getattr(self, head).items() if k != rest}
            return self.but(**{head: kept if value is None else kept | {rest: value}})
        if head == "model":  # its arguments are checked when it is built
            made = _with_argument(self.model, rest, value) if rest else Spec(str(value))
            return self.but(model=made)
        if address not in self.addresses():
            raise RecipeError(
                f'There is nothing named "{address}" to set',
                did_you_mean(address, self.addresses()),
            )
        if not rest:
            part = head in PART_SLOTS and value is not None
            return self.but(**{head: Spec(str(value)) if part else value})
        if head != "terms":
            return self.but(**{head: _with_argument(getattr(self, head), rest, value)})
        name, _, argument = rest.partition(".")
        return self.but(
            terms={**self.terms, name: _with_argument(self.terms[name], argument, value)}
        )

    def addresses(self) -> list[str]:
        """Every dotted name that `set` takes for this recipe."""
        names = ["latent", "samples", "model", *PART_SLOTS]
        for slot, spec, kind in self.parts():
            names += [f"{slot}.{arg}" for arg in arguments_of(kind)]
            if isinstance(spec, Weighted):
                names.append(f"{slot}.weight")
        return names

    def to_json(self) -> str:
        """The recipe as indented JSON; `from_json` gives back an equal recipe."""
        return json.dumps(self.to_dict(), indent=2, ensure_ascii=False)

    def to_dict(self) -> dict[str, Any]:
        """The recipe as plain dicts and lists."""
        return {f.name: _plain(getattr(self, f.name)) for f in fields(self)}

    @classmethod
    def from_dict(cls, given: Any) -> Self:
        """A recipe from what `to_dict` gave.

        Raises:
            RecipeError: a field that does not exist, a part or argument that is not in the table.
        """
        if not isinstance(given, Mapping):
            raise RecipeError(f"A recipe is a JSON object, and this is a {type(given).__name__}")
        known = [f.name for f in fields(cls)]
        for name in given:
            if name not in known:
                raise RecipeError(f'A recipe has no field "{name}"', did_you_mean(name, known))
        made: dict[str, Any] = dict(given)
        for slot in ("model", *PART_SLOTS):
            if made.get(slot) is not None:
                made[slot] = _spec(Spec, made[slot], slot)
        if "terms" in made:
            if not isinstance(made["terms"], Mapping):
                raise RecipeError('"terms" of a recipe is an object of named terms')
            made["terms"] = {
                name: _spec(Weighted, term, f"terms.{name}") for name, term in made["terms"].items()
            }
        for name in ("training", "schedules"):
            if not isinstance(made.get(name, {}), Mapping):
                raise RecipeError(f'"{name}" of a recipe is an object of settings')
        if "schedules" in made:
            made["schedules"] = {k: _tuple(v) for k, v in made["schedules"].items()}
        return cls(**made)


NEEDED = ("network", "bottleneck", "likelihood")
PART_SLOTS = (*NEEDED, "prior", "corruption", "context", "sampler")


def _with_argument(spec: Spec, name: str, value: Any) -> Spec:
    if name == "weight" and isinstance(spec, Weighted):
        return replace(spec, weight=value)
    return replace(spec, args={**spec.args, name: value})


def _spec(kind: type[Spec], given: Any, where: str) -> Spec:
    known = [f.name for f in fields(kind)]
    if not isinstance(given, Mapping) or "kind" not in given or set(given) - set(known):
        raise RecipeError(f'"{where}" of a recipe is an object with {", ".join(known)}')
    if not isinstance(given.get("args", {}), Mapping):
        raise RecipeError(f'"{where}.args" of a recipe is an object of arguments')
    args = {key: _tuple(value) for key, value in given.get("args", {}).items()}
    return kind(**{**given, "kind": str(given["kind"]), "args": args})


def _tuple(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _plain(value: Any) -> Any:
    if isinstance(value, Spec):
        return {f.name: _plain(getattr(value, f.name)) for f in fields(value)}
    if isinstance(value, Mapping):
        return {str(key): _plain(inner) for key, inner in value.items()}
    return [_plain(inner) for inner in value] if isinstance(value, list | tuple) else value
