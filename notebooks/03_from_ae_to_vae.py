# %% [markdown]
# # 3. From AE to VAE
#
# Random codes of an autoencoder often decode to implausible images, because nothing in its loss
# says where codes should be. A *variational autoencoder* (VAE) repairs this. Its encoder gives a
# normal distribution for each image, with mean μ and standard deviation σ. A second term of the
# loss draws all these distributions towards one standard normal distribution, the *prior*. Random
# codes are drawn from the prior.

# %%
import math
import os

import torch
from torch import nn
from torch.nn import functional as F

import autoencode as ae

SHORT = "AUTOENCODE_SHORT" in os.environ  # few steps, only to test that the notebook runs
STEPS = 30 if SHORT else 2_000
BATCH = 200

data = ae.load_data("mnist")
test = data.test
x_test = test.x / 255

# %% [markdown]
# ## Reparameterisation
#
# The encoder gives μ and ln σ². The logarithm can be any number, so the network needs no
# constraint. A code is drawn as z = μ + σ·ε with ε from N(0, 1). The random number ε does not
# depend on the weights, so gradients reach μ and σ. This is the *reparameterisation trick*.


# %%
class GaussianEncoder(nn.Module):
    def __init__(self, latent_dims):
        super().__init__()
        self.hidden = nn.Linear(784, 256)
        # exercise: one linear layer for the mean, one for the logarithm of the variance
        self.mean = nn.Linear(256, latent_dims)
        self.log_var = nn.Linear(256, latent_dims)
        # end

    def forward(self, x):
        h = torch.relu(self.hidden(x.flatten(1)))
        return self.mean(h), self.log_var(h)


class Decoder(nn.Module):
    def __init__(self, latent_dims):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(latent_dims, 256), nn.ReLU(), nn.Linear(256, 784), nn.Sigmoid()
        )

    def forward(self, z):
        return self.layers(z).reshape(-1, 28, 28)


class VAE(nn.Module):
    def __init__(self, latent_dims=2):
        super().__init__()
        self.encoder, self.decoder = GaussianEncoder(latent_dims), Decoder(latent_dims)

    def forward(self, x):
        mean, log_var = self.encoder(x)
        # exercise: draw z with the reparameterisation trick
        z = mean + torch.exp(log_var / 2) * torch.randn_like(mean)
        # end
        return self.decoder(z), mean, log_var


class Autoencoder(nn.Module):
    """The autoencoder of the first notebook, with the same number of units."""

    def __init__(self, latent_dims=2):
        super().__init__()
        self.encoder = nn.Sequential(
            nn.Flatten(), nn.Linear(784, 256), nn.ReLU(), nn.Linear(256, latent_dims)
        )
        self.decoder = Decoder(latent_dims)

    def forward(self, x):
        codes = self.encoder(x)
        return codes, self.decoder(codes)


# %% [markdown]
# ## The KL divergence, and a formula that is often printed
#
# For one dimension, the divergence of N(μ, σ²) from the prior N(0, 1) is
#
# $$\mathrm{KL} = \tfrac12\,(\sigma^2 + \mu^2 - 1 - \ln \sigma^2)
# = \tfrac12\sigma^2 + \tfrac12\mu^2 - \ln\sigma - \tfrac12 .$$
#
# Courses and blogs often print $\sigma^2 + \mu^2 - \ln\sigma - \tfrac12$, without the two factors
# ½. This is another function. PyTorch knows the right value, so we can test both.


# %%
def kl(mean, log_var):
    """KL divergence from N(0, 1), summed over dimensions, mean over images; in nats."""
    # exercise: the right formula
    each = (log_var.exp() + mean**2 - 1 - log_var) / 2
    # end
    return each.sum(1).mean()


def printed_kl(mean, log_var):
    """The formula that is often printed."""
    return (log_var.exp() + mean**2 - log_var / 2 - 1 / 2).sum(1).mean()


prior = torch.distributions.Normal(0.0, 1.0)
print("   μ     σ    PyTorch   right  printed")
for m, s in [(0.0, 1.0), (0.0, 0.71), (1.0, 1.0), (2.0, 0.1)]:
    exact = torch.distributions.kl_divergence(torch.distributions.Normal(m, s), prior)
    arguments = torch.tensor([[m]]), torch.tensor([[2 * math.log(s)]])
    print(f"{m:5.1f} {s:5.2f} {exact:9.3f} {kl(*arguments):8.3f} {printed_kl(*arguments):8.3f}")

