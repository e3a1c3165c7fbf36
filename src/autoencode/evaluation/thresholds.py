"""The thresholds by which a sentence about a model is chosen: captions, summary lines, verdicts.

All of them stand here, so that two pages never judge one number differently. A sentence that
depends on one names the number it was compared with.
"""

from __future__ import annotations

# A latent dimension is an active unit if the variance of its mean over the examples is above this,
# in squared units of the code, for codes on the scale of a standard normal [burda2016].
MIN_ACTIVE_VARIANCE = 0.01
# A latent dimension carries information if its KL is above this, in nats, mean over examples.
MIN_ACTIVE_KL_NATS = 0.01
# A unit that is trained by "kl-sparsity" is active for an example if the logistic function of its
# code is above this.
MIN_ACTIVE_LOGISTIC = 0.5

# A generated image is implausible if it is farther from every training image than this share of
# the test images; so 1 % is expected of a perfect model.
IMPLAUSIBLE_QUANTILE = 0.99
# "Few" samples are implausible up to this share of the generated images, "many" from the second.
MAX_FEW_IMPLAUSIBLE = 0.05
MIN_MANY_IMPLAUSIBLE = 0.25

# The codes of all examples, q(z), are near the prior up to this squared maximum mean discrepancy
# (no unit, 2 at most): what a shift of a standard normal by a quarter of its standard deviation
# gives, in 2 dimensions as in 16.
MAX_NEAR_PRIOR_MMD = 0.01

# Adjusted Rand index of clusters and classes (1 if they are equal, 0 by chance): they agree in
# part from the first, and for the most part from the second.
MIN_PARTIAL_AGREEMENT = 0.1
MIN_AGREEMENT = 0.5

# Confidence level of every interval; a difference is significant if the interval of this level
# does not contain 0, which is p < 0.05.
CONFIDENCE_LEVEL = 0.95

# The report says that codes deviate from the prior above MAX_NEAR_PRIOR_MMD, and that they are far
# from it above this squared maximum mean discrepancy: a shift of a standard normal by its standard
# deviation in each dimension gives 0.13.
MIN_FAR_PRIOR_MMD = 0.1
# Codes in a box are spread evenly up to this Kolmogorov-Smirnov distance of each coordinate from
# the uniform distribution; 0.05 is the 5 % level of the test for 740 codes.
MAX_UNIFORM_KS = 0.1
# Width of the margin at the walls of the box (−1, 1)ᵈ in which coordinates are counted. Of a
# uniform distribution it holds this share.
BOX_MARGIN = 0.05
# Codes on the unit sphere have no preferred direction up to this length of their mean.
MAX_UNIFORM_RESULTANT = 0.1
# A random code is in an empty region if it is farther from every code of the test set than this
# share of those codes are from their nearest neighbour; so 1 % is expected.
EMPTY_REGION_QUANTILE = 0.99
# "Few" random codes are in empty regions up to this share, "most" from the second.
MAX_FEW_EMPTY = 0.05
MIN_MOST = 0.5
# Codes are called sparse if at least this share of their values is exactly 0.
MIN_SPARSE_ZEROS = 0.2
# Fewer examples than these support no statement about a distribution of codes or images.
MIN_EXAMPLES_FOR_CLAIMS = 20
# The validation error has risen if its last value is this much above its lowest, relatively.
MIN_VALIDATION_RISE = 0.02
