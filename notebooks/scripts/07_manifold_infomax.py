# %% [markdown]
# # 07 · Manifold information maximization
#
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/simmim-lite/simmim-lite/blob/main/notebooks/07_manifold_infomax.ipynb)
#
# *Sorting handwritten digits without a label, by maximizing what a code keeps when a point moves along its manifold: neighbors, warps, a bound of three lines, and how few labels it takes to name what was found.*
#
# **What you will learn**
#
# - what a **data manifold** is, and how to count its **dimensions** from distances alone;
# - a **lower bound on information** that needs nothing but a network's outputs, and why it holds;
# - why information alone **cuts through the middle of the data**, and what moves have to do with it;
# - how a **graph of neighbors**, a few mergers and two small networks sort digits that nobody labeled;
# - what the labels that were never used would have **cost**, and where all this **ends**.
#
# **In the package**: `manifold`, `augment`.
#
# <!-- measured -->
# About 55 minutes to work through.
# Measured: 88 s on 2 CPU cores, no GPU, Python 3.11, torch 2.14 (generated)
# <!-- /measured -->

# %%
import importlib.util
import subprocess
import sys
from pathlib import Path

if importlib.util.find_spec("simmim_lite") is None:  # install it from this clone, or from GitHub
    clone = Path("../pyproject.toml").is_file()
    source = ".." if clone else "git+https://github.com/simmim-lite/simmim-lite"
    subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", source], check=True)
    importlib.invalidate_caches()

# %%
import os

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
import torch
from scipy.special import rel_entr
from sklearn.cluster import KMeans
from sklearn.datasets import make_moons, make_swiss_roll
from sklearn.decomposition import PCA
from sklearn.inspection import DecisionBoundaryDisplay
from sklearn.manifold import TSNE
from torch import nn

from simmim_lite import augment, datasets, entropy, exercises, figures, manifold
from simmim_lite.encoders import ImageEncoder, seeded
from simmim_lite.evaluation import cluster_accuracy
from simmim_lite.training import Batches, fit

FULL = os.environ.get("SIMMIM_FULL") == "1"
figures.set_style()
torch.set_num_threads(1)  # these networks are too small to share

# %% [markdown]
# ## 1. What is a manifold?
#
# **Question.** An image of 28 x 28 pixels is a point in 784 dimensions. Random points there are noise;
# where are the digits?
#
# **Idea.** On a thin, bent sheet: a *manifold*. A digit can be turned, slanted or thickened a little at
# a time, and stays a digit on the way. Two points may be near each other in space and far apart along
# the sheet, like the layers of a Swiss roll, or the tips of the two moons.

# %%
digits, held_out = datasets.load_digits("train"), datasets.load_digits("test")
roll, along = make_swiss_roll(1000, noise=0.1, random_state=0)
moons, moon = make_moons(1000, noise=0.1, random_state=0)
images = torch.from_numpy(digits.images[:, None]).float() / 255
generator = torch.Generator().manual_seed(0)
walk = augment.RandomWarp()(images[-1:].repeat(8, 1, 1, 1), generator)  # eight moves of one image

figure, axes = plt.subplots(1, 3, figsize=(9.5, 3), width_ratios=(1, 1, 1.2))
axes[0].scatter(roll[:, 0], roll[:, 2], c=along, s=6, cmap="mako")
axes[1].scatter(*moons.T, c=moon, s=6, cmap="coolwarm")
axes[2].imshow(np.block([list(walk[i : i + 4, 0].numpy()) for i in (0, 4)]), cmap="gray_r")
titles = ("Swiss roll, from above", "two moons", "one digit on its manifold")
for ax, title in zip(axes, titles, strict=True):
    ax.set(title=title, xticks=[], yticks=[])

# %% [markdown]
# Nearest neighbors are steps along the sheet, if the points lie close enough. The test is how often
# a digit and its nearest neighbor belong to one class. (Labels here, and wherever *accuracy* is
# printed below, only measure. No method in this notebook sees one, until section 9.)
#
# Pixels are a poor ruler: a stroke moved by its own width is as far away as another digit. Two better
# ones know something about images in general, given by us and not learned. `oriented_gradients` asks in
# which directions brightness changes, and only roughly where. `image_distortion` (the *image distortion model*,
# Keysers et al. 2007) lets every pixel look about: with $\nabla A_{p}$ the slopes in the 3 x 3 pixels
# around $p$,
#
# $$d(A, B) = \sum_p \min_{|\delta| \le 1} \lVert \nabla A_p - \nabla B_{p + \delta} \rVert^2$$
#
# `image_neighbors` compares so the 60 candidates that are nearest by gradients, after taking the slant
# out of each image.

