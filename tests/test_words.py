"""The vocabulary: one standard name for each thing, in code, messages, pages and docs."""

import ast
import re
from pathlib import Path

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


def test_retired_words_are_gone():
    found = {}
    for path in TEXTS:
        text = path.read_text(encoding="utf-8")
        words = [match.group() for match in NAMES.finditer(text)]
        words += [match.group() for match in SENTENCES.finditer(" ".join(text.split()))]
        if words:
            found[str(path.relative_to(ROOT))] = words
    assert not found


def messages(tree):
    """The string literals in the arguments of every exception that is made."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            name = getattr(node.func, "id", getattr(node.func, "attr", ""))
            if name.endswith("Error") or name in ("Diverged", "Interrupted"):
                for part in ast.walk(node):
                    if isinstance(part, ast.Constant) and isinstance(part.value, str):
                        yield part.lineno, part.value


def test_error_messages_use_plain_words():
    found = [
        f"{path.relative_to(ROOT)}:{line}: {text}"
        for path in sorted(SOURCE.rglob("*.py"))
        if re.search(IN_MESSAGES, source := path.read_text(encoding="utf-8"))
        for line, text in messages(ast.parse(source))
        if re.search(IN_MESSAGES, text)
    ]
    assert not found
