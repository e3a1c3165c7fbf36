# %% [markdown]
# # 8. Contractive and sparse
#
# A small code is one way to forbid copying. There are others. A *contractive* autoencoder penalises
# a code that changes much when the image changes a little. A *sparse* autoencoder has many units,
# of which only a few are active for each image. We measure what each of them gains and loses, and
# look at what single units respond to.

# %%
import os

import matplotlib.pyplot as plt
import torch
from sklearn.linear_model import LogisticRegression
from torch import nn

import autoencode as ae

SHORT = "AUTOENCODE_SHORT" in os.environ  # few steps, only to test that the notebook runs
STEPS = 30 if SHORT else 1_500
UNITS, ACTIVE = 64, 8

data = ae.load_data("mnist")
x_test, y_test = data.test.x.flatten(1) / 255, data.test.y

# %% [markdown]
# ## Three models with 64 units
#
# The encoder is one linear layer and an activation. With a sigmoid h = σ(Wx + b), the derivative of
# unit j by pixel i is hⱼ (1 − hⱼ) Wⱼᵢ. So the penalty of the contractive autoencoder, the sum of
# all squared derivatives, is
#
# $$\|\partial h / \partial x\|^2 = \sum_j \left(h_j (1 - h_j)\right)^2 \sum_i W_{ji}^2 .$$
#
# The sparse model keeps the 8 largest units of each image, and sets the others to 0 (*k-sparse*, or
# top-k).


# %%
class Autoencoder(nn.Module):
    def __init__(self, sparse=False):
        super().__init__()
        self.linear = nn.Linear(784, UNITS)
        self.decoder = nn.Linear(UNITS, 784)
        self.sparse, self.active = sparse, UNITS

    def encode(self, x):
        if not self.sparse:
            return torch.sigmoid(self.linear(x))
        h = torch.relu(self.linear(x))
        # exercise: keep the self.active largest values of each row, and set the others to 0
        values, places = h.topk(self.active, dim=1)
        return torch.zeros_like(h).scatter(1, places, values)
        # end

    def decode(self, h):
        return torch.sigmoid(self.decoder(h))

    def contraction(self, h):
        """The squared norm of the Jacobian of the encoder, for each image [N]."""
        # exercise: the formula above
        return (h * (1 - h)).square() @ self.linear.weight.square().sum(1)
        # end


# %% [markdown]
# Test the formula against automatic differentiation, for one image.

# %%
torch.manual_seed(0)
model = Autoencoder()
one = x_test[:1]
jacobian = torch.autograd.functional.jacobian(model.encode, one)
formula = model.contraction(model.encode(one))[0]
print(f"autograd {jacobian.square().sum():.6f}   formula {formula:.6f}")


# %% [markdown]
# A unit that is never among the largest gets no gradient, and stays unused. So the sparse training
# begins with all units, and lowers the number of active ones to 8 in the first half of its steps,
# as in the paper.


# %%
def train(model, weight=0.0):
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    for step in range(STEPS):
        model.active = max(ACTIVE, round(UNITS * (1 - 2 * step / STEPS)))
        x = ae.sample_train(200, seed=step).flatten(1)
        h = model.encode(x)
        loss = (model.decode(h) - x).square().sum(1).mean()
        if weight:
            # exercise: add the mean contraction of the batch, times weight
            loss = loss + weight * model.contraction(h).mean()
            # end
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return model.eval()


torch.manual_seed(0)
models = {
    "plain": train(Autoencoder()),
    "contractive": train(Autoencoder(), weight=1.0),
    "sparse": train(Autoencoder(sparse=True)),
}

# %% [markdown]
# ## Strengths and weaknesses
#
# - *squared error*: of the test images, summed over pixels;
# - *shift*: how far a code moves under Gaussian noise (σ = 0.2), divided by the mean distance of
#   two codes;
# - *active*: units that are not 0;
# - *1,000 labels*: test accuracy of a linear classifier on the codes of 1,000 labelled images.

# %%
few = data.train.x[:1_000].flatten(1) / 255
measured = {}
torch.manual_seed(1)
noisy = x_test + 0.2 * torch.randn_like(x_test)
for name, model in models.items():
    with torch.no_grad():
        h, moved = model.encode(x_test), model.encode(noisy)
        error = (model.decode(h) - x_test).square().sum(1).mean().item()
        # exercise: the mean distance from h to moved, divided by that from h to h.roll(1, 0)
        shift = ((moved - h).norm(dim=1).mean() / (h - h.roll(1, 0)).norm(dim=1).mean()).item()
        # end
        active = (h > 0).sum(1).float().mean().item()
        classifier = LogisticRegression(max_iter=3_000)
        classifier.fit(model.encode(few).numpy(), data.train.y[:1_000].numpy())
    accuracy = classifier.score(h.numpy(), y_test.numpy())
    measured[name] = {"error": error, "shift": shift, "active": active, "accuracy": accuracy}

