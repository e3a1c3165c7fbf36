"""What recipes, which are written for images, change for vectors and rows of a table."""

from __future__ import annotations

from autoencode.data import Data
from autoencode.errors import RecipeError
from autoencode.models.assemble import assemble
from autoencode.models.build import assembly
from autoencode.models.linear_checks import has_place_for_path, may_start_at_pca
from autoencode.models.recipe import Recipe, Spec

# Likelihoods of images -> the scale of the table likelihood that replaces them.
SCALES = {
    "gaussian": "fixed",
    "auto": "shared",
    "bernoulli": "shared",
    "gaussian-learned": "shared",
}
# Tables are small: training validates often and keeps the best weights.
TRAINING = {"steps": 3_000, "lr": 3e-3, "validate_every": 50, "patience": 20}


def for_table(recipe: Recipe, data: Data) -> tuple[Recipe, list[str]]:
    """The recipe for the rows of a table, and a sentence for each change.

    A likelihood of pixels becomes the likelihood of rows, the MLP gets a linear path, and training
    keeps the weights of the best validation. The path begins at PCA where codes are those of the
    encoder and all columns are numbers. What the recipe sets itself is kept.

    Raises:
        RecipeError: the table has missing values, and the model cannot be trained with them.
    """
    assert data.preprocessing is not None  # of a table
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
    if has_place_for_path(recipe) and "linear" not in network.args:
        numbers = likelihood.kind == "table" and not any(likelihood.args["columns"])
        linear = "pca" if numbers and may_start_at_pca(recipe) else "random"
        network = Spec(network.kind, {**network.args, "linear": linear})
        start = " that begins at PCA" if linear == "pca" else ""
        changes.append(f"a linear path in the network{start} (network.linear={linear})")
    training = {**TRAINING, **recipe.training}
    changes.append(
        f"{training['steps']:,} steps at most, with the weights of the best validation "
        f"(--steps, --patience)"
    )
    adapted = recipe.but(likelihood=likelihood, network=network, training=training)
    notice = f"For a table, {recipe.name} is trained with {'; '.join(changes)}."
    return adapted, [notice]
