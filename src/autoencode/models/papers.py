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
    "ba2016": Paper(
        "J. L. Ba, J. R. Kiros, G. E. Hinton", 2016, "Layer normalization", "arXiv:1607.06450"
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
    "hutchinson1989": Paper(
        "M. F. Hutchinson",
        1989,
        "A stochastic estimator of the trace of the influence matrix for Laplacian smoothing "
        "splines",
        "Communications in Statistics, Simulation and Computation 18(3)",
    ),
    "olshausen1996": Paper(
        "B. A. Olshausen, D. J. Field",
        1996,
        "Emergence of simple-cell receptive field properties by learning a sparse code for "
        "natural images",
        "Nature 381",
    ),
    "vincent2008": Paper(
        "P. Vincent, H. Larochelle, Y. Bengio, P.-A. Manzagol",
        2008,
        "Extracting and composing robust features with denoising autoencoders",
        "ICML 2008",
    ),
    "vincent2010": Paper(
        "P. Vincent, H. Larochelle, I. Lajoie, Y. Bengio, P.-A. Manzagol",
        2010,
        "Stacked denoising autoencoders: learning useful representations in a deep network with "
        "a local denoising criterion",
        "JMLR 11",
    ),
    "ng2011": Paper(
        "A. Ng", 2011, "Sparse autoencoder", "CS294A lecture notes, Stanford University"
    ),
    "rifai2011": Paper(
        "S. Rifai, P. Vincent, X. Muller, X. Glorot, Y. Bengio",
        2011,
        "Contractive auto-encoders: explicit invariance during feature extraction",
        "ICML 2011",
    ),
    "makhzani2014": Paper("A. Makhzani, B. Frey", 2014, "k-Sparse autoencoders", "ICLR 2014"),
    "pathak2016": Paper(
        "D. Pathak, P. Krähenbühl, J. Donahue, T. Darrell, A. A. Efros",
        2016,
        "Context encoders: feature learning by inpainting",
        "CVPR 2016",
    ),
    "ghosh2020": Paper(
        "P. Ghosh, M. S. M. Sajjadi, A. Vergari, M. Black, B. Schölkopf",
        2020,
        "From variational to deterministic autoencoders",
        "ICLR 2020",
    ),
    "gao2024": Paper(
        "L. Gao, T. Dupré la Tour, H. Tillman, G. Goh, R. Troll, A. Radford, I. Sutskever, "
        "J. Leike, J. Wu",
        2024,
        "Scaling and evaluating sparse autoencoders",
        "arXiv:2406.04093",
    ),
    "bussmann2024": Paper(
        "B. Bussmann, P. Leask, N. Nanda",
        2024,
        "BatchTopK sparse autoencoders",
        "arXiv:2412.06410",
    ),
    "wang2003": Paper(
        "Z. Wang, E. P. Simoncelli, A. C. Bovik",
        2003,
        "Multiscale structural similarity for image quality assessment",
        "Asilomar Conference on Signals, Systems and Computers 2003",
    ),
    "wang2004": Paper(
        "Z. Wang, A. C. Bovik, H. R. Sheikh, E. P. Simoncelli",
        2004,
        "Image quality assessment: from error visibility to structural similarity",
        "IEEE Transactions on Image Processing 13(4)",
    ),
    "he2016": Paper(
        "K. He, X. Zhang, S. Ren, J. Sun",
        2016,
        "Deep residual learning for image recognition",
        "CVPR 2016",
    ),
    "larsen2016": Paper(
        "A. B. L. Larsen, S. K. Sønderby, H. Larochelle, O. Winther",
        2016,
        "Autoencoding beyond pixels using a learned similarity metric",
        "ICML 2016",
    ),
    "snell2017": Paper(
        "J. Snell, K. Ridgeway, R. Liao, B. D. Roads, M. C. Mozer, R. S. Zemel",
        2017,
        "Learning to generate images with perceptual similarity metrics",
        "ICIP 2017",
    ),
    "gretton2012": Paper(
        "A. Gretton, K. M. Borgwardt, M. J. Rasch, B. Schölkopf, A. Smola",
        2012,
        "A kernel two-sample test",
        "JMLR 13",
    ),
    "burda2016": Paper(
        "Y. Burda, R. Grosse, R. Salakhutdinov",
        2016,
        "Importance weighted autoencoders",
        "ICLR 2016",
    ),
    "kingma2016": Paper(
        "D. P. Kingma, T. Salimans, R. Jozefowicz, X. Chen, I. Sutskever, M. Welling",
        2016,
        "Improved variational inference with inverse autoregressive flow",
        "NIPS 2016",
    ),
    "makhzani2016": Paper(
        "A. Makhzani, J. Shlens, N. Jaitly, I. Goodfellow, B. Frey",
        2016,
        "Adversarial autoencoders",
        "ICLR 2016, workshop",
    ),
    "higgins2017": Paper(
        "I. Higgins, L. Matthey, A. Pal, C. Burgess, X. Glorot, M. Botvinick, S. Mohamed, A. "
        "Lerchner",
        2017,
        "beta-VAE: learning basic visual concepts with a constrained variational framework",
        "ICLR 2017",
    ),
    "burgess2018": Paper(
        "C. P. Burgess, I. Higgins, A. Pal, L. Matthey, N. Watters, G. Desjardins, A. Lerchner",
        2018,
        "Understanding disentangling in β-VAE",
        "arXiv:1804.03599",
    ),
    "chen2018": Paper(
        "R. T. Q. Chen, X. Li, R. Grosse, D. Duvenaud",
        2018,
        "Isolating sources of disentanglement in variational autoencoders",
        "NeurIPS 2018",
    ),
    "kim2018": Paper(
        "H. Kim, A. Mnih",
        2018,
        "Disentangling by factorising",
        "ICML 2018",
    ),
    "kumar2018": Paper(
        "A. Kumar, P. Sattigeri, A. Balakrishnan",
        2018,
        "Variational inference of disentangled latent concepts from unlabeled observations",
        "ICLR 2018",
    ),
    "rainforth2018": Paper(
        "T. Rainforth, A. R. Kosiorek, T. A. Le, C. J. Maddison, M. Igl, F. Wood, Y. W. Teh",
        2018,
        "Tighter variational bounds are not necessarily better",
        "ICML 2018",
    ),
    "tolstikhin2018": Paper(
        "I. Tolstikhin, O. Bousquet, S. Gelly, B. Schölkopf",
        2018,
        "Wasserstein auto-encoders",
        "ICLR 2018",
    ),
    "kolouri2019": Paper(
        "S. Kolouri, P. E. Pope, C. E. Martin, G. K. Rohde",
        2019,
        "Sliced Wasserstein auto-encoders",
        "ICLR 2019",
    ),
    "tucker2019": Paper(
        "G. Tucker, D. Lawson, S. Gu, C. J. Maddison",
        2019,
        "Doubly reparameterized gradient estimators for Monte Carlo objectives",
        "ICLR 2019",
    ),
    "zhao2019": Paper(
        "S. Zhao, J. Song, S. Ermon",
        2019,
        "InfoVAE: balancing learning and inference in variational autoencoders",
        "AAAI 2019",
    ),
    "germain2015": Paper(
        "M. Germain, K. Gregor, I. Murray, H. Larochelle",
        2015,
        "MADE: masked autoencoder for distribution estimation",
        "ICML 2015",
    ),
    "oord2017": Paper(
        "A. van den Oord, O. Vinyals, K. Kavukcuoglu",
        2017,
        "Neural discrete representation learning",
        "NeurIPS 2017",
    ),
    "dai2019": Paper("B. Dai, D. Wipf", 2019, "Diagnosing and enhancing VAE models", "ICLR 2019"),
    "durkan2019": Paper(
        "C. Durkan, A. Bekasov, I. Murray, G. Papamakarios",
        2019,
        "Neural spline flows",
        "NeurIPS 2019",
    ),
    "dhariwal2020": Paper(
        "P. Dhariwal, H. Jun, C. Payne, J. W. Kim, A. Radford, I. Sutskever",
        2020,
        "Jukebox: a generative model for music",
        "arXiv:2005.00341",
    ),
    "mentzer2024": Paper(
        "F. Mentzer, D. Minnen, E. Agustsson, M. Tschannen",
        2024,
        "Finite scalar quantization: VQ-VAE made simple",
        "ICLR 2024",
    ),
    "rezende2015": Paper(
        "D. J. Rezende, S. Mohamed",
        2015,
        "Variational inference with normalizing flows",
        "ICML 2015",
    ),
    "mcconville2021": Paper(
        "R. McConville, R. Santos-Rodríguez, R. J. Piechocki, I. Craddock",
        2021,
        "N2D: (not too) deep clustering via clustering the local manifold of an autoencoded "
        "embedding",
        "ICPR 2020",
    ),
    "maaten2008": Paper(
        "L. van der Maaten, G. Hinton", 2008, "Visualizing data using t-SNE", "JMLR 9"
    ),
    "jiang2017": Paper(
        "Z. Jiang, Y. Zheng, H. Tan, B. Tang, H. Zhou",
        2017,
        "Variational deep embedding: an unsupervised and generative approach to clustering",
        "IJCAI 2017",
    ),
    "tomczak2018": Paper(
        "J. M. Tomczak, M. Welling",
        2018,
        "VAE with a VampPrior",
        "AISTATS 2018",
    ),
    "davidson2018": Paper(
        "T. R. Davidson, L. Falorsi, N. De Cao, T. Kipf, J. M. Tomczak",
        2018,
        "Hyperspherical variational auto-encoders",
        "UAI 2018",
    ),
    "decao2020": Paper(
        "N. De Cao, W. Aziz",
        2020,
        "The power spherical distribution",
        "arXiv:2006.04437",
    ),
    "kingma2014semi": Paper(
        "D. P. Kingma, S. Mohamed, D. J. Rezende, M. Welling",
        2014,
        "Semi-supervised learning with deep generative models",
        "NIPS 2014",
    ),
    "sonderby2016": Paper(
        "C. K. Sønderby, T. Raiko, L. Maaløe, S. K. Sønderby, O. Winther",
        2016,
        "Ladder variational autoencoders",
        "NIPS 2016",
    ),
    "sohn2015": Paper(
        "K. Sohn, H. Lee, X. Yan",
        2015,
        "Learning structured output representation using deep conditional generative models",
        "NIPS 2015",
    ),
    "dowson1982": Paper(
        "D. C. Dowson, B. V. Landau",
        1982,
        "The Fréchet distance between multivariate normal distributions",
        "Journal of Multivariate Analysis 12(3)",
    ),
    "alain2016": Paper(
        "G. Alain, Y. Bengio",
        2016,
        "Understanding intermediate layers using linear classifier probes",
        "arXiv:1610.01644",
    ),
    "heusel2017": Paper(
        "M. Heusel, H. Ramsauer, T. Unterthiner, B. Nessler, S. Hochreiter",
        2017,
        "GANs trained by a two time-scale update rule converge to a local Nash equilibrium",
        "NeurIPS 2017",
    ),
}
