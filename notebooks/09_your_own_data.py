# %% [markdown]
# # 9. Your own data
#
# All of the course works with your own images and tables. Here we make a folder of small colour
# images and a table as files, train on both, look for anomalies, and export a model to a file that
# runs without this package.

# %%
import os
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import torch
from PIL import Image
from sklearn.datasets import load_breast_cancer, load_sample_images
from sklearn.metrics import roc_auc_score

import autoencode as ae

SHORT = "AUTOENCODE_SHORT" in os.environ  # few steps, only to test that the notebook runs
STEPS = 20 if SHORT else 1_500
PATCHES = 100 if SHORT else 1_500  # of each picture
folder = Path(tempfile.mkdtemp())
os.chdir(folder)

# %% [markdown]
# ## A folder of colour images
#
# scikit-learn has two photographs, a temple and a flower. We cut them into patches of 32 × 32
# pixels. Each sub-folder is a class.

# %%
rng = np.random.default_rng(0)
for name, photo in zip(("temple", "flower"), load_sample_images().images, strict=True):
    (folder / "patches" / name).mkdir(parents=True)
    for i in range(PATCHES):
        patch = np.zeros(1)
        while patch.std() < 25:  # no patches of plain background
            # exercise: cut a random patch of 32 × 32 pixels out of the photograph
            top, left = rng.integers(photo.shape[0] - 32), rng.integers(photo.shape[1] - 32)
            patch = photo[top : top + 32, left : left + 32]
            # end
        Image.fromarray(patch).save(folder / "patches" / name / f"{i:04}.png")

# exercise: load the folder with ae.load_data
images = ae.load_data("patches")
# end
for part in ("train", "validation", "test"):
    print(part, tuple(getattr(images, part).x.shape))
print("classes", images.classes)
for notice in images.notices:
    print("note:", notice)

# %% [markdown]
# Read the notes: what is converted, skipped or guessed is stated there. Our random patches overlap,
# so test patches share pixels with training patches. For a fair test of your own images, keep all
# images of one patient, place or film in one part (`group`).

# %%
run = ae.fit("conv-ae", images, latent=32, steps=STEPS, batch_size=64, out="run", progress=False)
ae.plot(run.model, images.test)

# %%
metrics = ae.evaluate(run.model, images, ["reconstruction", "pca"])
print(f"squared error per value   {metrics['squared_error_per_pixel']:.4f}")
print(f"PCA, as many dimensions   {metrics['squared_error_of_pca'] / (3 * 32 * 32):.4f}")

# %% [markdown]
# ## Codes as a search engine
#
# Images with near codes look alike. For three test patches (left), the five training patches with
# the nearest codes.

# %%
known = torch.as_tensor(ae.embed(run.model, images.train.x))
new = torch.as_tensor(ae.embed(run.model, images.test.x))
figure = plt.figure(figsize=(7, 3.6), layout="constrained")
for row, i in zip(figure.subplots(3, 6), (0, 1, 2), strict=True):
    # exercise: the positions of the five nearest training codes of test code i
    nearest = torch.cdist(new[i : i + 1], known)[0].topk(5, largest=False).indices
    # end
    pictures = [images.test.x[i], *images.train.x[nearest]]
    for axis, picture in zip(row, pictures, strict=True):
        axis.imshow(picture.permute(1, 2, 0).numpy())
        axis.set_axis_off()
plt.show()

# %% [markdown]
# ## A table, and anomalies
#
# 569 breast tumours with 30 measurements each. We train on benign ones only. A malignant tumour is
# then an *anomaly*: the model has not learned to reconstruct it. `normal` keeps the other class for
# the test part.

# %%
frame = load_breast_cancer(as_frame=True).frame
frame["target"] = frame["target"].map({0: "malignant", 1: "benign"})
frame.to_csv("cancer.csv", index=False)

# exercise: load cancer.csv with the label "target" and the normal class "benign"
table = ae.load_data("cancer.csv", label="target", normal="benign")
# end
print("training rows", tuple(table.train.x.shape), " test rows", tuple(table.test.x.shape))
detector = ae.fit("ae", table, latent=4, steps=STEPS, progress=False).model

