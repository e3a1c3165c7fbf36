"""Recipes: the configuration of a model, which can be saved as JSON."""

from __future__ import annotations

import json
import reprlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any, Self, get_args

from autoencode.arguments import arguments_of, check_arguments, check_value
from autoencode.contract import Width
from autoencode.errors import RecipeError, did_you_mean
from autoencode.models.schedules import Course, read_schedule
from autoencode.parts import SLOTS
from autoencode.parts.networks import network_class
from autoencode.parts.networks.custom import is_custom, kind_of_class, network_file


@dataclass(frozen=True)
class Spec:
    """The name of a part and the arguments of its `__init__`.

    A network may also be custom: "my_nets.py:MyNet", or in Python the class itself.

    >>> import autoencode as ae
    >>> ae.RECIPES["denoising-ae"].corruption == ae.Spec("gaussian-noise", {"scale": 0.5})
    True
    """

    kind: str
    args: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if isinstance(self.kind, type):
            object.__setattr__(self, "kind", kind_of_class(self.kind))
        elif is_custom(self.kind):
            # Absolute, so that a run can be opened from any folder.
            path, name = network_file(self.kind)
            object.__setattr__(self, "kind", f"{path}:{name}" if name else str(path))


@dataclass(frozen=True)
class Weighted(Spec):
    """A loss term and its weight.

    >>> import autoencode as ae
    >>> terms = {**ae.RECIPES["ae"].terms, "l1": ae.Weighted("l1", weight=0.1)}
    >>> ae.RECIPES["ae"].but(terms=terms).terms["l1"].weight
    0.1
    """

    weight: float = 1.0


def _reconstruction() -> Mapping[str, Weighted]:
    return {"reconstruction": Weighted("reconstruction")}