# %% [markdown]
# The right divergence is 0 where the posterior is the prior. The printed one is ½ there. Its
# minimum is at σ = 1/√2 ≈ 0.71, and it penalises μ² twice as much. So figures of KL from the two
# formulas cannot be compared, and the codes of the printed one are too narrow for the prior N(0,
# 1).
#
# ## Sum or mean?
#
# The loss is the reconstruction error plus KL. Both must be *sums* over pixels and over latent
# dimensions; only over the images of a batch we take the mean. With `reduction="mean"`, the error
# is divided by 784 but KL only by 2. This is the same as a KL weight of 392, and the decoder learns
# to ignore the code. We train all four models.


# %%
def squared_error(images, x):
    """The squared error, summed over pixels, mean over images."""
    return (images - x).square().sum((1, 2)).mean()


def vae_loss(model, x, divergence=kl):
    images, mean, log_var = model(x)
    # exercise: the squared error plus the divergence
    return squared_error(images, x) + divergence(mean, log_var)
    # end


def mean_loss(model, x):
    """The same with means over pixels and latent dimensions."""
    images, mean, log_var = model(x)
    return F.mse_loss(images, x) + kl(mean, log_var) / mean.shape[1]


def train(model, loss_of, steps=STEPS):
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    for step in range(steps):
        loss = loss_of(model, ae.sample_train(BATCH, seed=step))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return model.eval()


