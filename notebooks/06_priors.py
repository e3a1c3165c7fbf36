# %% [markdown]
# # 6. Priors
#
# The standard normal prior is a choice, and not always a good one: codes of ten digits do not form
# one round cloud. Here are five priors for a VAE with two latent dimensions: what do they do to the
# codes, to the likelihood, and to random images?
#
# | recipe | prior |
# |---|---|
# | `vae` | standard normal |
# | `uniform-vae` | uniform in a square |
# | `mixture` | a mixture of 20 normal distributions, learned |
# | `vamp-vae` | VampPrior: a mixture of the posteriors of learned pseudo-inputs |
# | `flow-vae` | a normalising flow, which bends a normal distribution |

# %%
import os

import matplotlib.pyplot as plt
import torch

import autoencode as ae

SHORT = "AUTOENCODE_SHORT" in os.environ  # few steps, only to test that the notebook runs
STEPS = 20 if SHORT else 1_000

data = ae.load_data("mnist")
x, y = data.test.x[:3_000], data.test.y[:3_000]

# %% [markdown]
# ## A mixture, by hand
#
# A prior is a distribution with two methods: `sample`, and `log_prob`. A mixture of K normal
# distributions has the density Σ πₖ N(z; μₖ, σₖ). Its logarithm is computed with `logsumexp`, so
# that small densities do not become 0.

# %%
weights = torch.tensor([0.5, 0.3, 0.2])
means = torch.tensor([[-2.0, 0.0], [2.0, 1.0], [0.0, -2.0]])
sigmas = torch.tensor([0.5, 0.8, 0.3])


def log_prob(z):
    """The log density of the mixture at codes z [N, 2]: [N]."""
    # exercise: the log density of each component [N, 3], plus ln πₖ, then logsumexp
    components = torch.distributions.Normal(means, sigmas[:, None])
    each = components.log_prob(z[:, None]).sum(2)
    return torch.logsumexp(each + weights.log(), 1)
    # end


def sample(n):
    """n random codes of the mixture: [n, 2]."""
    # exercise: draw a component for each code, then a normal code of this component
    k = torch.multinomial(weights, n, replacement=True)
    return means[k] + sigmas[k, None] * torch.randn(n, 2)
    # end


torch.manual_seed(0)
grid = torch.cartesian_prod(torch.linspace(-6, 6, 300), torch.linspace(-6, 6, 300))
area = (12 / 299) ** 2
print(f"integral of the density: {(log_prob(grid).exp().sum() * area):.3f}")
print(f"mean of the samples {sample(20_000).mean(0).numpy().round(2)}, exact {weights @ means}")

# %% [markdown]
# ## Five models, equal training
#
# All have the same networks and the same likelihood, and differ only in the prior.

# %%
RECIPES = {
    "normal": ae.RECIPES["vae"],
    "uniform": ae.RECIPES["uniform-vae"],
    "VampPrior": ae.RECIPES["vamp-vae"],
    "flow": ae.RECIPES["flow-vae"],
}
# exercise: RECIPES["mixture"] is the recipe "vae" with the prior ae.Spec("mixture"); use .but
RECIPES["mixture"] = ae.RECIPES["vae"].but(prior=ae.Spec("mixture"))
# end
models = {
    name: ae.fit(recipe, data, latent=2, steps=STEPS, batch_size=100, progress=False).model
    for name, recipe in RECIPES.items()
}

# %% [markdown]
# ## Codes and priors
#
# Above: codes of 3,000 test images (means of the posteriors). Below: as many codes drawn from the
# prior. A good prior has the form of the codes above, made a little wider by the posteriors.

# %%
codes, drawn = {}, {}
torch.manual_seed(1)
for name, model in models.items():
    codes[name] = torch.as_tensor(ae.embed(model, x))
    with torch.no_grad():
        # exercise: 3,000 codes from the prior; model.sampler() has the method sample
        drawn[name] = model.sampler().sample((3_000,))
        # end

figure = plt.figure(figsize=(12, 5), layout="constrained")
axes = figure.subplots(2, len(models))
for (above, below), name in zip(axes.T, models, strict=True):
    above.scatter(*codes[name].T.numpy(), c=y.numpy(), cmap="tab10", s=2)
    below.scatter(*drawn[name].T.numpy(), color="gray", s=2)
    both = torch.cat([codes[name], drawn[name]])
    low, high = (both.quantile(q, 0).tolist() for q in (0.002, 0.998))
    for axis in (above, below):
        axis.set(xlim=(low[0], high[0]), ylim=(low[1], high[1]), title=name)
axes[0, 0].set_ylabel("codes of test images")
axes[1, 0].set_ylabel("random codes")
plt.show()

# %% [markdown]
# ## Random images

# %%
figure = plt.figure(figsize=(8, 3.2), layout="constrained")
for axis, (name, model) in zip(figure.subplots(len(models), 1), models.items(), strict=True):
    images = ae.generate(model, 14, seed=3)
    axis.imshow(torch.cat(list(images), 1).numpy(), cmap="gray", vmin=0, vmax=1)
    axis.set(xticks=[], yticks=[])
    axis.set_ylabel(name, rotation=0, ha="right", va="center")
plt.show()

# %% [markdown]
# ## Likelihood
#
# −log p(x) is estimated by importance sampling with 100 samples for each of 500 test images;
# smaller is better. It judges the decoder and the prior together: a prior far from the codes makes
# real images improbable.

# %%
found = {}
print(f"{'prior':10} {'−log p(x)':>10} {'squared error':>14}")
for name, model in models.items():
    # exercise: the measures "reconstruction" and "likelihood" of ae.evaluate, for 500 images
    measures = ["reconstruction", "likelihood"]
    metrics = ae.evaluate(model, data, measures, samples=100, images=500)
    # end
    found[name] = metrics["nll"], metrics["squared_error"]
    print(f"{name:10} {found[name][0]:10.2f} {found[name][1]:14.2f}")

# %% [markdown]
# ## Finding

# %%
ordered = sorted(found, key=lambda name: found[name][0])
for name in ordered:
    print(f"{name:10} −log p(x) = {found[name][0]:.1f} nats, squared error {found[name][1]:.1f}")
gain = found["normal"][0] - found[ordered[0]][0]
print(f"the best prior here, {ordered[0]}, gains {gain:.1f} nats over the normal prior")

# %% [markdown]
# A learned prior goes where the codes are, so KL costs less, and the model may place classes
# farther apart. The squared error alone does not show it. One seed and a short training:
# `autoencode study priors --data mnist` repeats this with several seeds and intervals.
#
# ## Questions
#
# 1. A flow can have almost any form. Why not always use it?

# %% [markdown]
# **Answer.** It has more weights, is slower, and can fit the codes of the training images too
# closely. A prior without a simple form is also more difficult to explore.

# %% [markdown]
# 2. Which prior would give the same model with a rotated latent space?

# %% [markdown]
# **Answer.** The standard normal: it is the same in all directions, so the encoder and the decoder
# can rotate the codes without any cost. The square of the uniform prior has preferred axes.

# %% [markdown]
# 3. Why do pseudo-inputs of the VampPrior look like blurred digits?

# %% [markdown]
# **Answer.** Their posteriors must cover the codes of many images. So each is like a mean of
# similar images.

# %% [markdown]
# ## Papers
#
# - tomczak2018: https://arxiv.org/abs/1705.07120
# - jiang2017: https://arxiv.org/abs/1611.05148
# - durkan2019: https://arxiv.org/abs/1906.04032
# - hoffman2016: http://approximateinference.org/accepted/HoffmanJohnson2016.pdf
