# %% [markdown]
# # 4. Denoising
#
# A *denoising autoencoder* receives a corrupted image and must give the clean one. It cannot copy
# its input, so it has to learn what digits look like. We compare levels and kinds of noise, three
# architectures, and two classical filters that learn nothing.

# %%
import os

import matplotlib.pyplot as plt
import torch
from scipy.ndimage import gaussian_filter, median_filter
from torch import nn

import autoencode as ae

SHORT = "AUTOENCODE_SHORT" in os.environ  # few steps, only to test that the notebook runs
STEPS = 20 if SHORT else 700
BATCH = 100

data = ae.load_data("mnist")
validation, test = data.validation.x[:500] / 255, data.test.x[:1_000] / 255

# %% [markdown]
# ## Kinds of noise
#
# | kind | what it does | level |
# |---|---|---|
# | Gaussian | adds a random number to each pixel | its standard deviation |
# | salt and pepper | sets some pixels to 0 or 1 | their share |
# | masking | sets some pixels to 0 | their share |


# %%
def gaussian(x, level):
    # exercise: add normal noise with this standard deviation, and clamp to [0, 1]
    return (x + level * torch.randn_like(x)).clamp(0, 1)
    # end


def salt_and_pepper(x, level):
    # exercise: replace a share `level` of the pixels by 0 or 1, each with probability 1/2
    hit = torch.rand_like(x) < level
    return torch.where(hit, (torch.rand_like(x) < 0.5).float(), x)
    # end


def masking(x, level):
    # exercise: set a share `level` of the pixels to 0
    return x * (torch.rand_like(x) >= level)
    # end


KINDS = {"gaussian": gaussian, "salt and pepper": salt_and_pepper, "masking": masking}
LEVELS = [0.25, 0.5, 0.75]


def show(rows, width=8):
    """Draw rows of images, {title: images}."""
    figure = plt.figure(figsize=(width, width / 9 * len(rows)), layout="constrained")
    axes = figure.subplots(len(rows), 1)
    for axis, (title, images) in zip(axes, rows.items(), strict=True):
        axis.imshow(torch.cat(list(images[:8]), 1).numpy(), cmap="gray", vmin=0, vmax=1)
        axis.set(xticks=[], yticks=[])
        axis.set_ylabel(title, rotation=0, ha="right", va="center")
    plt.show()


torch.manual_seed(0)
rows = {
    f"{kind} {level}": noise(test, level) for kind, noise in KINDS.items() for level in (0.25, 0.5)
}
show(rows)

# %% [markdown]
# ## Three architectures
#
# A dense network with a code of 32 dimensions, a convolutional network with the same code, and
# convolutions without a bottleneck, which keep all 28 × 28 positions.


# %%
def dense():
    return nn.Sequential(
        nn.Flatten(),
        nn.Linear(784, 512),
        nn.ReLU(),
        nn.Linear(512, 32),
        nn.Linear(32, 512),
        nn.ReLU(),
        nn.Linear(512, 784),
        nn.Sigmoid(),
        nn.Unflatten(1, (28, 28)),
    )


def convolutional():
    return nn.Sequential(
        nn.Unflatten(1, (1, 28)),
        nn.Conv2d(1, 16, 4, stride=2, padding=1),
        nn.BatchNorm2d(16),
        nn.ReLU(),
        nn.Conv2d(16, 32, 4, stride=2, padding=1),
        nn.BatchNorm2d(32),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(32 * 49, 32),
        nn.Linear(32, 32 * 49),
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


def without_bottleneck():
    return nn.Sequential(
        nn.Unflatten(1, (1, 28)),
        nn.Conv2d(1, 16, 4, stride=2, padding=1),
        nn.BatchNorm2d(16),
        nn.ReLU(),
        nn.Conv2d(16, 16, 5, padding=2),
        nn.BatchNorm2d(16),
        nn.ReLU(),
        nn.Conv2d(16, 16, 5, padding=2),
        nn.BatchNorm2d(16),
        nn.ReLU(),
        nn.ConvTranspose2d(16, 1, 4, stride=2, padding=1),
        nn.Sigmoid(),
        nn.Flatten(1, 2),
    )


# %% [markdown]
# Five trainings, which differ in the architecture or in the noise of the training.


# %%
def train(model, corrupt):
    """Train a model to give clean images from corrupted ones."""
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, STEPS)
    for step in range(STEPS):
        x = ae.sample_train(BATCH, seed=step)
        # exercise: the squared error between x and what the model gives for corrupt(x)
        loss = (model(corrupt(x)) - x).square().sum((1, 2)).mean()
        # end
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    return model.eval()


def any_level(x):
    """Gaussian noise with another level for each image, from 0 to 0.9."""
    return gaussian(x, 0.9 * torch.rand(len(x), 1, 1))


plans = {
    "dense, σ = 0.5": (dense, lambda x: gaussian(x, 0.5)),
    "dense, all σ": (dense, any_level),
    "dense, salt and pepper": (dense, lambda x: salt_and_pepper(x, 0.25)),
    "convolutional, σ = 0.5": (convolutional, lambda x: gaussian(x, 0.5)),
    "no bottleneck, σ = 0.5": (without_bottleneck, lambda x: gaussian(x, 0.5)),
}
models = {}
for name, (network, corrupt) in plans.items():
    torch.manual_seed(0)
    models[name] = train(network(), corrupt)

