"""What recipes, which are written for images, change for rows of a table."""

from __future__ import annotations

from autoencode.arguments import argument_value
from autoencode.data import Data
from autoencode.errors import RecipeError
from autoencode.models.assemble import assemble
from autoencode.models.build import assembly
from autoencode.models.default_likelihood import AUTO, default_likelihood
from autoencode.models.recipe import Recipe, Spec
from autoencode.parts.networks.mlp import MLP

# Likelihoods of images -> the scale of the table likelihood that replaces them.
SCALES = {
    "gaussian": "fixed",
    "auto": "shared",
    "bernoulli": "shared",
    "gaussian-learned": "shared",
}
# Tables are small: training validates often and keeps the best weights.
TRAINING = {"steps": 3_000, "lr": 3e-3, "validate_every": 50, "patience": 20}


def for_data(recipe: Recipe, data: Data) -> tuple[Recipe, list[str]]:
    """The recipe for these data, and a sentence for each change.

    For images and vectors the likelihood "auto" becomes that of `default_likelihood`, and the rest
    stays as it is. For a table, a likelihood of pixels becomes the likelihood of rows, the MLP gets
    a linear shortcut, and training keeps the weights of the best validation. What the recipe sets
    itself is kept.

    Raises:
        RecipeError: the table has missing values, and the model cannot be trained with them.
    """
    if data.preprocessing is None or not data.is_table:
        if recipe.likelihood.kind != AUTO:
            return recipe, []
        likelihood, notice = default_likelihood(data)
        return recipe.but(likelihood=likelihood), [notice]
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
    return adapted, [notice]