# %%
few = slice(None, None, 1 if len(digits) < 10_000 else 15)  # the whole of MNIST takes minutes
pixels, labels = images[few].flatten(1).numpy(), digits.labels[few]
gradients = manifold.oriented_gradients(images[few]).numpy()
rulers = {
    "pixels": manifold.nearest_neighbors(pixels),
    "gradients": manifold.nearest_neighbors(gradients),
    "distortion": manifold.image_neighbors(images[few]),
}
same = {name: (labels[near[:, 0]] == labels).mean() for name, (_, near) in rulers.items()}
print("nearest of the same class:", *(f"{share:.3f} by {name}" for name, share in same.items()))
assert same["distortion"] > same["gradients"] + 0.005 > same["pixels"] + 0.02

# %%
wrong = np.flatnonzero(labels[rulers["pixels"][1][:, 0]] != labels)[:: len(labels) // 333][:16]
rows = [wrong, *(rulers[name][1][wrong, 0] for name in ("pixels", "distortion"))]
figure, ax = plt.subplots(figsize=(9.5, 2))
ax.imshow(np.block([list(images[few][row, 0].numpy()) for row in rows]), cmap="gray_r")
ax.set(xticks=[], yticks=[14, 42, 70], yticklabels=["digit", "nearest by pixels", "by distortion"])
ax.grid(visible=False)

# %% [markdown]
# ## 2. How many dimensions has it?
#
# **Question.** In how many directions can a digit move, of 784?
#
# **Idea.** In a small ball of radius $r$ lie about $r^d$ points, if the sheet has $d$ dimensions. So
# distances to neighbors tell $d$, with no need to unroll anything.
#
# **Formula.** *Two-NN*: the ratio $\mu$ of the distances to the second and the first neighbor has
# density $d\, \mu^{-d-1}$, so that $\hat d = (N - 1) / \sum_i \ln \mu_i$. *Levina-Bickel* asks the same of
# more neighbors, which averages more and sees farther.

# %%
for method in ("two_nn", "levina_bickel"):
    print(f"{method}: Swiss roll {manifold.intrinsic_dimension(roll, method):.2f} (truth: 2)")
    assert abs(manifold.intrinsic_dimension(make_swiss_roll(1000)[0], method) - 2) < 0.3

# %%
groups = {"all": slice(None)} | {digit: labels == digit for digit in range(10)}
dimensions = pd.Series(
    {name: manifold.intrinsic_dimension(pixels[rows]) for name, rows in groups.items()}
)
assert dimensions.idxmin() == 1
dimensions.round(1).to_frame("dimensions").T

# %% [markdown]
# About a dozen dimensions of 784, and a 1 has the fewest: little can be done to a stroke.
#
# ## 3. What is worth maximizing?
#
# **Question.** A network gives each image a code $y \in \{1..K\}$ by $p(y\,|\,x)$, a softmax. Which
# codes are good if nobody says so?
#
# **Idea.** Those that tell much about *where a move along the manifold may lead*: $I(Y; X')$, where $X'$
# is a point that $x$ can move to. To say anything, codes must differ; and they must not change on
# the way.
#
# **Formula.** For any guess $q(y\,|\,x')$ (Barber & Agakov 2003),
#
# $$I(Y; X') = H(Y) + \mathbb{E} \ln p(y\,|\,x')$$
# $$\quad = H(Y) + \mathbb{E} \ln q(y\,|\,x') + \mathbb{E}\, \mathrm{KL}(p(\cdot|x')\,\|\,q(\cdot|x'))$$
# $$\quad \ge H(Y) + \mathbb{E} \ln q(y\,|\,x')$$
#
# since no divergence is negative. The guess may be the network itself, $q = p$, and then the bound needs
# nothing but its outputs at $x$ and $x'$. It is at most $\ln K$.
#
# We check it where everything can be counted: thirty points on a ring, a step to the left or to the
# right, and codes that tell, nine times of ten, on which third of the ring a point lies.

# %%
codes = np.repeat(0.85 * np.eye(3) + 0.05, 10, axis=0)  # p(y | x) of thirty points
x = np.repeat(np.arange(30), 2)
moved = (x + np.tile([-1, 1], 30)) % 30
joint = np.zeros((3, 30))  # p(y, x')
np.add.at(joint.T, moved, codes[x] / len(x))

# %%
by_hand = entropy.entropy(codes[x].mean(axis=0)) + (codes[x] * np.log(codes[moved])).sum(1).mean()
gap = rel_entr(joint / joint.sum(axis=0), codes.T).sum(axis=0).mean()
exact, logits = entropy.mutual_information(joint), torch.tensor(np.log(codes))
print(f"bound {by_hand:.6f} = exact I(Y; X') {exact:.6f} - divergence {gap:.6f} nats")
assert abs(by_hand - (exact - gap)) < 1e-9
assert abs(by_hand - manifold.information_bound(logits[x], logits[moved])) < 1e-9

# %% [markdown]
# ## 4. Why must a boundary keep away from the points?
#
# **Question.** What if we leave the moves out, and maximize $I(Y; X) = H(Y) - H(Y|X)$ (RIM, Krause et
# al. 2010)?
#
# **Idea.** Every even and certain cut is then as good as any other, and a network finds a simple one,
# through the middle of a moon. With moves to neighbors, a cut costs as much as it separates, so
# it goes where nobody is.


# %%
options = {"max_iter": 400, "random_state": 0}
straight = manifold.ManifoldInfoMax(2, objective="rim", **options).fit(moons)
bent = manifold.ManifoldInfoMax(2, **options).fit(moons)

# %%
figure, axes = plt.subplots(1, 2, figsize=(9.5, 3.2))
for ax, model, title in zip(axes, (straight, bent), ("without moves", "the bound"), strict=True):
    style = {"response_method": "predict", "alpha": 0.3, "cmap": "coolwarm"}
    DecisionBoundaryDisplay.from_estimator(model, moons, ax=ax, **style)
    ax.scatter(*moons.T, c=moon, s=5, cmap="coolwarm")
    accuracy, nats = cluster_accuracy(moon, model.labels_), model.stages_[-1].nats
    ax.set(title=f"{title}: {nats:.3f} nats, accuracy {accuracy:.3f}", xticks=[], yticks=[])
assert cluster_accuracy(moon, straight.labels_) < 0.95
assert cluster_accuracy(moon, bent.labels_) >= 0.995

# %% [markdown]
# The nats in the titles are $I(C; C')$ between the codes at both ends of an edge of the graph of
# neighbors, at most $\ln 2 = 0.693$.
#
# ## 5. Can a graph tell the digits apart?
#
# **Question.** Before any network: how much of the answer is in the neighbors?
#
# **Idea.** Cut the graph into far too many pieces (k-means on its slowest waves, its *eigenvectors*), and
# merge two at a time, always those whose merger loses least of $I(C; C')$. This is
# `graph_clusters`.

# %%
graphs = {name: manifold.affinity_graph(*near) for name, near in rulers.items()}
found = {name: manifold.graph_clusters(graph, 10) for name, graph in graphs.items()}
found["k-means, no graph"] = KMeans(10, n_init=3, random_state=0).fit_predict(pixels)
accuracies = {name: cluster_accuracy(labels, codes) for name, codes in found.items()}
assert accuracies["distortion"] > max(0.96 if FULL else 0.97, accuracies["gradients"])
assert accuracies["k-means, no graph"] < 0.7

# %% [markdown]
# Is $I(C; C')$ a guide where there are no labels to look at? Here are all four, and the true labels, on
# *one* graph.

# %%
partitions = found | {"the true labels": labels}
graph = graphs["distortion"]
nats = {name: manifold.cluster_information(codes, graph) for name, codes in partitions.items()}
frame = pd.DataFrame({"nats": nats, "accuracy": accuracies | {"the true labels": 1.0}})
assert frame.iloc[:4].corr("spearman").iloc[0, 1] > 0.7
frame.sort_values("nats").round(4)

# %% [markdown]
# A guide, and no judge: the true labels keep *less* than the codes that were found, since codes follow
# the graph in whatever it gets wrong. Values from different graphs are no better compared than
# prices in different currencies. But most of the answer is in the ruler: no network has learned anything
# yet.
#
# ## 6. What does a network add?
#
# **Question.** The graph has codes for the images it was made of, and mistakes where digits of two kinds
# lie close. Can a network give codes to new images, and better ones?
#
# **Idea.** Take turns with the two sides of the bound of section 3. First $p(y\,|\,x)$: the code found on
# the graph, after four random steps along it, so that points between two clusters are uncertain. Then $q$:
# a small network learns to tell $y$ from a *warped* $x'$. With $p$ held fixed, $-\mathbb{E} \ln q(y\,|\,x')$
# is its cross-entropy, and learning raises the bound; wrong codes are hard to learn by heart from images
# that never come twice. Then $p$ again: what the network and the neighbors say together. Then $q$: a
# larger network, which is the one that predicts. This is `ManifoldInfoMax`, an estimator of scikit-learn.

# %%
size = {} if FULL else {"max_iter": 400}
model = manifold.ManifoldInfoMax(10, augment="image", random_state=0, **size)
train_rows, test_rows = (part.images.reshape(len(part), -1) for part in (digits, held_out))
codes = model.fit(train_rows).predict(test_rows)
accuracy = cluster_accuracy(held_out.labels, codes)
assert accuracy > 0.97

# %%
progress = pd.DataFrame(model.stages_)
progress["accuracy"] = [cluster_accuracy(digits.labels, c) for c in progress.pop("labels")]
figure, axes = plt.subplots(1, 3, figsize=(10, 3.4), width_ratios=(1, 1, 1.5))
for ax, column in zip(axes, ("nats", "accuracy"), strict=False):
    sns.lineplot(progress, x="seconds", y=column, marker="o", ax=ax)
axes[0].set_title("training images, by stage")
table = entropy.counts(held_out.labels, codes)
table = table[:, table.argmax(axis=0).argsort()]  # the columns are clusters: name them
style = {"annot": True, "fmt": "d", "cmap": "mako_r", "cbar": False, "annot_kws": {"size": 7}}
sns.heatmap(table, ax=axes[2], **style)
axes[2].set(xlabel="cluster", ylabel="digit", title="images never seen")
print(f"accuracy on {len(codes)} images never seen: {accuracy:.4f}")
print(f"the bound there: {model.score(test_rows):.4f} nats of {np.log(10):.4f}")
progress.round(4)

# %% [markdown]
# Along the graph, the nats of the networks' codes are *fewer* than those of the codes found on it, and
# yet more of them are right: where a network departs from the graph it is mostly the graph that errs.
# Information along a graph chooses among codes that were made from it; it does not judge networks.
#
# Which choices were made with an eye on labels? Within a fit none is seen: restarts are chosen by
# information alone. But what images are compared by (and at what size, with how many candidates and
# neighbors), the strength of the warps, the four steps, the sizes and lengths of the networks were tried
# beforehand on these 4,000 training images and on 50,000 of MNIST's training images, with the labels at
# hand, the other 10,000 held out; and the accuracy on the 1,000 held-out images above was seen for some
# lengths of the run. MNIST's own 10,000 test images had no part in these choices; a first exploration,
# from which the strength of the warps and the shape of the networks come, had looked at them.
#
# ## 7. What does the learned map look like?
#
# **Question.** The last hidden layer is a map of 128 dimensions. Is it the sheet, unrolled?
#
# **Idea.** Look at it beside maps that know nothing of codes: PCA, which is flat, and t-SNE, which keeps
# neighbors. (UMAP draws maps like t-SNE's; it would bring a compiler with it, and is left to
# `reproduction/peers/bench_manifold.py`.)

# %%
with torch.no_grad():
    shown = torch.from_numpy(held_out.images[:1000, None]).float() / 255
    hidden = model.network_[:-1](shown).numpy()
flat = shown.flatten(1).numpy()
maps = {
    "PCA of pixels": PCA(2).fit_transform(flat),
    "t-SNE of pixels": TSNE(random_state=0, init="pca").fit_transform(flat),
    "t-SNE of the learned layer": TSNE(random_state=0, init="pca").fit_transform(hidden),
}
figure, axes = plt.subplots(1, 3, figsize=(9.5, 3.2))
for ax, (name, points) in zip(axes, maps.items(), strict=True):
    ax.scatter(*points.T, c=held_out.labels[:1000], cmap="tab10", s=5)
    ax.set(title=name, xticks=[], yticks=[])

# %% [markdown]
# ## 8. Is it more than an autoencoder?
#
# **Question.** An autoencoder learns without labels, too. Does its code sort digits?
#
# **Idea.** It keeps what it takes to draw the image again: slant, thickness, and the digit as one thing
# among others. The bound keeps what *survives* a move, and slant and thickness do not.

# %%
with seeded(0):
    autoencoder = nn.Sequential(
        *(nn.Flatten(), nn.Linear(784, 500), nn.ReLU(), nn.Linear(500, 10)),
        *(nn.Linear(10, 500), nn.ReLU(), nn.Linear(500, 784)),
    )
error = lambda drawn, batch: (drawn - batch.flatten(1)).square().mean()  # noqa: E731
fit(autoencoder, error, Batches(images, 256), steps=400)
with torch.no_grad():
    of = {"an autoencoder's code": autoencoder[:4](shown).numpy(), "our hidden layer": hidden}
for name, rows in of.items():
    sorted_rows = KMeans(10, n_init=3, random_state=0).fit_predict(rows)
    result = cluster_accuracy(held_out.labels[:1000], sorted_rows)
    print(f"k-means on {name}: {result:.3f}")
assert result > 0.95

# %% [markdown]
# A deeper one, trained for longer, sorts better than this one.
#
# ## 9. How few labels name the clusters?
#
# **Question.** Clusters have numbers, not names. How many labels does it take to call them "seven"?
#
# **Idea.** Each cluster takes the name that most of its labeled members have; one without any stays
# nameless and counts as wrong. Beside it, a network of the same kind that learns from those labels
# alone, from scratch, with the same warps.


# %%
def supervised(chosen, steps=100):
    with seeded(0):
        network = nn.Sequential(ImageEncoder(dim=64), nn.Linear(64, 10))
    optimizer = torch.optim.AdamW(network.parameters(), lr=2e-3)
    y, moves = torch.from_numpy(digits.labels[chosen]), torch.Generator().manual_seed(0)
    for _ in range(steps):
        loss = nn.functional.cross_entropy(network(augment.RandomWarp()(images[chosen], moves)), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    with torch.no_grad():
        predicted = network.eval()(held_out.images).argmax(1).numpy()
    return (predicted == held_out.labels).mean()


# %%
rng, rows = np.random.default_rng(0), []
surest = model.transform(train_rows).argmax(axis=0)  # an image of each cluster
trials = [(f"{n}, random", rng.choice(len(digits), n, replace=False)) for n in (10, 50, 100)]
for name, chosen in (("10, surest of each cluster", surest), *trials):
    votes = np.zeros((10, 10))
    np.add.at(votes, (model.labels_[chosen], digits.labels[chosen]), 1)
    names = np.where(votes.sum(axis=1) > 0, votes.argmax(axis=1), -1)
    named = (names[codes] == held_out.labels).mean()
    rows.append({"labels": name, "named": named, "from scratch": supervised(chosen)})
assert rows[0]["named"] > 0.95
assert rows[-1]["named"] > rows[-1]["from scratch"]
pd.DataFrame(rows).set_index("labels").round(3)

# %% [markdown]
# Ten labels drawn at random leave clusters without a name. Ten that one *asks* for, one for each
# cluster, are all it needs.
#
# **Limits.** What was put in is not what was learned: that digits survive small warps and displacements,
# that there are ten of about one size, that edges matter more than pixels. The bound wants even clusters,
# so rare kinds are swallowed. A mistake that neighbors share (a 1 with a broad foot lies nearer to the 2s
# than to other 1s) is not undone by any number of steps, for nothing in the data says that it is one.
# And photographs have no such graph: only 37 % of
# CIFAR-10's test images have a nearest training image of their own class, in 200 principal components
# of the pixels ([results](../reproduction/results/manifold.md) of `reproduction/peers/bench_manifold.py --data cifar10`).
#
# ## What the article's version does
#
# The article ends a network with ten linear outputs $o$ and minimizes the mean of $-\ln \frac{o}{1 - o}$,
# "the negative logarithm of the mutual information". We do so with its sizes and its learning rate, in
# our own lines, and then with each repair that suggests itself.


# %%
def article(squash, steps):
    with seeded(0):
        network = nn.Sequential(nn.Flatten(), nn.Linear(784, 500), nn.ReLU(), nn.Linear(500, 10))
    optimizer = torch.optim.Adam(network.parameters(), lr=0.01)
    for _ in range(steps):
        batch = images[torch.randint(len(images), (64,), generator=generator)]
        o = squash(network(batch))
        loss = -(o / (1 - o)).log().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    finite = all(weight.isfinite().all() for weight in network.parameters())
    return loss.item(), finite, manifold.rim(squash(network(images)).clamp(1e-9, 1).log()).item()


# %%
repairs = {
    "none, 1 step": (lambda z: z, 1),
    "none, 3 steps": (lambda z: z, 3),
    "sigmoid, 3 steps": (torch.sigmoid, 3),
    "clamp, 300 steps": (lambda z: z.clamp(1e-6, 1 - 1e-6), 300),
    "softmax, 300 steps": (lambda z: z.softmax(1), 300),
}
index = ["loss", "weights are finite", "information in nats"]
outcome = pd.DataFrame({name: article(*repair) for name, repair in repairs.items()}, index=index).T
assert np.isnan(outcome.loc["none, 1 step", "loss"])
assert outcome["weights are finite"].iloc[:2].all()
assert abs(outcome.loc["softmax, 300 steps", "loss"] - np.log(9)) < 0.01
assert outcome["information in nats"].iloc[-2:].max() < 0.05
outcome

# %% [markdown]
# The loss is not a number from the first batch, while every weight stays finite: the derivative of
# $\ln \frac{o}{1 - o}$ exists where the logarithm does not, so no check of the weights finds out. With a
# sigmoid it has no least value, and runs away. Clamped, all outputs become 1. With a softmax the least value is
# $\ln 9$, at *uniform* outputs, since $-\ln \frac{o}{1-o}$ is convex where it matters: minimizing
# it minimizes information. The bound of section 3 is what its text asks for.
#
# ## Recap
#
# - A manifold is where data move; its dimension was counted from ratios of distances: 2 for the roll, about a dozen for digits.
# - $I(Y; X') \ge H(Y) + \mathbb{E} \ln p(y|x')$ needed three lines, and on a ring of thirty points its gap was the divergence, to nine digits.
# - Without moves a moon was cut in two; with them the boundary went through the gap.
# - A ruler that lets pixels look about, a graph, mergers by information, and two small networks sorted more than 97 % of digits never seen, and ten labels named them.
# - The article's loss was not a number at once, and its repairs came to nothing.
#
# ## Exercises
#
# Replace each stub and run its cell: the check says what is still missing.
# [Solutions](solutions/07_manifold_infomax.py).
#
# 1. The bound, from codes at $x$ and at $x'$, arrays (N, K).


# %% tags=["exercise"]
def my_bound(p, p_moved):
    """Nats; p is p(y|x), p_moved is p(y|x')."""
    # your code


exercises.check("manifold bound", my_bound)

# %% [markdown]
# 2. Two-NN, from the distances to the first and the second neighbors.


# %% tags=["exercise"]
def my_dimension(first, second):
    """Estimate of the dimension."""
    # your code


exercises.check("two nn", my_dimension)

# %% [markdown]
# 3. Information of codes along a graph: an edge is drawn in proportion to its weight.


# %% tags=["exercise"]
def my_cluster_information(labels, weights):
    """I(C; C') in nats; labels (N,) in 0..K-1, weights (N, N) symmetric."""
    # your code


exercises.check("cluster information", my_cluster_information)

# %% [markdown]
# 4. Which two codes would you merge? The table is $p(c, c')$, symmetric.


# %% tags=["exercise"]
def my_cheapest_merge(joint):
    """The pair (i, j), i < j."""
    # your code


exercises.check("cheapest merge", my_cheapest_merge)

# %% [markdown]
# ## References
#
# - Barber, D., & Agakov, F. (2003). The IM algorithm: a variational approach to information maximization. NeurIPS 16.
# - Hu, W., et al. (2017). Learning discrete representations via information maximizing self-augmented training. https://arxiv.org/abs/1702.08720
# - Ji, X., Henriques, J. F., & Vedaldi, A. (2019). Invariant information clustering for unsupervised image classification and segmentation. https://arxiv.org/abs/1807.06653
# - Miyato, T., et al. (2018). Virtual adversarial training. https://arxiv.org/abs/1704.03976
# - Facco, E., et al. (2017). Estimating the intrinsic dimension of datasets by a minimal neighborhood information. https://doi.org/10.1038/s41598-017-11873-y
# - Keysers, D., Deselaers, T., Gollan, C., & Ney, H. (2007). Deformation models for image recognition. IEEE Transactions on Pattern Analysis and Machine Intelligence, 29(8), 1422-1435.
# - Dalal, N., & Triggs, B. (2005). Histograms of oriented gradients for human detection. https://doi.org/10.1109/CVPR.2005.177
# - Krause, A., Perona, P., & Gomes, R. (2010). Discriminative clustering by regularized information maximization. NeurIPS 23.
# - Slonim, N., & Tishby, N. (1999). Agglomerative information bottleneck. NeurIPS 12.
#
# Previous: [06 · Multimodal information maximization](06_multimodal_infomax.ipynb) · Next: [08 · Simulated memory](08_simulated_memory.ipynb)
