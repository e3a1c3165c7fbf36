# %% [markdown]
# # 7. Labels
#
# So far no model has seen a label. Here are two uses of labels. A *conditional* VAE receives the
# label of each image, and generates images of a given digit. And with only 100 labelled images,
# codes that were learned from all images without labels help a classifier.

# %%
import os

import matplotlib.pyplot as plt
import numpy as np
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from torch import nn
from torch.nn import functional as F

import autoencode as ae

SHORT = "AUTOENCODE_SHORT" in os.environ  # few steps, only to test that the notebook runs
STEPS = 30 if SHORT else 5_000
LATENT = 8

data = ae.load_data("mnist")
x_test, y_test = data.test.x / 255, data.test.y

# %% [markdown]
# ## A conditional VAE
#
# The label is a vector of ten numbers, 1 at the digit and 0 elsewhere (*one-hot*). It is appended
# to the input of the encoder, and to the code before the decoder. With `classes=0` the same class
# is a VAE without labels.


# %%
class ConditionalVAE(nn.Module):
    def __init__(self, classes):
        super().__init__()
        self.classes = classes
        self.encoder = nn.Sequential(
            nn.Linear(784 + classes, 400), nn.ReLU(), nn.Linear(400, 2 * LATENT)
        )
        self.decoder = nn.Sequential(
            nn.Linear(LATENT + classes, 400), nn.ReLU(), nn.Linear(400, 784)
        )

    def with_label(self, vectors, y):
        """Append the one-hot labels, if the model is conditional."""
        if self.classes == 0:
            return vectors
        # exercise: join vectors and the one-hot vectors of y
        return torch.cat([vectors, F.one_hot(y, self.classes).float()], 1)
        # end

    def encode(self, x, y):
        return self.encoder(self.with_label(x.flatten(1), y)).chunk(2, 1)

    def decode(self, z, y):
        """The logits of the pixels, [N, 28, 28]."""
        # exercise: decode z with the label
        return self.decoder(self.with_label(z, y)).reshape(-1, 28, 28)
        # end

    def loss(self, x, y):
        """−ELBO with a Bernoulli likelihood, in nats per image."""
        mean, log_var = self.encode(x, y)
        z = mean + torch.exp(log_var / 2) * torch.randn_like(mean)
        entropy = F.binary_cross_entropy_with_logits(self.decode(z, y), x, reduction="none")
        kl = (log_var.exp() + mean**2 - 1 - log_var) / 2
        return entropy.sum((1, 2)).mean(), kl.sum(1).mean()


def train(model):
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    for step in range(STEPS):
        x, y = ae.sample_train(200, return_labels=True, seed=step)
        loss = sum(model.loss(x, y))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return model.eval()


torch.manual_seed(0)
conditional = train(ConditionalVAE(10))
unconditional = train(ConditionalVAE(0))

# %%
bounds = {}
for name, model in {"VAE": unconditional, "conditional VAE": conditional}.items():
    with torch.no_grad():
        reconstruction, kl = model.loss(x_test, y_test)
    bounds[name] = reconstruction.item(), kl.item()
    print(f"{name:16} −ELBO {reconstruction + kl:.1f} = {reconstruction:.1f} + KL {kl:.1f} nats")

# %% [markdown]
# The label is one of ten, so it is worth at most ln 10 ≈ 2.3 nats of KL. The conditional bound is
# of log p(x | y), not of log p(x).
#
# ## One code, ten digits
#
# Each row has one random code, decoded with all ten labels. The code holds what the label does not
# say: slant, width, thickness.

# %%
torch.manual_seed(1)
z = torch.randn(6, LATENT)
digits = torch.arange(10)
with torch.no_grad():
    # exercise: decode each code with each digit, 60 images; repeat_interleave and repeat help
    logits = conditional.decode(z.repeat_interleave(10, 0), digits.repeat(6))
    # end
images = logits.sigmoid().reshape(6, 10, 28, 28)
plt.figure(figsize=(7, 4.2), layout="constrained")
plt.imshow(images.permute(0, 2, 1, 3).reshape(6 * 28, 280).numpy(), cmap="gray")
plt.xticks(np.arange(10) * 28 + 14, range(10))
plt.yticks([])
plt.xlabel("label given to the decoder")
plt.show()

# %% [markdown]
# ## Is it the digit that we asked for?
#
# A classifier that is trained on all labels answers for 2,000 generated images.

