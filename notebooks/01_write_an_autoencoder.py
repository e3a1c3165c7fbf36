# %% [markdown]
# # 1. Write an autoencoder
#
# An autoencoder has two networks. The *encoder* compresses an image to a short vector, the *code*.
# The *decoder* computes an image from the code. Both are trained together, so that the decoded
# image, the *reconstruction*, is like the input. Here a code has only two dimensions, so we can
# draw all codes in a plane.
#
# You write the model and its training in plain PyTorch. Then `autoencode` does the same in one
# line.

# %%
import os

import matplotlib.pyplot as plt
import torch
from IPython.display import display
from torch import nn

import autoencode as ae

SHORT = "AUTOENCODE_SHORT" in os.environ  # few steps, only to test that the notebook runs
STEPS = 30 if SHORT else 2_000  # the course trains for 50,000 steps; this takes many minutes
BATCH = 200
torch.manual_seed(0)

data = ae.load_data("mnist")
print("training images", tuple(data.train.x.shape), " test images", tuple(data.test.x.shape))

# %% [markdown]
# ## The model
#
# | part | from | to | layers |
# |---|---|---|---|
# | encoder | (N, 28, 28) | (N, 2) | flatten, linear to 512, ReLU, linear to 2 |
# | decoder | (N, 2) | (N, 28, 28) | linear to 512, ReLU, linear to 784, sigmoid, reshape |
#
# `forward` gives a tuple of two: the codes and the reconstructions. The sigmoid keeps the pixels
# between 0 and 1, as in the data.


# %%
class Encoder(nn.Module):
    def __init__(self, latent_dims):
        super().__init__()
        # exercise: two linear layers, 784 to 512 and 512 to latent_dims
        self.linear1 = nn.Linear(784, 512)
        self.linear2 = nn.Linear(512, latent_dims)
        # end

    def forward(self, x):
        # exercise: flatten the images to (N, 784), apply layer, ReLU, layer, and return the codes
        x = torch.flatten(x, start_dim=1)
        x = torch.relu(self.linear1(x))
        return self.linear2(x)
        # end


class Decoder(nn.Module):
    def __init__(self, latent_dims):
        super().__init__()
        # exercise: two linear layers, latent_dims to 512 and 512 to 784
        self.linear1 = nn.Linear(latent_dims, 512)
        self.linear2 = nn.Linear(512, 784)
        # end

    def forward(self, z):
        # exercise: apply layer, ReLU, layer, sigmoid, and return images of shape (N, 28, 28)
        z = torch.relu(self.linear1(z))
        z = torch.sigmoid(self.linear2(z))
        return z.reshape(-1, 28, 28)
        # end


class Autoencoder(nn.Module):
    def __init__(self, latent_dims=2):
        super().__init__()
        self.encoder = Encoder(latent_dims)
        self.decoder = Decoder(latent_dims)

    def forward(self, x):
        # exercise: return the tuple (codes, reconstructions)
        codes = self.encoder(x)
        return codes, self.decoder(codes)
        # end


# %% [markdown]
# Test the shapes before you train. `ae.sample_train(N)` draws N random training images, with pixels
# in [0, 1]. A fixed `seed` draws the same images each time.

# %%
model = Autoencoder()
codes, images = model(ae.sample_train(5, seed=0))
print("codes", tuple(codes.shape), " reconstructions", tuple(images.shape))
assert codes.shape == (5, 2)
assert images.shape == (5, 28, 28)

# %% [markdown]
# ## The training loop
#
# Each step draws 200 images, computes the mean squared error (MSE) between images and
# reconstructions, and updates the weights with Adam at a learning rate of 0.001. `MSELoss` takes
# the mean over all pixels. Multiply it by 784 for the squared error per image.
#
# We draw the loss while the training runs. A training that you do not watch can fail without a
# sign.

# %%
figure, axis = plt.subplots(figsize=(7, 3), layout="constrained")
(line,) = axis.plot([], [], linewidth=0.8, label="training batches")
(dots,) = axis.plot([], [], "o-", color="tab:orange", label="validation images")
axis.set(xlabel="step", ylabel="MSE per pixel", xlim=(0, STEPS), ylim=(0.035, 0.08))
axis.legend()
live = display(figure, display_id=True)
plt.close(figure)

