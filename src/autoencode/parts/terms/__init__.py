"""Loss terms: each is unweighted, states its unit, and is better if it is lower."""

from autoencode.contract import Term
from autoencode.parts.registry import find_parts

TERMS: dict[str, type[Term]] = find_parts(__name__)