print(f"{'':12} squared error   shift   active   1,000 labels")
for name, found in measured.items():
    print(
        f"{name:12} {found['error']:13.2f} {found['shift']:7.2f} {found['active']:8.1f} "
        f"{found['accuracy']:14.1%}"
    )

# %% [markdown]
# ## What does each unit of a sparse code respond to?
#
# The image that a unit adds to the reconstruction is its column of the decoder's weights: red
# raises pixels, blue lowers them. Units are sorted by how often they are active.

# %%
sparse = models["sparse"]
with torch.no_grad():
    h = sparse.encode(x_test)
usage = (h > 0).float().mean(0)
order = usage.argsort(descending=True)
weights = sparse.decoder.weight.detach().T.reshape(UNITS, 28, 28)
figure = plt.figure(figsize=(8, 4.4), layout="constrained")
for axis, unit in zip(figure.subplots(4, 8).flat, order, strict=False):
    bound = weights[unit].abs().max().item()
    axis.imshow(weights[unit].numpy(), cmap="RdBu_r", vmin=-bound, vmax=bound)
    axis.set(xticks=[], yticks=[])
    axis.set_title(f"{unit}: {usage[unit]:.0%}", fontsize=8)
plt.show()
print(f"{(usage == 0).sum()} of {UNITS} units are never active on test images")

# %% [markdown]
# For six units: the nine test images that activate it most, and how its activation is divided among
# the digits. A unit is *selective* if one digit has a large share.

# %%
# exercise: by_digit [UNITS, 10], the mean activation of each unit for each digit, scaled to sum 1
by_digit = torch.stack([h[y_test == digit].mean(0) for digit in range(10)], 1)
by_digit = by_digit / by_digit.sum(1, keepdim=True).clamp(min=1e-9)
# end
used = usage > 0.01
selective = (by_digit.amax(1) * used).argsort(descending=True)
middle = int(used.sum()) // 2
chosen = [*selective[:3].tolist(), *selective[middle : middle + 3].tolist()]
figure = plt.figure(figsize=(9, 4), layout="constrained")
for (above, below), unit in zip(figure.subplots(2, 6).T, chosen, strict=True):
    best = x_test[h[:, unit].topk(9).indices].reshape(3, 3, 28, 28)
    above.imshow(best.permute(0, 2, 1, 3).reshape(84, 84).numpy(), cmap="gray")
    above.set(title=f"unit {unit}", xticks=[], yticks=[])
    below.bar(range(10), by_digit[unit].numpy())
    below.set(ylim=(0, 1), xticks=range(10), yticks=[0, 0.5, 1])
    below.tick_params(labelsize=7)
plt.show()

# %% [markdown]
# ## Finding

# %%
for name, found in measured.items():
    print(
        f"{name:12} error {found['error']:5.2f}, shift {found['shift']:.2f}, "
        f"accuracy {found['accuracy']:.1%}"
    )
share = by_digit.amax(1)[used]
print(
    f"used units of the sparse code: {int(used.sum())}; the largest share of one digit is ", end=""
)
print(f"{share.median():.0%} in the median, {share.max():.0%} at most (10% if all were equal)")
steadiest = min(measured, key=lambda name: measured[name]["shift"])
print(f"smallest shift under noise: {steadiest}; smallest error: ", end="")
print(min(measured, key=lambda name: measured[name]["error"]))

# %% [markdown]
# Each penalty costs some reconstruction, and buys another property: codes that move less, or codes
# in which few units explain an image. Most units are parts of strokes at one place, not digits: a
# digit is a combination of them.
#
# With the package: recipes `contractive-ae`, `sparse-top-k`, `sparse-l1`, `sparse-kl`, and
# `autoencode study regularisers --data mnist`.
#
# ## Questions
#
# 1. A contractive code can have a small penalty because W is small. Why does the decoder not simply
#    make up for it?

# %% [markdown]
# **Answer.** It can: small codes times large decoder weights. So Rifai et al. use the same weights
# in encoder and decoder. We divide the shift by the distance of two codes, so this trick does not
# help in the table.

# %% [markdown]
# 2. What happens to a unit that is never among the 8 largest?

# %% [markdown]
# **Answer.** It gets no gradient, and stays unused: a dead unit. Large sparse autoencoders need
# extra terms against this.

# %% [markdown]
# 3. Which penalty would you choose for a sensor with noise, and which to explain single decisions?

# %% [markdown]
# **Answer.** A contractive (or denoising) model for the noise. A sparse code to explain: a few
# active units, each with an image that can be shown.

# %% [markdown]
# ## Papers
#
# - rifai2011: https://icml.cc/2011/papers/455_icmlpaper.pdf
# - makhzani2014: https://arxiv.org/abs/1312.5663
# - olshausen1996: https://doi.org/10.1038/381607a0
# - gao2024: https://arxiv.org/abs/2406.04093
