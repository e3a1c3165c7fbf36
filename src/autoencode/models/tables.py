"""What recipes, which are written for images, change for vectors and rows of a table."""

from __future__ import annotations

from autoencode.arguments import argument_value
from autoencode.data import Data
from autoencode.errors import RecipeError
from autoencode.models.assemble import assemble
from autoencode.models.build import assembly
from autoencode.models.recipe import Recipe, Spec
from autoencode.models.recipes.base import DICTIONARY, NORMALISED, OF_DICTIONARY, REVIVED
from autoencode.parts.networks.mlp import MLP

# Likelihoods of images -> the scale of the table likelihood that replaces them.
SCALES = {"gaussian": "fixed", "bernoulli": "shared", "gaussian-learned": "shared"}
# Tables are small: training validates often and keeps the best weights.
TRAINING = {"steps": 3_000, "lr": 3e-3, "validate_every": 50, "patience": 20}

# The network and the bottlenecks of the recipes of top-k codes for images.
ONE_LAYER, TOP_K = Spec("mlp", {"hidden": ()}), ("top-k", "batch-top-k")


def for_data(recipe: Recipe, data: Data) -> tuple[Recipe, list[str]]:
    """The recipe for these data, and a sentence for each change.

    For images the recipe stays as it is. For vectors and tables, a one-layer model of top-k codes
    gets unit directions, and a loss that revives dead units. For a table, a likelihood of pixels
    becomes the likelihood of rows, the MLP gets a linear shortcut, and training keeps the weights
    of the best validation. What the recipe sets itself is kept.

    Raises:
        RecipeError: the table has missing values, and the model cannot be trained with them.
    """
    recipe, notices = _as_dictionary(recipe, data)
    if data.preprocessing is None or not data.is_table:
        return recipe, notices
    columns = data.preprocessing.columns
    widths = tuple(c.width if c.kind == "categorical" else 0 for c in columns)
    missing = data.preprocessing.missing
    changes = []
    likelihood = recipe.likelihood
    if likelihood.kind in SCALES:
        scale = SCALES[likelihood.kind]
        likelihood = Spec("table", {"scale": scale})
        changes.append(f"likelihood table (scale {scale}) instead of {recipe.likelihood.kind}")
    if likelihood.kind == "table":
        given = {"columns": widths if any(widths) else (), "missing": missing}
        likelihood = Spec("table", {**given, **likelihood.args})
    elif any(widths) or missing:
        what = "missing values" if missing else "categories"
        raise RecipeError(
            f'Likelihood "{likelihood.kind}" has no meaning for {what} of a table',
            "Use the one for tables: --set likelihood=table.",
        )
    if missing and assembly(recipe) is not assemble:
        raise RecipeError(
            f'Recipe "{recipe.name}" cannot be trained on rows with missing values',
            "Use vae or missing-iwae, or fill in the values before.",
        )
    network = recipe.network
    hidden = network.kind == "mlp" and argument_value(MLP, network.args, "hidden")
    if hidden and "skip" not in network.args:
        network = Spec("mlp", {**network.args, "skip": True})
        changes.append("a linear shortcut in the network (network.skip)")
    training = {**TRAINING, **recipe.training}
    changes.append(
        f"{training['steps']:,} steps at most, with the weights of the best validation "
        f"(--steps, --patience)"
    )
    adapted = recipe.but(likelihood=likelihood, network=network, training=training)
    notice = f"For a table, {recipe.name} is trained with {'; '.join(changes)}."
    return adapted, [*notices, notice]


def _as_dictionary(recipe: Recipe, data: Data) -> tuple[Recipe, list[str]]:
    """The recipe with a dictionary for vectors, and a sentence, where it has one layer and top-k.

    Features that are normalised over the batch keep units alive on images, where most of a layer's
    random weights respond to nothing. On vectors they hide how often a direction occurs.
    """
    bottleneck, likelihood = recipe.bottleneck, recipe.likelihood
    fits = len(data.shape) == 1 and recipe.context is None and recipe.network == ONE_LAYER
    if not fits or bottleneck.kind not in TOP_K or "norm" in bottleneck.args:
        return recipe, []
    if likelihood.kind == "gaussian":
        likelihood = Spec("gaussian", {"mean": "identity", **likelihood.args})
    training = {**recipe.training}
    for name, value in OF_DICTIONARY.items():
        if training.get(name) == NORMALISED[name]:
            training[name] = value
    adapted = recipe.but(
        network=DICTIONARY,
        bottleneck=Spec(bottleneck.kind, {**bottleneck.args, "norm": "none"}),
        likelihood=likelihood,
        terms={"aux-k": REVIVED, **recipe.terms},
        training=training,
    )
    notice = (
        f"For vectors, {recipe.name} is trained with directions of norm 1 (network dictionary), "
        "without normalised features, and with the loss aux-k, which revives dead units; as for "
        "images: --set bottleneck.norm=batch."
    )
    return adapted, [notice]
