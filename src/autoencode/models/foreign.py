"""Modules that are not this package's: an adapter gives them the interface `Autoencoder`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
import torch
from torch import Tensor, nn

from autoencode.contract import Prior, Sizes
from autoencode.data import Data, Split, load_data, load_new, scaled
from autoencode.data.preprocessing import Preprocessing
from autoencode.errors import DataError
from autoencode.io.progress import say
from autoencode.models.assemble import Decoder, Encoder, SlotAutoencoder, part
from autoencode.models.inputs import check_values, is_image, to_tensor
from autoencode.models.module_calls import parameter_of, undisturbed
from autoencode.models.module_refusals import no_module
from autoencode.models.module_trial import understand, understand_decoder
from autoencode.models.new_data import is_raw
from autoencode.models.recipe import Recipe, Spec
from autoencode.models.seeding import seeded
from autoencode.models.understanding import Understanding

# What is not measured of a module, and why.
UNMEASURED = {
    "objective": "the loss of a module is not known",
    "likelihood": "a module has no likelihood p(x|z)",
    "imputation": "a module has no likelihood p(x|z)",
}
# What was understood of each module, so that it is said once.
_UNDERSTOOD: WeakKeyDictionary[nn.Module, Understanding] = WeakKeyDictionary()


@dataclass(frozen=True)
class ModuleRecipe(Recipe):
    """The recipe of a module, which has no parts of this package.

    understood: what was found by calling it, name -> words.
    """

    understood: Mapping[str, str] = field(default_factory=dict)


class ModuleAutoencoder(SlotAutoencoder):
    """The adapter of a user's module: codes and images are what the module computes.

    The module is called in evaluation mode and left as it was. With a mean and a spread its codes
    have a normal posterior, and the prior is the standard normal.
    """

    unmeasured = UNMEASURED

    def __init__(self, module: nn.Module, understood: Understanding, sizes: Sizes) -> None:
        recipe = _recipe(understood, sizes)
        bottleneck = part("bottleneck", recipe.bottleneck, sizes)
        likelihood = part("likelihood", recipe.likelihood, sizes)
        prior: Prior | None = part("prior", recipe.prior, sizes)
        like = parameter_of(module)
        assert like is not None  # checked by `understand`
        super().__init__(
            recipe,
            sizes,
            Encoder(ModuleEncoder(module, understood), bottleneck),
            Decoder(ModuleDecoder(module, understood), likelihood.to(like.device)),
            None if prior is None else prior.to(like.device),
        )
        self.understood = understood
        # Only the adapter: the mode of the module is its own.
        for each in (self, self.encoder, self.decoder, self.encoder.network, self.decoder.network):
            each.training = False


class ModuleEncoder(nn.Module):
    """The encoder of a user's module as a network: [B, *X] to the features of a bottleneck."""

    def __init__(self, module: nn.Module, understood: Understanding) -> None:
        super().__init__()
        self.module, self.understood = module, understood

    def forward(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        """Means [B, d], or means and ln σ² [B, 2 d], float32."""
        how, like = self.understood, parameter_of(self.module)
        x = x if like is None else x.to(like.dtype)
        with undisturbed(self.module):
            if how.noise == "seeded" and not torch.compiler.is_exporting():
                with seeded(0, x.device):
                    z, spread = how.encoded(self.module, x)
            else:
                z, spread = how.encoded(self.module, x)
            h = z.flatten(1)
            if how.spread:
                h = torch.cat([h, how.log_variance(self.module, x, z, spread).flatten(1)], 1)
        return h.float()


class ModuleDecoder(nn.Module):
    """The decoder of a user's module as a network: [B, *Z] to [B, 1, *X]."""

    def __init__(self, module: nn.Module, understood: Understanding) -> None:
        super().__init__()
        self.module, self.understood = module, understood

    def forward(self, z: Tensor, context: Tensor | None = None) -> Tensor:
        """Images [B, 1, *X], float32."""
        like = parameter_of(self.module)
        z = z if like is None else z.to(like.dtype)
        with undisturbed(self.module):
            return self.understood.decoded(self.module, z).float().unsqueeze(1)


def has_interface(model: Any) -> bool:
    """Whether a model has the interface `Autoencoder`, which needs no adapter."""
    return isinstance(getattr(model, "sizes", None), Sizes)


def as_autoencoder(model: Any, source: Any = None, **options: Any) -> Any:
    """A model of the package as it is; a user's `nn.Module` with the interface `Autoencoder`.

    What was understood of a module is printed in one line, once.

    source: examples that the module is tried on: [N, *X], or raw data with `options` as of
        `load_data`; None for what was understood before, or its decoder alone.

    Raises:
        AutoencodeError: it is no module, has no encoder or decoder, or does not fit the examples.
    """
    if has_interface(model):
        return model
    module = unwrapped(model)
    if source is None:
        understood = _UNDERSTOOD.get(module) or understand_decoder(module)
        return ModuleAutoencoder(module, understood, Sizes(understood.x, understood.z))
    x, preprocessing, n = _sample(source, options)
    check_values(x, "x", source)
    bounded = preprocessing is None or not preprocessing.is_table
    understood = understand(module, scaled(x).float(), bounded)
    before = _UNDERSTOOD.get(module)
    # The values differ from batch to batch.
    if before is None or replace(before, low=understood.low, high=understood.high) != understood:
        say(str(understood))
    _UNDERSTOOD[module] = understood
    shape = understood.x
    if preprocessing is not None:  # the shape of loaded data is known
        shape, understood = preprocessing.shape, replace(understood, x=preprocessing.shape)
    adapted = ModuleAutoencoder(
        module, understood, Sizes(shape, understood.z, n=n, bounded=bounded)
    )
    adapted.preprocessing = preprocessing
    return adapted


def with_examples(model: Any, x: Any) -> tuple[Any, Any]:
    """A model as by `as_autoencoder`, and examples [N, *X] in the shape in which it draws them."""
    if has_interface(model):
        return model, x
    adapted = as_autoencoder(model, x)
    if is_raw(x):
        return adapted, x
    return adapted, _array(x).reshape(-1, *adapted.sizes.x)


def unwrapped(model: Any) -> nn.Module:
    """The module inside the wrappers of `torch.compile` and data-parallel training.

    Raises:
        AutoencodeError: it is no module.
    """
    while isinstance(model, nn.Module):
        inner = getattr(model, "_orig_mod", None)
        if isinstance(model, nn.DataParallel | nn.parallel.DistributedDataParallel):
            inner = model.module
        if not isinstance(inner, nn.Module):
            return model
        model = inner
    raise no_module(model)


def module_data(source: Any) -> Data:
    """The data that a module is measured on, which are in the test part; what they are is printed.

    source: loaded data as they are; a name or a path, divided as by `load_data`; of arrays in
        memory all examples are test examples.

    Raises:
        DataError: as `load_data`.
    """
    if isinstance(source, Data):
        return source
    if source is None:
        raise DataError(
            "A module in memory has no data of its own", 'Give them: data="mnist", or data=(x, y).'
        )
    data = load_data(source)
    divided = isinstance(source, str | Path)
    if isinstance(source, tuple | list):
        divided = divided or isinstance(source[0], tuple | list)
    if not divided:
        assert data.preprocessing is not None
        data = load_new(source, data.preprocessing)
    which = "" if divided else "all "
    say(
        f"{which}{len(data.test):,} test examples of {data.name}; whether the module was trained "
        "on them is not known."
    )
    return data


def _sample(source: Any, options: Mapping[str, Any]) -> tuple[Tensor, Preprocessing | None, int]:
    """Examples to try a module on, their preprocessing, and the number of training examples."""
    if isinstance(source, Split):
        found: tuple[Tensor, Preprocessing | None, int] = source.x, None, 0
    elif is_raw(source):
        data = source if isinstance(source, Data) else load_data(source, **options)
        part_of = data.test if len(data.test) else data.train
        found = part_of.x, data.preprocessing, len(data.train)
    else:
        found = _array(source), None, 0
    if not len(found[0]):
        raise DataError("There are no examples to try the module on", "Give one example or more.")
    return found


def _array(x: Any) -> Tensor:
    """Examples in memory as a tensor."""
    images: Sequence[Any] = [x] if is_image(x) else x
    if isinstance(images, list | tuple) and images and all(map(is_image, images)):
        from autoencode.data.read.image import pixels

        return to_tensor(np.stack([pixels(image) for image in images]), "x")
    return to_tensor(x, "x")


def _recipe(understood: Understanding, sizes: Sizes) -> ModuleRecipe:
    words = {
        "encoder": f"{understood.encode}, codes {[*understood.z]}",
        "decoder": f"{understood.decode}, examples {[*understood.x]}",
        "posterior": f"normal, from mean and {understood.spread}" if understood.spread else "none",
        "prior": "standard normal, assumed" if understood.spread else "none",
    }
    words["not measured"] = "; ".join(f"{name}: {why}" for name, why in UNMEASURED.items())
    if understood.activation:
        words["decoder"] += f", with {understood.activation} as in forward"
    return ModuleRecipe(
        name=understood.name,
        about="not known; this is a module in memory.",
        latent=sizes.latent,
        bottleneck=Spec("gaussian" if understood.spread else "point"),
        likelihood=Spec("gaussian", {"mean": "identity"}),
        prior=Spec("normal") if understood.spread else None,
        understood=words,
    )
