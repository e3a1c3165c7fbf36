"""Writes what is made from the table of recipes: docs/recipes.md, and its place in the README."""

from __future__ import annotations

from pathlib import Path

from autoencode.models.describe import formula, papers, slots
from autoencode.models.recipe import Recipe
from autoencode.models.recipes.table import RECIPES

ROOT = Path(__file__).parents[1]
BEGIN, END = "<!-- recipes: made by `make docs` -->", "<!-- /recipes -->"

ABSENT = (
    "## What is not here\n\n"
    "Hamiltonian and Riemannian Hamiltonian VAEs: their posterior follows the gradient of the "
    "decoder's ln p(x, z), and here an encoder works without a decoder. The Poincaré VAE: its "
    "codes lie in a curved ball, and distances, ways between codes and the decoder's first layer "
    "would all have to be bent to it."
)


def section(row: Recipe) -> str:
    """One model in full."""
    lines = [f"## {row.name}", "", row.about, "", "```text", formula(row), "```", ""]
    lines += ["| slot | filled by |", "|---|---|"]
    lines += [f"| {slot} | `{filled}` |" for slot, filled in slots(row).items()]
    if row.training:
        lines.append(f"| training | `{', '.join(f'{k}={v}' for k, v in row.training.items())}` |")
    few = " --labelled 100" if "labelled" in row.training else ""
    lines += ["", f"Train it: `autoencode train {row.name} --data mnist{few}`", ""]
    lines += [f"- {paper}" for paper in papers(row)]
    return "\n".join(lines)


def page() -> str:
    """docs/recipes.md."""
    head = (
        "# The table of recipes\n\nMade from `models/recipes.py` by `make docs`. Every number in a "
        "row can be set on the command line by its dotted name: `--set network.hidden=[256]`."
    )
    return "\n\n".join([head, *map(section, RECIPES.values()), ABSENT]) + "\n"


def readme(text: str) -> str:
    """The README with its table of recipes made anew."""
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    rows = ["| recipe | what it is | objective |", "|---|---|---|"]
    rows += [
        f"| [`{row.name}`](docs/recipes.md#{row.name}) | {row.about} "
        f"| `{formula(row).rpartition('   [')[0].removeprefix('loss = ')}` |"
        for row in RECIPES.values()
    ]
    return f"{before}{BEGIN}\n" + "\n".join(rows) + f"\n{END}{after}"


def main() -> None:
    """Writes both files."""
    (ROOT / "docs" / "recipes.md").write_text(page(), encoding="utf-8")
    path = ROOT / "README.md"
    path.write_text(readme(path.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
