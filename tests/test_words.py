"""The vocabulary: one standard name for each thing, in code, messages, pages and docs."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "autoencode"

# Names that standard terms have replaced: in code as a whole name, in prose as a whole word.
RETIRED = {
    "Judged": "LossOutput",
    "Shelf": "MetricsCache",
    "Contender": "ComparedModel",
    "Sitter": "model_payload",
    "portrait": "model_payload",
    "heed": "check_signals",
    "ghost": "implausible image",
    "ghosts": "implausible images",
    "Plate": "Figure",
    "plates": "figures",
    "told_of_random": "context_of_random",
    "one_more": "on_finished",
    "keep_frame": "save_snapshot",
    "trip": "forward_pass",
    "film": "snapshots",
    "learner": "label model",
    "lockstep": "",
}
# Sentences and headings of pages and docs that standard terms have replaced.
PHRASES = {
    "numbers in a code": "latent dimensions",
    "numbers in each code": "latent dimensions",
    "In numbers": "Metrics",
    "How sure the figures are": "Confidence intervals",
    "what comes back": "reconstructions",
    "What comes back": "Reconstructions",
    "Where the examples went": "Latent space",
    "What random codes give": "Samples from random codes",
    "The map, decoded": "Decoded latent grid",
    "From one example to another": "Interpolation",
    "What it restores": "Denoising",
    "Watching it learn": "Training progress",
    "what is no data": "implausible images",
    "at rest": "the current code",
    "As it is seen": "",
    "numbers that training set": "trainable parameters",
    "terms.rate": "terms.kl",
}
# Words of error messages that plain ones have replaced.
IN_MESSAGES = r"\b(mend|beside|apart|asked|kept|met|told|tells?|whole(?! numbers?\b))\b"
TEXTS = [
    *sorted(SOURCE.rglob("*.py")),
    *sorted(SOURCE.rglob("*.html")),
    *sorted((ROOT / "web" / "src").rglob("*.*")),
    *sorted((ROOT / "docs").rglob("*.md")),
    *sorted((ROOT / "benchmarks").rglob("*.py")),
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")),
]
NAMES = re.compile(r"(?<![\w-])(" + "|".join(RETIRED) + r")(?![\w-])")
SENTENCES = re.compile("|".join(re.escape(each) for each in PHRASES))


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_retired_words_are_gone(path):
    text = path.read_text(encoding="utf-8")
    found = [match.group() for match in NAMES.finditer(text)]
    found += [match.group() for match in SENTENCES.finditer(" ".join(text.split()))]
    assert not found, {each: RETIRED.get(each, PHRASES.get(each)) for each in found}


def messages(tree):
    """The string literals in the arguments of every exception that is made."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            name = getattr(node.func, "id", getattr(node.func, "attr", ""))
            if name.endswith("Error") or name in ("Diverged", "Interrupted"):
                for part in ast.walk(node):
                    if isinstance(part, ast.Constant) and isinstance(part.value, str):
                        yield part.lineno, part.value


@pytest.mark.parametrize(
    "path", sorted(SOURCE.rglob("*.py")), ids=lambda p: str(p.relative_to(ROOT))
)
def test_error_messages_use_plain_words(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    found = [f"{line}: {text}" for line, text in messages(tree) if re.search(IN_MESSAGES, text)]
    assert not found