@dataclass(frozen=True)
class Recipe:
    """The configuration of an autoencoder: the part of each slot, the loss, training settings.

    name, about, papers: name, one-sentence description and keys of the bibliography.
    latent: number of latent dimensions.
    model: how the parts are combined, see `models.build.MODELS`.
    network, bottleneck, likelihood: parts that every model needs.
    prior: prior of the codes, or None.
    corruption: corruption of the encoder's input, or None.
    context: what conditions the model, or None for an unconditional model.
    sampler: distribution that is fitted to the codes after training, or None.
    terms: the loss, name -> weighted term; the loss is their weighted sum.
    samples: number of sampled codes per example in training; None is one for a bottleneck with a
        posterior.
    schedules: dotted name of a number -> (start, steps) or (start, steps, wait). In training the
        number changes linearly from `start` to its value in the recipe within `steps` steps, after
        `wait` steps at `start`. ("cyclical", …) and ("stepwise", …) are other courses, see
        `models.schedules.Course`.
    training: training settings that differ from the defaults.

    >>> import autoencode as ae
    >>> recipe = ae.Recipe(name="small", latent=8, network=ae.Spec("mlp", {"hidden": (64,)}))
    >>> recipe.set("network.hidden", (64, 32)).network.args
    {'hidden': (64, 32)}
    >>> ae.RECIPES["vae"].but(name="vae-8", latent=8).latent
    8
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
    schedules: Mapping[str, tuple[float | str, ...]] = field(default_factory=dict)
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
        for slot in REQUIRED_SLOTS:
            if getattr(self, slot) is None:
                raise RecipeError(
                    f'Recipe "{self.name}" has no {slot}, which every model needs',
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
                    f"{reprlib.repr(name)} is not a valid name of a term",
                    "Use letters, digits, - and _, beginning with a letter.",
                )
        if not self.terms:
            raise RecipeError(
                f'Recipe "{self.name}" has no terms, so its loss is empty',
                'Add at least the term "reconstruction".',
            )

    def _check_schedules(self) -> None:
        for address, schedule in self.schedules.items():
            if address not in self.addresses() or "." not in address:
                raise RecipeError(
                    f'There is no number "{address}" that can be scheduled',
                    did_you_mean(address, [name for name in self.addresses() if "." in name]),
                )
            Course.of(schedule, address)

    def _specs(self) -> list[tuple[str, Spec]]:
        named = [(slot, getattr(self, slot)) for slot in PART_SLOTS]
        named += [(f"terms.{name}", term) for name, term in self.terms.items()]
        return [(slot, spec) for slot, spec in named if spec is not None]

    def parts(self) -> list[tuple[str, Spec, type[Any]]]:
        """(slot, spec, class) of every part; the slot is "network", …, or "terms.NAME"."""
        found = []
        for slot, spec in self._specs():
            custom = slot == "network" and is_custom(spec.kind)
            kind = network_class(spec.kind) if custom else SLOTS[slot.split(".")[0]][spec.kind]
            found.append((slot, spec, kind))
        return found

    def but(self, **changes: Any) -> Self:
        """A copy of the recipe with changed fields: `RECIPES["vae"].but(latent=8)`."""
        _check_fields(changes)
        return replace(self, **changes)

    def set(self, address: str, value: Any) -> Self:
        """A copy of the recipe with one value changed, given by its dotted name.

        `terms.kl.weight` is the weight of a term, `network.hidden` an argument of a part,
        `schedules.ADDRESS` a schedule, (start, steps) or "cyclical:start,steps", and
        `training.NAME` a training setting.
        `likelihood` replaces the part of a slot, and `terms.NAME` adds a term; None empties the
        slot or removes the term.

        Raises:
            RecipeError: no such name; the message suggests the most similar one.
        """
        head, _, rest = address.partition(".")
        if head == "terms" and rest and "." not in rest:
            others = {name: term for name, term in self.terms.items() if name != rest}
            added = {} if value is None else {rest: Weighted(str(value))}
            return self.but(terms=others | added)
        if head in ("training", "schedules") and rest:
            value = (
                read_schedule(value) if head == "schedules" and isinstance(value, str) else value
            )
            others = {name: v for name, v in getattr(self, head).items() if name != rest}
            return self.but(**{head: others if value is None else others | {rest: value}})
        if head == "model":  # its arguments are checked when the model is built
            model = _with_argument(self.model, rest, value) if rest else Spec(str(value))
            return self.but(model=model)
        name = rest.partition(".")[0]
        if head == "terms" and name not in self.terms and self._has_place_for(name):
            raise RecipeError(
                f'The recipe has no term "{name}", so there is nothing named "{address}" to set',
                f"Add it first: --set terms.{name}={name}.",
            )
        if address not in self.addresses():
            raise RecipeError(
                f'There is nothing named "{address}" to set',
                did_you_mean(address, self.addresses()),
            )
        if value is None and self._has_none(address):
            value = "none"
        if not rest:
            part = head in PART_SLOTS and value is not None
            return self.but(**{head: Spec(str(value)) if part else value})
        if head != "terms":
            return self.but(**{head: _with_argument(getattr(self, head), rest, value)})
        name, _, argument = rest.partition(".")
        return self.but(
            terms={**self.terms, name: _with_argument(self.terms[name], argument, value)}
        )

    def _has_place_for(self, name: str) -> bool:
        """Whether a term can be added, as far as its name and the bottleneck tell."""
        if name not in SLOTS["terms"]:
            return False
        of_features = SLOTS["bottleneck"][self.bottleneck.kind].sparse
        return {*SLOTS["terms"][name].needs} <= ({"features"} if of_features else set())

    def _has_none(self, address: str) -> bool:
        """Whether "none" is a value of an argument; the command line reads it as None."""
        slot, _, name = address.rpartition(".")
        kinds = {each: kind for each, _, kind in self.parts()}
        return slot in kinds and "none" in get_args(arguments_of(kinds[slot]).get(name))

    def addresses(self) -> list[str]:
        """All dotted names that `set` accepts for this recipe."""
        names = ["latent", "samples", "model", *PART_SLOTS]
        for slot, spec, kind in self.parts():
            names += [f"{slot}.{arg}" for arg in arguments_of(kind)]
            if isinstance(spec, Weighted):
                names.append(f"{slot}.weight")
        return names

    def to_json(self) -> str:
        """The recipe as indented JSON."""
        return json.dumps(self.to_dict(), indent=2, ensure_ascii=False)

    def to_dict(self) -> dict[str, Any]:
        """The recipe as dicts, lists and numbers; `from_dict` gives an equal recipe."""
        return {f.name: _plain(getattr(self, f.name)) for f in fields(self)}

    @classmethod
    def from_dict(cls, given: Any) -> Self:
        """Creates a recipe from the result of `to_dict`.

        Raises:
            RecipeError: an unknown field, part or argument, or a value of the wrong type.
        """
        if not isinstance(given, Mapping):
            raise RecipeError(f"A recipe is a JSON object, and this is a {type(given).__name__}")
        _check_fields(given)
        made: dict[str, Any] = dict(given)
        for slot in ("model", *PART_SLOTS):
            if made.get(slot) is not None:
                made[slot] = _spec(Spec, made[slot], slot)
        if "terms" in made:
            if not isinstance(made["terms"], Mapping):
                raise RecipeError('"terms" of a recipe must be an object of named terms')
            made["terms"] = {
                name: _spec(Weighted, term, f"terms.{name}") for name, term in made["terms"].items()
            }
        for name in ("training", "schedules"):
            if not isinstance(made.get(name, {}), Mapping):
                raise RecipeError(f'"{name}" of a recipe must be an object of settings')
        if "schedules" in made:
            made["schedules"] = {k: _tuple(v) for k, v in made["schedules"].items()}
        return cls(**made)


REQUIRED_SLOTS = ("network", "bottleneck", "likelihood")
PART_SLOTS = (*REQUIRED_SLOTS, "prior", "corruption", "context", "sampler")


def _check_fields(names: Iterable[str]) -> None:
    allowed = [f.name for f in fields(Recipe)]
    for name in names:
        if name not in allowed:
            raise RecipeError(f'A recipe has no field "{name}"', did_you_mean(name, allowed))


def _with_argument(spec: Spec, name: str, value: Any) -> Spec:
    if name == "weight" and isinstance(spec, Weighted):
        return replace(spec, weight=value)
    return replace(spec, args={**spec.args, name: value})


def _spec(kind: type[Spec], given: Any, where: str) -> Spec:
    allowed = [f.name for f in fields(kind)]
    if not isinstance(given, Mapping) or "kind" not in given or set(given) - set(allowed):
        raise RecipeError(f'"{where}" of a recipe must be an object with {", ".join(allowed)}')
    if not isinstance(given.get("args", {}), Mapping):
        raise RecipeError(f'"{where}.args" of a recipe must be an object of arguments')
    args = {key: _tuple(value) for key, value in given.get("args", {}).items()}
    if where == "network" and given["kind"] == "mlp" and "skip" in args:
        # The name of this argument in runs of older versions; without layers it had no effect.
        args["linear"] = "random" if args.pop("skip") and args.get("hidden") != () else "none"
    return kind(**{**given, "kind": str(given["kind"]), "args": args})


def _tuple(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _plain(value: Any) -> Any:
    if isinstance(value, Spec):
        return {f.name: _plain(getattr(value, f.name)) for f in fields(value)}
    if isinstance(value, Mapping):
        return {str(key): _plain(inner) for key, inner in value.items()}
    return [_plain(inner) for inner in value] if isinstance(value, list | tuple) else value