torch.manual_seed(0)
plain = train(Autoencoder(), lambda model, x: squared_error(model(x)[1], x))
vae = train(VAE(), vae_loss)
printed = train(VAE(), lambda model, x: vae_loss(model, x, printed_kl), STEPS // 2)
means = train(VAE(), mean_loss, STEPS // 2)

# %%
measured = {}
print("model            squared error   KL (nats)   spread of μ   typical σ")
with torch.no_grad():
    for name, model in {"sums": vae, "printed KL": printed, "means": means}.items():
        mean, log_var = model.encoder(x_test)
        error = squared_error(model.decoder(mean), x_test).item()
        divergence = kl(mean, log_var).item()
        spread, sigma = mean.std(0).mean().item(), log_var.div(2).exp().median().item()
        measured[name] = error, divergence
        print(f"{name:15} {error:14.2f} {divergence:11.2f} {spread:13.2f} {sigma:11.2f}")
    error = squared_error(plain(x_test)[1], x_test).item()
print(f"AE, no KL       {error:14.2f}")

# %% [markdown]
# With means, KL is almost 0: every image has the posterior N(0, 1), and every code decodes to the
# mean image. This is *posterior collapse*. The KL of the model in the second row is the right
# formula applied to a model that was trained with the printed one.
#
# ## Two latent spaces
#
# The codes of the AE, and the means μ of the VAE. Look at the axes.

# %%
ae.plot_latent(plain, (test.x, test.y))

# %%
ae.plot_latent(vae, (test.x, test.y))

# %% [markdown]
# ## Two decoded grids
#
# For the AE, the grid covers the rectangle around the codes. For the VAE, it covers −2.5 to 2.5,
# where 98 % of the codes from the prior are.

# %%
with torch.no_grad():
    codes = plain.encoder(x_test)
low, high = codes.amin(0), codes.amax(0)
ae.plot_reconstructed(plain, (low[0], high[0]), (low[1], high[1]), n=12)

# %%
ae.plot_reconstructed(vae, (-2.5, 2.5), (-2.5, 2.5), n=12)

# %% [markdown]
# ## Gaps, measured
#
# *Density.* We draw random codes: for the AE uniformly from the rectangle, for the VAE from the
# prior. How many have no code of a test image near them? "Near" is the distance to the nearest
# neighbour that 99 % of the test codes have. For the VAE, a test code is one draw from the
# posterior.


# %%
def nearest_distance(a, b):
    """The distance from each code of a to the nearest other code of b."""
    distances = torch.cdist(a, b)
    return distances.masked_fill(distances == 0, torch.inf).amin(1)


def empty_share(random, codes):
    # exercise: the share of random codes that are farther than 99 % of the codes
    limit = nearest_distance(codes[:2_000], codes).quantile(0.99)
    return (nearest_distance(random, codes) > limit).float().mean().item()
    # end


torch.manual_seed(1)
with torch.no_grad():
    mean, log_var = vae.encoder(x_test)
    posterior = mean + torch.exp(log_var / 2) * torch.randn_like(mean)
random = {"AE": low + torch.rand(2_000, 2) * (high - low), "VAE": torch.randn(2_000, 2)}
empty = {"AE": empty_share(random["AE"], codes), "VAE": empty_share(random["VAE"], posterior)}
print({name: f"{share:.0%} of random codes lie in gaps" for name, share in empty.items()})

# %% [markdown]
# *Quality.* A small classifier judges decoded images. An image is *unclear* if the classifier gives
# no digit a probability of 0.9. We decode random codes, and also the middle between the codes of
# two test images of different digits.

# %%
torch.manual_seed(2)
judge = nn.Sequential(nn.Flatten(), nn.Linear(784, 256), nn.ReLU(), nn.Linear(256, 10))
optimizer = torch.optim.Adam(judge.parameters(), lr=2e-3)
for step in range(STEPS // 2):
    x, y = ae.sample_train(BATCH, return_labels=True, seed=step)
    loss = F.cross_entropy(judge(x + 0.1 * torch.randn_like(x)), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()


def unclear(images):
    with torch.no_grad():
        return (judge(images).softmax(1).amax(1) < 0.9).float().mean().item()


first, second = torch.randint(len(test.x), (2, 3_000))
different = test.y[first] != test.y[second]
first, second = first[different], second[different]
rows = {}
for name, model, z in (("AE", plain, codes), ("VAE", vae, mean)):
    with torch.no_grad():
        # exercise: decode the codes z, the middle of z[first] and z[second], and random[name]
        own = model.decoder(z)
        middle = model.decoder((z[first] + z[second]) / 2)
        drawn = model.decoder(random[name])
        # end
    rows[name] = [unclear(own), unclear(middle), unclear(drawn)]
accuracy = (judge(x_test).argmax(1) == test.y).float().mean()
print(f"accuracy of the judge {accuracy:.1%}; unclear test images {unclear(x_test):.1%}")
print("unclear   reconstructions   between two digits   random codes")
for name, shares in rows.items():
    print(f"{name:9} {shares[0]:15.1%} {shares[1]:20.1%} {shares[2]:14.1%}")

# %% [markdown]
# ## From 1 to 0
#
# The same two test images, with the images decoded on the line between their codes: AE, then VAE.

# %%
one, zero = test.x[test.y == 1][0], test.x[test.y == 0][0]
ae.interpolate(plain, one, zero)

# %%
ae.interpolate(vae, one, zero)

# %% [markdown]
# ## Finding

# %%
error_vae, divergence = measured["sums"]
print(f"squared error           AE {error:.1f}    VAE {error_vae:.1f} (KL {divergence:.2f} nats)")
print(f"random codes in gaps    AE {empty['AE']:.0%}     VAE {empty['VAE']:.0%}")
print(f"unclear random images   AE {rows['AE'][2]:.0%}     VAE {rows['VAE'][2]:.0%}")
print(f"unclear between digits  AE {rows['AE'][1]:.0%}     VAE {rows['VAE'][1]:.0%}")
error, divergence = measured["means"]
print(f"with mean reductions    squared error {error:.1f}, KL {divergence:.2f} nats")

# %% [markdown]
# The VAE pays with a larger squared error, and its codes fill the region of the prior: few random
# codes lie in gaps. But a code without a gap is not yet a clear image. In two dimensions many
# digits share borders, and images decoded at a border are unclear in both models. The prior draws
# most codes near the origin, where the classes meet. The decoder of the AE draws bold digits far
# from all codes, and the judge likes them: clear images are not the same as images like the data.
# Notebook 5 measures this better.
#
# In one line, with a Bernoulli likelihood: `ae.fit("vae", "mnist", latent=2)`.
#
# ## Questions
#
# 1. Why is the KL divergence not 0 in a good model?

# %% [markdown]
# **Answer.** KL measures what the code says about its image. With KL = 0 all images have the same
# posterior, and the decoder knows nothing about its image.

# %% [markdown]
# 2. What do you expect from a KL weight of 0, and of 10?

# %% [markdown]
# **Answer.** With 0, σ goes to 0 and the model is an autoencoder, gaps included. With 10, the error
# is larger, the posteriors are wider and overlap, and a dimension may collapse.

# %% [markdown]
# 3. The error of the VAE is measured at the mean μ. Is it larger or smaller with a drawn code z?

# %% [markdown]
# **Answer.** Larger: the noise moves the code away from the mean. The training loss uses drawn
# codes, so it is not the number of the table.

# %% [markdown]
# ## Papers
#
# - kingma2014: https://arxiv.org/abs/1312.6114
# - hoffman2016: http://approximateinference.org/accepted/HoffmanJohnson2016.pdf
# - higgins2017: https://openreview.net/forum?id=Sy2fzU9gl