# %%
malignant = table.test.y == table.classes.index("malignant")
auroc = {}
for method in ("reconstruction", "density", "neighbours"):
    # exercise: the scores of the test part; the last two methods need training=table
    scores = ae.score(detector, table, method, training=table)
    # end
    auroc[method] = roc_auc_score(malignant, scores)
    print(f"{method:16} AUROC {auroc[method]:.3f}")

# %% [markdown]
# To decide, a score needs a threshold. It must come from normal examples: here the 95 % quantile of
# the scores of the validation part, which has benign tumours only.

# %%
scores = ae.score(detector, table)
# exercise: the 0.95 quantile of the scores of table.validation
threshold = ae.score(detector, table.validation).quantile(0.95)
# end
found = scores > threshold
bins = torch.logspace(scores.min().log10().item(), scores.max().log10().item(), 40).numpy()
plt.figure(figsize=(7, 3), layout="constrained")
for name, rows in {"benign": ~malignant, "malignant": malignant}.items():
    plt.hist(scores[rows].numpy(), bins=bins, alpha=0.6, label=name)
plt.axvline(threshold.item(), color="black", linestyle="--", label="threshold")
plt.xscale("log")
plt.xlabel("anomaly score (squared error)")
plt.ylabel("test rows")
plt.legend()
plt.show()
hits, alarms = found[malignant].float().mean(), found[~malignant].float().mean()
print(f"found: {hits:.0%} of the malignant, {alarms:.0%} of the benign tumours")

# %% [markdown]
# ## Export
#
# `ae.export` writes a file that runs with PyTorch alone (or, as ONNX, with onnxruntime). It takes
# raw bytes and gives raw bytes: the preprocessing is inside.

# %%
file = ae.export("run", "model.pt2", format="torch")
loaded = torch.export.load("model.pt2").module()
raw = images.test.x[:16]
outputs = loaded(raw)
codes = outputs["codes"] if isinstance(outputs, dict) else outputs[0]
# exercise: the largest difference between these codes and those of ae.embed
difference = (codes - torch.as_tensor(ae.embed(run.model, raw))).abs().max().item()
# end
print(f"{Path('model.pt2').stat().st_size / 1e6:.1f} MB, largest difference {difference:.1e}")

# %% [markdown]
# ## Finding

# %%
mine, pca = metrics["squared_error"], metrics["squared_error_of_pca"]
best = max(auroc, key=auroc.get)
print(f"patches: squared error {mine:.1f}, PCA with 32 dimensions {pca:.1f}")
print(f"table: AUROC {auroc[best]:.3f} with the score {best}")
print(f"at the threshold: {hits:.0%} of the malignant found, {alarms:.0%} false alarms")
print(f"exported file: codes differ by at most {difference:.1e}")

# %% [markdown]
# Always compare with PCA: a network that is worse has been trained too little, or the data are too
# few. And an anomaly score without labels finds what is unusual, which is not always what you look
# for.
#
# The same in the shell: `autoencode data check patches`, `autoencode train`, `autoencode
# anomalies`, `autoencode export`.
#
# ## Questions
#
# 1. Why must the threshold not come from the training rows?

# %% [markdown]
# **Answer.** The model has learned to reconstruct these rows, so their scores are too small. The
# threshold would be too low, with too many false alarms.

# %% [markdown]
# 2. Overlapping patches are in the training and in the test part. How would you divide them?

# %% [markdown]
# **Answer.** By place: the left part of a photograph for training, the right part for testing.
# Better, by photograph.

# %% [markdown]
# 3. When does a good reconstruction fail to find anomalies?

# %% [markdown]
# **Answer.** A model with a large code reconstructs also what it has never seen. A smaller code, or
# a score of the code such as its density, helps.

# %% [markdown]
# ## Papers
#
# - baldi1989: https://doi.org/10.1016/0893-6080(89)90014-2
# - hinton2006: https://doi.org/10.1126/science.1127647