# %% [markdown]
# ## Two classical filters
#
# A Gaussian filter takes a weighted mean of the neighbourhood of each pixel, a median filter its
# median. They have one parameter, the size. To be fair, we choose the best size on noisy
# *validation* images, for each kind and level.


# %%
def filtered(x, size, method):
    """Each image of x [N, 28, 28], filtered."""
    if method == "median filter":
        return torch.from_numpy(median_filter(x.numpy(), (1, size, size)))
    return torch.from_numpy(gaussian_filter(x.numpy(), (0, size, size)))


def error(images, x):
    """The squared error, summed over pixels, mean over images."""
    return (images - x).square().sum((1, 2)).mean().item()


FILTERS = {"median filter": [1, 3, 5], "Gaussian filter": [0.3, 0.5, 0.7, 0.9, 1.2]}


def best_size(noise, level, method):
    noisy = noise(validation, level)
    # exercise: the size with the smallest error on the validation images
    return min(FILTERS[method], key=lambda s: error(filtered(noisy, s, method), validation))
    # end


# %% [markdown]
# ## All methods on the same noisy test images

# %%
torch.manual_seed(1)
conditions = [("gaussian", level) for level in LEVELS]
conditions += [("salt and pepper", 0.25), ("masking", 0.5)]
errors = {name: [] for name in ("noisy image", *FILTERS, *models)}
for kind, level in conditions:
    noisy = KINDS[kind](test, level)
    errors["noisy image"].append(error(noisy, test))
    for method in FILTERS:
        size = best_size(KINDS[kind], level, method)
        errors[method].append(error(filtered(noisy, size, method), test))
    for name, model in models.items():
        with torch.no_grad():
            errors[name].append(error(model(noisy), test))

print(f"{'squared error':24}" + "".join(f"{kind.split()[0]:>10}" for kind, _ in conditions))
print(f"{'level':24}" + "".join(f"{level:10}" for _, level in conditions))
for name, values in errors.items():
    print(f"{name:24}" + "".join(f"{value:10.1f}" for value in values))

# %%
noisy = gaussian(test, 0.5)
rows = {"clean": test, "noisy, σ = 0.5": noisy}
for method in FILTERS:
    rows[method] = filtered(noisy, best_size(gaussian, 0.5, method), method)
with torch.no_grad():
    rows |= {name: model(noisy[:8]) for name, model in models.items() if "salt" not in name}
show(rows)

# %% [markdown]
# ## Finding

# %%
at_half = {name: values[1] for name, values in errors.items()}
learned = min(models, key=at_half.get)
classical = min(FILTERS, key=at_half.get)
print(f"noisy images, σ = 0.5      {at_half['noisy image']:.1f}")
print(f"best filter                {at_half[classical]:.1f} ({classical})")
print(f"best learned model         {at_half[learned]:.1f} ({learned})")
low, half, high = range(3)
one, every = errors["dense, σ = 0.5"], errors["dense, all σ"]
weak = min(FILTERS, key=lambda name: errors[name][0])
print(f"at σ = 0.25: best filter   {errors[weak][0]:.1f}, dense model for all σ ", end="")
print(f"{errors['dense, all σ'][0]:.1f}")
print("at σ =                     0.25, 0.5, 0.75")
print(f"trained on σ = 0.5 only    {one[low]:.1f}, {one[half]:.1f}, {one[high]:.1f}")
print(f"trained on all σ           {every[low]:.1f}, {every[half]:.1f}, {every[high]:.1f}")

# %% [markdown]
# A filter knows only neighbours. A trained model knows digits, and restores strokes that the noise
# has hidden. But it knows only the noise of its training: look at the columns of the other kinds.
# At weak noise a filter is a strong competitor: a bottleneck also loses details that the noise has
# left.
#
# With the package: `ae.fit("denoising-ae", "mnist")`, `ae.denoise(model, images)`, and for the
# whole table with intervals `autoencode study noise --data mnist`.
#
# ## Questions
#
# 1. Which two errors does a denoising model with a bottleneck make?

# %% [markdown]
# **Answer.** It cannot represent each clean image in its code, also without noise. And it guesses
# wrongly where the noise has hidden what would decide.

# %% [markdown]
# 2. What does the model draw if the input is noise without a digit? Try it.

# %% [markdown]
# **Answer.** Something that is like a digit. The model gives the mean of all clean images that fit
# the input, and knows nothing else.

# %% [markdown]
# 3. Real noise has no clean images beside it. How could you still train a model?

# %% [markdown]
# **Answer.** Take images with little noise as clean ones and add noise that is like the real noise.
# Or use two noisy images of one scene: the second is a target whose noise has mean 0.

# %% [markdown]
# ## Papers
#
# - vincent2008: https://doi.org/10.1145/1390156.1390294
# - vincent2010: https://www.jmlr.org/papers/v11/vincent10a.html
