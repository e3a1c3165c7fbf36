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
# Samples copy the training images if this share of them is as near to a training image as the
# nearest 1 % of the test images; so 1 % is expected of a model that copies nothing.
MIN_COPIED_SHARE = 0.05

# The codes of all examples, q(z), are near the prior up to this squared maximum mean discrepancy
# (no unit, 2 at most): what a shift of a standard normal by a quarter of its standard deviation
# gives, in 2 dimensions as in 16.
MAX_NEAR_PRIOR_MMD = 0.01
# The same for KL(q(z) ‖ p(z)), in nats for each latent dimension: ½ · 0.25² for that shift.
MAX_NEAR_PRIOR_KL_NATS = 0.03

# Adjusted Rand index of clusters and classes (1 if they are equal, 0 by chance): they agree in
# part from the first, and for the most part from the second.
MIN_PARTIAL_AGREEMENT = 0.1
MIN_AGREEMENT = 0.5

# Confidence level of every interval; a difference is significant if the interval of this level
# does not contain 0, which is p < 0.05.
CONFIDENCE_LEVEL = 0.95
