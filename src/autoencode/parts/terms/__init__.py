"""Terms of the objective: each in nats for each example, unweighted, positive is worse."""

from autoencode.contract import Term
from autoencode.parts.terms.elbo import Rate, Reconstruction

TERMS: dict[str, type[Term]] = {
    "reconstruction": Reconstruction,
    "rate": Rate,
}

__all__ = ["TERMS", "Rate", "Reconstruction"]