# %%
judge = nn.Sequential(nn.Flatten(), nn.Linear(784, 256), nn.ReLU(), nn.Linear(256, 10))
optimizer = torch.optim.Adam(judge.parameters(), lr=2e-3)
for step in range(STEPS):
    x, y = ae.sample_train(100, return_labels=True, seed=step)
    loss = F.cross_entropy(judge(x + 0.1 * torch.randn_like(x)), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()

wanted = digits.repeat(200)
with torch.no_grad():
    # exercise: 2,000 images with the labels `wanted`, and the share that the judge agrees with
    images = conditional.decode(torch.randn(2_000, LATENT), wanted).sigmoid()
    fidelity = (judge(images).argmax(1) == wanted).float().mean().item()
    # end
    accuracy = (judge(x_test).argmax(1) == y_test).float().mean().item()
print(f"judge: {accuracy:.1%} of the test images; label fidelity: {fidelity:.1%}")

# %% [markdown]
# ## What is left in the code?
#
# The 10 nearest neighbours of a test code vote for its digit. If a code holds no class, the vote is
# right for about one in ten.

# %%
part = data.train.x[:10_000] / 255, data.train.y[:10_000]
votes = {}
for name, model in {"VAE": unconditional, "conditional VAE": conditional}.items():
    with torch.no_grad():
        known, new = (model.encode(x, y)[0].numpy() for x, y in (part, (x_test, y_test)))
    votes[name] = KNeighborsClassifier(10).fit(known, part[1].numpy()).score(new, y_test.numpy())
    print(f"{name:16} k-NN accuracy of the codes {votes[name]:.1%}")

# %% [markdown]
# ## 100 labels
#
# Ten labelled images of each digit, and 57,400 without a label. A linear classifier gets the
# pixels, or the codes of the VAE that has seen all images without labels (the model M1 of Kingma et
# al. 2014). We repeat this with 20 choices of the 100 images.

# %%
with torch.no_grad():
    spaces = {
        "pixels": (data.train.x.flatten(1) / 255, x_test.flatten(1)),
        "codes": (
            unconditional.encode(data.train.x / 255, None)[0],
            unconditional.encode(x_test, None)[0],
        ),
    }
rng = np.random.default_rng(0)
results = {name: [] for name in spaces}
for _ in range(3 if SHORT else 20):
    chosen = np.concatenate(
        [rng.choice(np.flatnonzero(data.train.y == digit), 10, replace=False) for digit in digits]
    )
    for name, (known, new) in spaces.items():
        classifier = LogisticRegression(max_iter=2_000)
        # exercise: fit the classifier to the chosen examples, and append its test accuracy
        classifier.fit(known[chosen].numpy(), data.train.y[chosen].numpy())
        results[name].append(classifier.score(new.numpy(), y_test.numpy()))
        # end
gain = np.subtract(results["codes"], results["pixels"])

# %% [markdown]
# ## Finding

# %%
print(f"label fidelity of the conditional VAE  {fidelity:.1%}")
print(f"k-NN accuracy of the codes             VAE {votes['VAE']:.1%}, ", end="")
print(f"conditional VAE {votes['conditional VAE']:.1%}")
for name, values in results.items():
    print(f"100 labels, linear classifier, {name:7} {np.mean(values):.1%} ± {np.std(values):.1%}")
points = 100 * gain
print(f"difference on the same 100 images      {points.mean():+.2f} ± {points.std():.2f} points")

# %% [markdown]
# (± is the standard deviation over the choices of the images.) Label fidelity is how often the
# judge sees the digit that was asked for; it rises with longer training. The code of the
# conditional model says less about the digit, because the label says it. Codes of 8 numbers serve a
# linear classifier as well as 784 pixels do, if the difference is small beside its deviation.
#
# With the package: `ae.fit("cvae", "mnist")` and `ae.generate(model, 16, label=3)`. The model M2
# has the class as a latent variable: `ae.fit("m2", ae.load_data("mnist", labelled=100))`. The whole
# comparison: `autoencode study conditional --data mnist`.
#
# ## Questions
#
# 1. The encoder of the conditional VAE receives the true label. What happens at a wrong label?

# %% [markdown]
# **Answer.** The decoder draws the wrong digit in the style of the code. So the reconstruction
# error is large, and the label with the smallest −ELBO classifies the image.

# %% [markdown]
# 2. Why does the code of the conditional VAE hold less of the class?

# %% [markdown]
# **Answer.** KL makes each nat of the code cost something. The decoder gets the class for free, so
# the code that repeats it only costs.

# %% [markdown]
# 3. When do unlabelled images not help a classifier?

# %% [markdown]
# **Answer.** If what varies most between images has nothing to do with the class, the code may lose
# the class. And with many labels a classifier learns better features itself.

# %% [markdown]
# ## Papers
#
# - sohn2015: https://papers.nips.cc/paper/2015/hash/8d55a249e6baa5c06772297520da2051-Abstract.html
# - kingma2014semi: https://arxiv.org/abs/1406.5298
