# %% [markdown]
# # 2. Convolutions and the size of the bottleneck
#
# Two dimensions are easy to draw, but they lose most of an image. How many latent dimensions are
# enough? We try several with a convolutional autoencoder, choose one on *validation* images, and
# measure the choice on *test* images that no choice has seen. Then we ask which representation is
# good for what.

# %%
import os
import time
from itertools import pairwise

import matplotlib.pyplot as plt
import torch
from sklearn.cluster import KMeans
from sklearn.manifold import TSNE
from sklearn.metrics import adjusted_rand_score, silhouette_score
from sklearn.model_selection import cross_val_score
from sklearn.neighbors import KNeighborsClassifier
from torch import nn

import autoencode as ae
from autoencode.explore import project

SHORT = "AUTOENCODE_SHORT" in os.environ  # few steps, only to test that the notebook runs
STEPS = 20 if SHORT else 600
BATCH = 100
DIMENSIONS = [2, 8] if SHORT else [2, 4, 8, 16, 32]

data = ae.load_data("mnist")
validation, test = data.validation.x / 255, data.test.x / 255
print(f"{len(data.train):,} training, {len(validation):,} validation, {len(test):,} test images")

# %% [markdown]
# ## A convolutional autoencoder
#
# Two convolutions with stride 2 halve the image twice: 28 → 14 → 7. A linear layer gives the code.
# The decoder goes the same way back with transposed convolutions. A convolution uses the same few
# weights at each position of the image.


# %%
class ConvAutoencoder(nn.Module):
    def __init__(self, latent_dims):
        super().__init__()
        # Convolutions with kernel 4, stride 2 and padding 1 halve the image.
        # exercise: unflatten; convolutions to 16 and 32 channels, batch norm, ReLU; linear
        self.encoder = nn.Sequential(
            nn.Unflatten(1, (1, 28)),
            nn.Conv2d(1, 16, 4, stride=2, padding=1),
            nn.BatchNorm2d(16),
            nn.ReLU(),
            nn.Conv2d(16, 32, 4, stride=2, padding=1),
            nn.BatchNorm2d(32),
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(32 * 7 * 7, latent_dims),
        )
        # end
        self.decoder = nn.Sequential(
            nn.Linear(latent_dims, 32 * 7 * 7),
            nn.Unflatten(1, (32, 7, 7)),
            nn.BatchNorm2d(32),
            nn.ReLU(),
            nn.ConvTranspose2d(32, 16, 4, stride=2, padding=1),
            nn.BatchNorm2d(16),
            nn.ReLU(),
            nn.ConvTranspose2d(16, 1, 4, stride=2, padding=1),
            nn.Sigmoid(),
            nn.Flatten(1, 2),
        )

    def forward(self, x):
        codes = self.encoder(x)
        return codes, self.decoder(codes)


def parameters(model):
    return sum(weights.numel() for weights in model.parameters())


model = ConvAutoencoder(2)
print([tuple(part.shape) for part in model(ae.sample_train(5, seed=0))])
print(f"{parameters(model):,} weights; the dense model of the first notebook has 807,186")

# %% [markdown]
# ## Several sizes, the same training


# %%
def train(model, steps=STEPS):
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)  # lr falls to 0
    for step in range(steps):
        x = ae.sample_train(BATCH, seed=step)
        loss = (model(x)[1] - x).square().sum((1, 2)).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    return model.eval()


def error(model, x):
    """The squared error, summed over pixels, mean over images."""
    with torch.no_grad():
        return (model(x)[1] - x).square().sum((1, 2)).mean().item()


models, errors = {}, {}
for d in DIMENSIONS:
    torch.manual_seed(0)
    began = time.perf_counter()
    models[d] = train(ConvAutoencoder(d))
    # exercise: the error of this model on the validation images
    errors[d] = error(models[d], validation)
    # end
    print(f"d = {d:2}   squared error {errors[d]:6.2f}   {time.perf_counter() - began:.0f} s")

# %% [markdown]
# A larger code always gives a smaller error here, so "the smallest error" is no rule to choose d.
# We look for the smallest code that is nearly as good as a code of twice its size: doubling it
# lowers the error by less than 15 % of the error of the mean image.

# %%
mean_image = data.train.x.float().mean(0) / 255
worst = (validation - mean_image).square().sum((1, 2)).mean().item()
# exercise: best = the smallest d for which the next larger one gains less than 0.15 * worst
gains = {d: errors[d] - errors[larger] for d, larger in pairwise(DIMENSIONS)}
best = min((d for d, gain in gains.items() if gain < 0.15 * worst), default=DIMENSIONS[-1])
# end
plt.figure(figsize=(6, 3), layout="constrained")
plt.semilogx(list(errors), list(errors.values()), "o-", base=2)
plt.axhline(worst, color="gray", linestyle=":", label="the mean image")
plt.axvline(best, color="tab:orange", linestyle="--", label=f"chosen: d = {best}")
plt.xticks(DIMENSIONS, DIMENSIONS)
plt.xlabel("latent dimensions d")
plt.ylabel("squared error, validation")
plt.ylim(0)
plt.legend()
plt.show()

# %% [markdown]
# ## Independent test data
#
# The validation images have chosen d, so their error may be too optimistic. The test images have
# chosen nothing.