validation = data.validation.x / 255  # uint8 to [0, 1]
losses, tracked = [], []


def track(model, step):
    """Draw the losses so far, and the error on images that the training does not see."""
    with torch.no_grad():
        tracked.append((step, nn.functional.mse_loss(model(validation)[1], validation).item()))
    line.set_data(range(1, len(losses) + 1), losses)
    dots.set_data(*zip(*tracked, strict=True))
    live.update(figure)


optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
for step in range(1, STEPS + 1):
    x = ae.sample_train(BATCH, seed=step)
    # exercise: the loss is the MSE between x and its reconstruction
    codes, images = model(x)
    loss = nn.functional.mse_loss(images, x)
    # end
    # exercise: set the gradients to zero, compute the new ones, and update the weights
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    # end
    losses.append(loss.item())
    if step % (STEPS // 10) == 0:
        track(model, step)

print(f"validation MSE per pixel: {tracked[0][1]:.4f} at first, {tracked[-1][1]:.4f} at the end")

# %% [markdown]
# The loss falls fast and then slowly. It still falls: this is why the course trains for 50,000
# steps. The two curves stay together, so there is no overfitting yet.
#
# ## Samples and their reconstructions
#
# `ae.plot(model, samples)` takes any module with an `encoder` and a `decoder`. Give it labels for
# the colours.

# %%
samples = ae.sample_train(1_000, return_labels=True, seed=1)
ae.plot(model, samples)

# %% [markdown]
# One sample, with its reconstruction next to it. You can write this with matplotlib alone.

# %%
x = samples[0][4:5]
with torch.no_grad():
    # exercise: the code and the reconstruction of x
    code, image = model(x)
    # end
figure, axes = plt.subplots(1, 2, figsize=(5, 2.6), layout="constrained")
for axis, picture, title in zip(axes, (x, image), ("original", "reconstruction"), strict=True):
    axis.imshow(picture[0].numpy(), cmap="gray", vmin=0, vmax=1)
    axis.set_title(title)
    axis.set_axis_off()
print(f"code: ({code[0, 0]:.2f}, {code[0, 1]:.2f})")

# %% [markdown]
# ## The latent space
#
# The codes of the 10,000 test images, coloured by digit. The training used no labels and no test
# images.

# %%
test = data.test
ae.plot_latent(model, (test.x, test.y))

# %% [markdown]
# ## A code that gives a 4
#
# We choose one from the map: the code of a 4 whose 50 nearest neighbours include the most 4s. Then
# we decode it.

# %%
with torch.no_grad():
    z = model.encoder(test.x / 255)
fours = z[test.y == 4]
# exercise: the 50 nearest codes of each four, as positions in z; use torch.cdist and topk
nearest = torch.cdist(fours, z).topk(50, largest=False).indices
# end
share = (test.y[nearest] == 4).float().mean(1)
four = fours[share.argmax()]
with torch.no_grad():
    image = model.decoder(four[None])
plt.figure(figsize=(2.2, 2.4), layout="constrained")
plt.imshow(image[0].numpy(), cmap="gray", vmin=0, vmax=1)
plt.title(f"decoded ({four[0]:.1f}, {four[1]:.1f})")
plt.axis("off")
print(f"{share.max():.0%} of the 50 neighbours of this code are codes of a 4")

# %% [markdown]
# ## Random codes that fail
#
# We draw 24 codes uniformly from the rectangle around all test codes, and decode them. In red are
# the codes without a neighbour: their nearest test code is farther away than that of 99 % of the
# test codes themselves.

# %%
low, high = z.amin(0), z.amax(0)
# exercise: 24 codes, uniform between low and high
random = low + torch.rand(24, 2) * (high - low)
# end


def nearest_distance(a, b):
    """The distance from each code of a to the nearest other code of b."""
    distances = torch.cdist(a, b)
    return distances.masked_fill(distances == 0, torch.inf).amin(1)


with torch.no_grad():
    images = model.decoder(random)
limit = nearest_distance(z[:2_000], z).quantile(0.99)
alone = nearest_distance(random, z) > limit
figure, axes = plt.subplots(3, 8, figsize=(8, 3.2), layout="constrained")
for axis, image, empty in zip(axes.flat, images, alone, strict=True):
    axis.imshow(image.numpy(), cmap="gray", vmin=0, vmax=1)
    axis.set(xticks=[], yticks=[])
    for side in axis.spines.values():
        side.set(color="red" if empty else "white", linewidth=3)
many = low + torch.rand(2_000, 2) * (high - low)
empty_share = (nearest_distance(many, z) > limit).float().mean().item()
print(f"{empty_share:.0%} of 2,000 random codes have no test code near them")

# %% [markdown]
# Far outside, the decoder extrapolates: some images are still digits, others are ragged or empty.
# Nothing in the loss asks for codes that fill the plane. So a large part of the rectangle is empty,
# and the decoder was never trained there. The whole plane, decoded on a grid:

# %%
ae.plot_reconstructed(model, (low[0], high[0]), (low[1], high[1]), n=14)

# %% [markdown]
# Between two digits: the images on the line between two codes. Some images in the middle are no
# digits.

# %%
zero, one = test.x[test.y == 0][0], test.x[test.y == 1][0]
ae.interpolate(model, zero, one)

# %% [markdown]
# ## The same in one line
#
# The recipe `ae` has the same two networks and the same loss (up to a factor). By default its
# learning rate falls to 0 along a cosine; here we keep it constant, as in our loop.

# %%
run = ae.fit(
    "ae",
    data,
    latent=2,
    steps=STEPS,
    batch_size=BATCH,
    lr=1e-3,
    schedule="constant",
    progress=False,
    seed=1,
)
ae.plot_latent(run.model, (test.x, test.y))

# %% [markdown]
# ## Finding
#
# `ae.evaluate` measures both models on the 10,000 test images. The squared error is summed over the
# 784 pixels.

# %%
# exercise: evaluate both with ae.evaluate(model, data, measures); take "squared_error" of each
mine = ae.evaluate(model, data, ["reconstruction"])["squared_error"]
theirs = ae.evaluate(run.model, data, ["reconstruction"])["squared_error"]
# end
mean = ((data.train.x.float().mean(0) - test.x) / 255).square().sum((1, 2)).mean().item()
print(f"squared error of the mean image        {mean:.2f}")
print(f"squared error, our loop                {mine:.2f}")
print(f"squared error, ae.fit                  {theirs:.2f}  ({theirs / mine - 1:+.1%})")
print(f"random codes without a test code near  {empty_share:.0%}")

# %% [markdown]
# Two numbers for each image already remove a large part of the error of the mean image. The loop
# and `ae.fit` have other initial weights and other batches, and agree within a few percent. Random
# codes fail, because the codes do not fill the plane. (50,000 steps of `ae.fit` with its default
# schedule give 31.2.)
#
# ## Questions
#
# 1. Digits 4 and 9 share one region of the map. Why are they more difficult to separate than 0 and
#    1?

# %% [markdown]
# **Answer.** Many pixels of a 4 and a 9 are equal. The loss counts pixels, not classes, so an image
# between them costs little error. A 0 and a 1 differ in almost all their bright pixels.

# %% [markdown]
# 2. Train again with another seed (`torch.manual_seed(1)`). What changes in the map, and what does
#    not?

# %% [markdown]
# **Answer.** The map is rotated, mirrored and bent: the loss does not prefer an axis. The error and
# the neighbourhood of similar digits stay about the same.

# %% [markdown]
# 3. What would an autoencoder with 784 latent dimensions learn, and would it be useful?

# %% [markdown]
# **Answer.** It can learn to copy its input. The error goes to 0, and the code says no more than
# the image. The bottleneck forces the model to find structure.

# %% [markdown]
# ## Papers
#
# - rumelhart1986: https://doi.org/10.1038/323533a0
# - hinton2006: https://doi.org/10.1126/science.1127647
# - kingma2015: https://arxiv.org/abs/1412.6980
