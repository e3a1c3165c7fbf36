# %% [markdown]
# # 5. Generation and quality
#
# To generate an image, draw a random code and decode it. But which random codes, and how good are
# the images? We compare an autoencoder with codes from a box, the same autoencoder with codes from
# a fitted Gaussian mixture, and a VAE with codes from its prior.

# %%
import os

import matplotlib.pyplot as plt
import torch
from sklearn.mixture import GaussianMixture
from torch import nn
from torch.nn import functional as F

import autoencode as ae
from autoencode.evaluation import frechet_distance, precision_recall

SHORT = "AUTOENCODE_SHORT" in os.environ  # few steps, only to test that the notebook runs
STEPS = 30 if SHORT else 1_500
N = 300 if SHORT else 2_000  # generated images of each method
LATENT = 8

data = ae.load_data("mnist")
settings = {"latent": LATENT, "steps": STEPS, "progress": False}
plain = ae.fit("ae", data, **settings).model
vae = ae.fit("vae", data, **settings).model

# %% [markdown]
# ## Three ways to draw a code

# %%
codes = torch.as_tensor(ae.embed(plain, data.train.x[:20_000]))
torch.manual_seed(0)
low, high = codes.amin(0), codes.amax(0)
# exercise: N codes, uniform in the box from low to high
box = low + torch.rand(N, LATENT) * (high - low)
# end

# exercise: fit a GaussianMixture of 20 components to the codes, and draw N codes from it
mixture = GaussianMixture(20, random_state=0).fit(codes.double().numpy())
mixed = torch.from_numpy(mixture.sample(N)[0]).float()
mixed = mixed[torch.randperm(N)]  # scikit-learn sorts them by component
# end

# exercise: N codes from the prior of the VAE, N(0, 1) in each dimension
normal = torch.randn(N, LATENT)
# end

generated = {
    "AE, box": ae.generate(plain, code=box),
    "AE, mixture": ae.generate(plain, code=mixed),
    "VAE, prior": ae.generate(vae, code=normal),
}
shuffled = torch.randperm(len(data.test))
real, others = data.test.x[shuffled[:N]] / 255, data.test.x[shuffled[N : 2 * N]] / 255

# %%
figure = plt.figure(figsize=(8, 7), layout="constrained")
for axis, (name, images) in zip(
    figure.subplots(4, 1), {"test images": real, **generated}.items(), strict=True
):
    rows = [torch.cat(list(images[i : i + 12]), 1) for i in (0, 12)]
    axis.imshow(torch.cat(rows).numpy(), cmap="gray", vmin=0, vmax=1)
    axis.set(title=name, xticks=[], yticks=[])
plt.show()

# %% [markdown]
# ## Features
#
# Distances between pixels are a bad measure of quality: an image moved by one pixel is far away. So
# we compare images in the features of a small classifier, its last hidden layer. We train it here.

# %%
torch.manual_seed(1)
body = nn.Sequential(nn.Flatten(), nn.Linear(784, 256), nn.ReLU(), nn.Linear(256, 64), nn.ReLU())
head = nn.Linear(64, 10)
optimizer = torch.optim.Adam([*body.parameters(), *head.parameters()], lr=2e-3)
for step in range(STEPS):
    x, y = ae.sample_train(100, return_labels=True, seed=step)
    loss = F.cross_entropy(head(body(x + 0.1 * torch.randn_like(x))), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()


def features(images):
    with torch.no_grad():
        return body(images)


accuracy = (head(features(real)).argmax(1) == data.test.y[shuffled[:N]]).float().mean()
print(f"accuracy on test images {accuracy:.1%}")

# %% [markdown]
# ## Four measures
#
# | measure | question | best |
# |---|---|---|
# | Fréchet distance | Do the features have the mean and the covariance of real ones? | 0 |
# | precision | Which share of generated images is near real ones? | 1 |
# | recall | Which share of real images is near generated ones? | 1 |
# | implausible | Which share is farther from training images than 99 % of test images? | 0.01 |
#
# Other test images show what a perfect model reaches.

# %%
training = features(data.train.x[:20_000] / 255)


def nearest(images):
    """The distance to the nearest training image, in features."""
    # exercise: use torch.cdist between features(images) and training
    return torch.cdist(features(images), training).amin(1)
    # end


limit = nearest(real).quantile(0.99)
measured = {}
print(f"{'':18} Fréchet  precision  recall  implausible")
for name, images in {"other test images": others, **generated}.items():
    distance = frechet_distance(features(real), features(images))
    precision, recall = precision_recall(features(real), features(images))
    # exercise: the share of images whose nearest distance is above the limit
    implausible = (nearest(images) > limit).float().mean().item()
    # end
    measured[name] = distance, precision, recall, implausible
    print(f"{name:18} {distance:7.1f} {precision:10.2f} {recall:7.2f} {implausible:12.2f}")

# %% [markdown]
# ## Are they copies?
#
# A model that stores training images would have perfect figures. So look at the nearest training
# image of some generated ones (generated above, training below).

# %%
images = generated["AE, mixture"][:12]
closest = torch.cdist(features(images), training).argmin(1)
rows = [torch.cat(list(part), 1) for part in (images, data.train.x[closest] / 255)]
plt.figure(figsize=(8, 1.6), layout="constrained")
plt.imshow(torch.cat(rows).numpy(), cmap="gray")
plt.axis("off")
plt.show()

# %% [markdown]
# ## Finding

# %%
best = min(generated, key=lambda name: measured[name][0])
for name in generated:
    distance, precision, recall, implausible = measured[name]
    print(f"{name:12} Fréchet distance {distance:6.1f}, {implausible:.0%} implausible")
print(f"smallest Fréchet distance: {best}")
for name, model in {"AE": plain, "VAE": vae}.items():
    error = ae.evaluate(model, data, ["reconstruction"])["squared_error"]
    print(f"squared error of {name:4} {error:.1f}")

# %% [markdown]
# The decoder of an autoencoder is not bad at generation: the random codes are. With a density that
# is fitted to the codes, the same decoder gives better images than with codes from a box. The VAE
# needs no second step, and few of its images are implausible. But between the classes they are
# blurred, which the Fréchet distance sees: no single measure is enough.
#
# The same with the package: recipes `ae-mixture` and `vae-mixture`, `ae.generate(model, 16,
# data="mnist")`, and `autoencode study generation --data mnist`. These Fréchet distances are not
# FID: other features, other images.
#
# ## Questions
#
# 1. Why does the box fail more in 8 dimensions than in 2?

# %% [markdown]
# **Answer.** Most of the volume of a box in many dimensions is near its corners, and codes are not
# there.

# %% [markdown]
# 2. What do precision and recall say about a model that always generates one perfect 1?

# %% [markdown]
# **Answer.** Precision is 1, and recall is near 0. One measure alone is not enough.

# %% [markdown]
# 3. What happens with 1 component in the mixture, and with 10,000?

# %% [markdown]
# **Answer.** One component covers also the gaps between the classes. With as many components as
# codes, the samples are nearly the training images themselves.

# %% [markdown]
# ## Papers
#
# - ghosh2020: https://arxiv.org/abs/1903.12436
# - kynkaanniemi2019: https://arxiv.org/abs/1904.06991
# - heusel2017: https://arxiv.org/abs/1706.08500
# - meehan2020: https://arxiv.org/abs/2004.05675