# %%
test_errors = {d: error(models[d], test) for d in (2, best)}
for d, value in test_errors.items():
    print(f"d = {d:2}   squared error: test {value:.2f}, validation {errors[d]:.2f}")
ae.plot(models[2], (data.test.x[:1_000], data.test.y[:1_000]))

# %%
ae.plot(models[best], (data.test.x[:1_000], data.test.y[:1_000]))

# %% [markdown]
# ## 1,000 test codes in the plane
#
# A code of more than two dimensions needs a projection. PCA is linear. t-SNE and UMAP keep
# neighbours together; distances between groups and sizes of groups have no meaning there. UMAP is
# an optional package: `pip install "autoencode[umap]"`.

# %%
x, y = test[:1_000], data.test.y[:1_000]
with torch.no_grad():
    codes = {d: models[d].encoder(x) for d in (2, best)}
maps = {"code, d = 2": codes[2].numpy()}
wide = codes[best].numpy()
# exercise: project the codes `wide` with t-SNE (random_state=0), as maps["t-SNE, d = …"]
maps[f"t-SNE, d = {best}"] = TSNE(random_state=0).fit_transform(wide)
# end
try:
    maps[f"UMAP, d = {best}"] = project(codes[best], "umap").numpy()
except ae.AutoencodeError as error_message:  # the package is not installed
    print(error_message)

figure, axes = plt.subplots(1, len(maps), figsize=(4.5 * len(maps), 4.2), layout="constrained")
for axis, (name, points) in zip(axes, maps.items(), strict=True):
    dots = axis.scatter(*points.T, c=y.numpy(), cmap="tab10", s=6, vmin=-0.5, vmax=9.5)
    axis.set(title=name, xticks=[], yticks=[])
figure.colorbar(dots, ax=axes, ticks=range(10), label="digit")
plt.show()

# %% [markdown]
# ## Do the classes form clusters?
#
# | measure | question | range |
# |---|---|---|
# | silhouette | Are points nearer to their own class than to the next one? | −1 to 1 |
# | k-NN accuracy | Do the 10 nearest neighbours have the same digit? | 0 to 1 |
# | adjusted Rand index (ARI) | Does k-means, without labels, find the classes? | 0 by chance, 1 |


# %%
def scores(points):
    """Silhouette, k-NN accuracy in 5 parts, and ARI of k-means with 10 clusters."""
    # exercise: the three measures of scikit-learn
    classifier = KNeighborsClassifier(10)
    clusters = KMeans(10, n_init=10, random_state=0).fit_predict(points)
    return (
        silhouette_score(points, y),
        cross_val_score(classifier, points, y.numpy(), cv=5).mean(),
        adjusted_rand_score(y, clusters),
    )
    # end


spaces = {"pixels": x.flatten(1).numpy(), f"code, d = {best}": wide, **maps}
found = {name: scores(points) for name, points in spaces.items()}
print(f"{'':16}  silhouette   k-NN   ARI")
for name, (silhouette, knn, ari) in found.items():
    print(f"{name:16} {silhouette:11.2f} {knn:6.2f} {ari:5.2f}")

# %% [markdown]
# ## Finding

# %%
names = [name for name in found if name != "pixels"]
best_for = {
    measure: max(names, key=lambda n: found[n][i])
    for i, measure in enumerate(("silhouette", "k-NN accuracy", "ARI"))
}
ratio = test_errors[2] / test_errors[best]
print(
    f"d = {best}: squared error {test_errors[best]:.1f} on test images; d = 2: {test_errors[2]:.1f}"
)
print(f"           the plane loses {ratio:.1f} times as much")
for measure, name in best_for.items():
    print(f"highest {measure:14} {name}")

# %% [markdown]
# Which representation for what:
#
# - *to draw and to explain*: the 2-D code, because each point can be decoded;
# - *to compress, to classify and to compare images*: the code of the chosen d;
# - *to see groups*: t-SNE or UMAP of this code. New images need a new projection, a point of the
#   picture cannot be decoded, and a good ARI of the picture is no proof of clusters in the code.
#
# The same question with several seeds, intervals and a report: `autoencode study bottleneck --data
# mnist`.
#
# ## Questions
#
# 1. Why must the test images not choose d?

# %% [markdown]
# **Answer.** The choice adapts to the images that make it. Their error is then smaller than the
# error on new images, and nobody can say by how much.

# %% [markdown]
# 2. The convolutional model has fewer weights than the dense one. Which assumption about images
#    makes this possible?

# %% [markdown]
# **Answer.** A pattern such as an edge is the same at each position. So its weights can be shared
# by all positions.

# %% [markdown]
# 3. t-SNE shows clear groups. Would it also for random points? Try it.

# %% [markdown]
# **Answer.** With a small perplexity it shows small clumps also for random points. So check a group
# with a measure in the code space, such as k-NN accuracy.

# %% [markdown]
# ## Papers
#
# - masci2011: https://doi.org/10.1007/978-3-642-21735-7_7
# - maaten2008: https://www.jmlr.org/papers/v9/vandermaaten08a.html
# - mcinnes2018: https://arxiv.org/abs/1802.03426
# - rousseeuw1987: https://doi.org/10.1016/0377-0427(87)90125-7
# - hubert1985: https://doi.org/10.1007/BF01908075
