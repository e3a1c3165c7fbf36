"""The bibliography: keys stand in docstrings and recipes, `cite` prints the papers of a model."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Paper:
    """One publication."""

    authors: str
    year: int
    title: str
    where: str

    def __str__(self) -> str:
        return f"{self.authors} ({self.year}). {self.title}. {self.where}."


PAPERS = {
    "rumelhart1986": Paper(
        "D. E. Rumelhart, G. E. Hinton, R. J. Williams",
        1986,
        "Learning representations by back-propagating errors",
        "Nature 323",
    ),
    "baldi1989": Paper(
        "P. Baldi, K. Hornik",
        1989,
        "Neural networks and principal component analysis: learning from examples without local "
        "minima",
        "Neural Networks 2(1)",
    ),
    "hinton2006": Paper(
        "G. E. Hinton, R. R. Salakhutdinov",
        2006,
        "Reducing the dimensionality of data with neural networks",
        "Science 313",
    ),
    "masci2011": Paper(
        "J. Masci, U. Meier, D. Cireşan, J. Schmidhuber",
        2011,
        "Stacked convolutional auto-encoders for hierarchical feature extraction",
        "ICANN 2011",
    ),
    "kingma2014": Paper(
        "D. P. Kingma, M. Welling", 2014, "Auto-encoding variational Bayes", "ICLR 2014"
    ),
    "srivastava2014": Paper(
        "N. Srivastava, G. Hinton, A. Krizhevsky, I. Sutskever, R. Salakhutdinov",
        2014,
        "Dropout: a simple way to prevent neural networks from overfitting",
        "JMLR 15",
    ),
    "ioffe2015": Paper(
        "S. Ioffe, C. Szegedy",
        2015,
        "Batch normalization: accelerating deep network training by reducing internal covariate "
        "shift",
        "ICML 2015",
    ),
    "loshchilov2017": Paper(
        "I. Loshchilov, F. Hutter",
        2017,
        "SGDR: stochastic gradient descent with warm restarts",
        "ICLR 2017",
    ),
    "rybkin2021": Paper(
        "O. Rybkin, K. Daniilidis, S. Levine",
        2021,
        "Simple and effective VAE training with calibrated decoders",
        "ICML 2021",
    ),
}
