# %% [markdown]
# # 07 · Manifold information maximization
#
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/simmim-lite/simmim-lite/blob/main/notebooks/07_manifold_infomax.ipynb)
#
# *Clusters of unlabeled handwritten digits that carry as much information as possible about the neighbors of an image: a metric, a graph, a lower bound on mutual information and two networks, each step written out.*
#
# **What you will learn**
#
# - what a **data manifold** is, how a **metric** finds neighbors on it, and how many **dimensions** it has;
# - a **lower bound** on $I(Y; X')$ that needs only the outputs of a network, and its gap;
# - why a good objective can end in a **local maximum**, and how a **graph** avoids it;
# - the **eight steps** that cluster digits without labels;
# - what the learned features **keep** of the manifold, and how few labels **name** the clusters.
#
# **Prerequisites**: [02](02_mutual_information.ipynb) (mutual information, KL divergence, data processing inequality); eigenvectors of a symmetric matrix; a training loop in PyTorch.
#
# **In the package**: `manifold`, `augment`.
#
# <!-- measured -->
# About 75 minutes to work through.
# Measured: 147 s on 2 CPU cores, no GPU, Python 3.11, torch 2.14 (generated)
# <!-- /measured -->

# %%
import importlib.util
import subprocess
import sys
from pathlib import Path

if importlib.util.find_spec("simmim_lite") is None:  # install it: a clone, a wheel here, or GitHub
    clone = Path("..") if Path("../pyproject.toml").is_file() else None
    wheels = sorted([*Path().glob("simmim_lite-*.whl"), *Path("..").glob("simmim_lite-*.whl")])
    github = "https://github.com/simmim-lite/simmim-lite/archive/refs/heads/main.zip"
    source = clone or (wheels or [github])[-1]
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--timeout=20", "--retries=1"]
    if subprocess.run([*pip, str(source)]).returncode:
        raise RuntimeError(
            f"{source} cannot be installed. Put the file simmim_lite-*.whl beside this notebook "
            "(in Colab: folder icon on the left, then upload), and run this cell again."
        )
    importlib.invalidate_caches()

# %%
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
import torch
from scipy import sparse, stats
from sklearn.cluster import KMeans
from sklearn.datasets import make_moons, make_swiss_roll
from sklearn.decomposition import PCA, FastICA
from sklearn.inspection import DecisionBoundaryDisplay
from sklearn.linear_model import LogisticRegression, RidgeCV
from sklearn.manifold import TSNE, trustworthiness
from sklearn.model_selection import cross_val_score
from torch import nn

from simmim_lite import augment, datasets, entropy, exercises, figures, manifold, training
from simmim_lite.encoders import seeded
from simmim_lite.evaluation import cluster_accuracy, wilson_interval
from simmim_lite.mutual_information import estimate

figures.set_style()
torch.set_num_threads(1)  # the networks are small

# %% [markdown]
# ## 1. What is a manifold, and what is a neighbor?
#
# **Question.** An image of 28 x 28 pixels is a point in 784 dimensions. Where are the digits?
#
# **Idea.** They lie near a thin, bent sheet, a *manifold*: a digit that turns a little stays a digit.
# A *random deformation* rotates, resizes, shears, shifts and bends an image by small random amounts.

# %%
FAST = False  # True: load stored weights; the long trainings stop after one step
digits, deform = datasets.load_digits("train", full=False), augment.RandomWarp()
images, labels = torch.from_numpy(digits.images[:, None]).float() / 255, digits.labels
roll, position = make_swiss_roll(400, random_state=0)
moons, moon = make_moons(1000, noise=0.1, random_state=0)
moon_colors = np.array(["C0", "C1"])[moon]
deformed = deform(images[-1:].repeat(7, 1, 1, 1), torch.Generator().manual_seed(0))
eight = torch.cat([images[-1:], deformed]).reshape(2, 4, 28, 28).permute(0, 2, 1, 3)
_, axes = plt.subplots(1, 3, figsize=(9.5, 2.8), width_ratios=(1, 1, 1.6))
axes[0].scatter(roll[:, 0], roll[:, 2], c=position, s=7, cmap="mako")
axes[1].scatter(*moons.T, c=moon_colors, s=5)
axes[2].imshow(eight.reshape(56, 112).numpy(), cmap="gray_r")
titles = "Swiss roll (color: position)", "two moons", "a nine (top left), deformed"
for ax, title in zip(axes, titles, strict=True):
    ax.set(title=title, xticks=[], yticks=[])
figures.show(
    "Figure 1. Points near in space can be far apart along a manifold; deformations stay on it.",
    alt="Three panels: a spiral of points, colored by the position along it; two interleaved half "
    "moons; a nine and seven random deformations of it: rotated, slanted, bent.",
)

# %% [markdown]
# Short steps between neighbors follow the sheet. So we need a *metric*, here any distance for which
# neighbors show the same digit. (Only accuracies use labels.)
#
# **Formula.** The squared pixel distance of images $a$ and $b$ is $\lVert a - b \rVert^2$. The *image
# distortion* (Keysers et al. 2007) compares each pixel $j$ of $a$ with the best of nine pixels of $b$.
# The shift $\delta$ is at most one row and one column. $\nabla a_j$ are the slopes of brightness, right
# and down, in the 3 x 3 pixels around $j$:
#
# $$\Delta(a, b)^2 = \sum_j \min_{\delta} \lVert \nabla a_j - \nabla b_{j + \delta} \rVert^2$$

# %%
sobel = torch.tensor([[-1.0, 0, 1], [-2, 0, 2], [-1, 0, 1]]) / 4
kernel = torch.stack([sobel, sobel.T])[:, None]  # slope to the right, slope down


def slopes_around(image, border):
    slopes = nn.functional.conv2d(image, kernel, padding=1)
    return nn.functional.unfold(slopes, 3, padding=1 + border).reshape(18, 28 + 2 * border, -1)


def distortion(first, second):
    fixed, moved = slopes_around(first, 0), slopes_around(second, 1)
    windows = [moved[:, i : i + 28, j : j + 28] for i in range(3) for j in range(3)]
    return torch.stack([(fixed - window).square().sum(0) for window in windows]).amin(0).sum()


zero = images[26:27]
pixel_distance = (images - zero).square().sum(dim=(1, 2, 3)).numpy()
six = images[np.where(labels == 0, np.inf, pixel_distance).argmin()][None]
for name, image in {"itself, one pixel to the side": zero.roll(1, 3), "a six": six}.items():
    in_pixels = (zero - image).square().sum()
    print(f"zero and {name}: pixels {in_pixels:.1f}, distortion {distortion(zero, image):.1f}")
assert torch.isclose(distortion(zero, six), manifold.image_distortion(zero, six)[0])

# %% [markdown]
# In pixels, the zero is nearer to a six than to its own copy one pixel to the side. The distortion
# ignores this shift.
#
# `image_neighbors` first *deskews* each image (a shear removes its slant) and reduces it to 20 x 20
# pixels. Then it compares the image with the 60 candidates that are nearest by `oriented_gradients`, a
# fast summary of the directions of strokes (Dalal & Triggs 2005).

# %%
gradients = manifold.oriented_gradients(images)
near = {"pixels": manifold.nearest_neighbors(images.flatten(1), 5)}
near["gradients"] = manifold.nearest_neighbors(gradients, 5)
near["distortion"] = manifold.image_neighbors(images, 5)
nearest = {metric: index[:, 0] for metric, (_, index) in near.items()}
same = {metric: np.mean(labels[index] == labels) for metric, index in nearest.items()}
for metric, fraction in same.items():
    print(f"nearest image by {metric}: the same label in {fraction:.1%}")
exercises.verify("the distortion reaches 98.5 %", round(same["distortion"], 3) == 0.985)
failed = np.flatnonzero(labels[nearest["pixels"]] != labels)[::14][:16]
strip = images[np.stack([failed, nearest["pixels"][failed], nearest["distortion"][failed]])]
plt.figure(figsize=(9.5, 2)).add_subplot().grid(visible=False)
plt.imshow(strip[:, :, 0].permute(0, 2, 1, 3).reshape(84, -1).numpy(), cmap="gray_r")
plt.xticks([])
plt.yticks([14, 42, 70], ["image", "nearest by pixels", "nearest by distortion"])
figures.show(
    "Figure 2. Where pixels choose another digit, the distortion mostly finds the same digit.",
    alt="Sixteen columns of three images: a digit, its nearest neighbor by pixels, always another "
    "digit, and its nearest neighbor by distortion, nearly always the same digit.",
)

# %% [markdown]
# ## 2. How many dimensions does the manifold have?
#
# **Question.** In how many of the 784 directions can a digit vary?
#
# **Idea.** In $d$ dimensions, the number of points within a small radius $\varepsilon$ is
# *proportional to* $\varepsilon^d$. So distances to neighbors contain information about $d$.
#
# **Formula.** Let the density be constant as far as the second neighbor. Then the ratio $\mu$ of the
# distances to the second and the first neighbor has density $d\, \mu^{-d-1}$. The log-likelihood
# $N \ln d - (d + 1) \sum_i \ln \mu_i$ is largest at $N / \sum_i \ln \mu_i$. With $N - 1$ and
# independent ratios, the estimate is unbiased. We call it *Two-NN* (Facco et al. 2017 fit a line to the ratios):
#
# $$\hat d = \frac{N - 1}{\sum_i \ln \mu_i}$$
#
# *Levina-Bickel* uses ten neighbors in a similar way. The last column counts the principal components
# that hold 90 % of the variance. All rows have $N = 400$ points.


# %%
def dimensions(points):
    distance, _ = manifold.nearest_neighbors(points, 2)
    two_nn = (len(points) - 1) / np.log(distance[:, 1] / distance[:, 0]).sum()
    assert np.isclose(two_nn, manifold.intrinsic_dimension(points), rtol=1e-3)
    levina_bickel = manifold.intrinsic_dimension(points, "levina_bickel")
    variance = PCA().fit(points).explained_variance_ratio_.cumsum()
    return two_nn, levina_bickel, np.sum(variance < 0.9) + 1


samples = {"Swiss roll": roll}
for d in (5, 10, 15, 20):
    samples[f"cube, {d} dimensions"] = np.random.default_rng(0).random((400, d))
for digit in (1, 7, 8):
    samples[f"images of {digit}"] = images[labels == digit].flatten(1).numpy()
estimators = ["Two-NN", "Levina-Bickel", "components"]
counted = pd.DataFrame(map(dimensions, samples.values()), samples.keys(), estimators)
counted.insert(0, "truth", [2, 5, 10, 15, 20, "unknown", "unknown", "unknown"])
cubes = counted.iloc[2:5, 1:3].max(axis=1)
ones, eights = counted.iloc[5, 1:3].min(), counted.iloc[7, 1:3].min()
exercises.verify("from 10 dimensions on, both are too low", all(cubes < [10, 15, 20]))
exercises.verify("an eight has at least 13, a one at least 7", eights > 13 and ones > 7)
counted.round(1)

# %% [markdown]
# Both estimates are too low in high dimension, where even the nearest neighbor is far away. So an
# eight probably has *at least* 13 dimensions, and a one at least 7: few of 784. Flat principal
# components need many more.
#
# ## 3. Which clusters are worth maximizing?
#
# **Question.** A network assigns an image $x$ to one of $K$ clusters at random: its softmax is
# $q(y \mid x)$, and $Y$ is drawn from it. Which assignments are good?
#
# **Idea.** Let $X'$ be a random step from $X$ along the manifold: to a neighbor, or to a random
# deformation. In good clusters, $Y$ carries much information about where the step ends: $I(Y; X')$.
#
# **Formula.** $Y$ and $X'$ are connected through $X$. This induces a conditional distribution of $Y$,
# which is *not* the output of the network at $x'$:
#
# $$r(y \mid x') = \sum_x p(x \mid x')\, q(y \mid x)$$
#
# $$I(Y; X') = H(Y) - H(Y \mid X') = H(Y) + \mathbb{E} \ln r(Y \mid X')$$
#
# We do not know $r$. Write $\ln r = \ln q + \ln (r / q)$. The mean of the last term is a KL
# divergence, so it is never negative (Barber & Agakov 2003):
#
# $$I(Y; X') = H(Y) + \mathbb{E} \ln q(Y \mid X') + \mathbb{E}\, \text{KL}(r \,\|\, q)$$
#
# $$I(Y; X') \ge H(Y) + \mathbb{E} \ln q(Y \mid X')$$
#
# This *lower bound* needs only the outputs at $x$ (to draw $Y$) and at $x'$. It is at most $\ln K$.
#
# **A second bound.** Draw a cluster at both ends of the step, also $Y' \sim q(y' \mid X')$.
# The *soft joint* table of $Y$ and $Y'$ is a mean over steps:
#
# $$p(y, y') = \mathbb{E}\, q(y \mid X)\, q(y' \mid X')$$
#
# $Y'$ is computed from $X'$ alone, so $I(Y; Y') \le I(Y; X')$ (data processing). IIC maximizes
# $I(Y; Y')$ (Ji et al. 2019). `calculate_mutual_info` of the first article needs this table, but has
# none.
#
# **Check.** Thirty points lie on a ring. A step goes one point to the left or right. Each third of the
# ring is a cluster. A point is assigned to its third with probability 0.9.

# %%
q = np.repeat(0.85 * np.eye(3) + 0.05, 10, axis=0)  # q(y | x): 30 points, 3 clusters
moves = (np.roll(np.eye(30), 1, axis=0) + np.roll(np.eye(30), -1, axis=0)) / 2  # p(x' | x)
joint = q.T @ moves / 30  # p(y, x')
r = (joint / joint.sum(axis=0)).T  # r(y | x')
bound = entropy.entropy(joint.sum(axis=1)) + np.sum(joint.T * np.log(q))
exact = entropy.mutual_information(joint)
gap = np.sum(joint.T * np.log(r / q))
print(f"bound {bound:.6f} = exact {exact:.6f} - divergence {gap:.6f} nats, ln 3 = {np.log(3):.4f}")
assert np.isclose(bound, exact - gap, rtol=0, atol=1e-12)

start, end = np.nonzero(moves)  # the 60 pairs (x, x')
here, there = torch.from_numpy(q[start]).log(), torch.from_numpy(q[end]).log()
soft = entropy.mutual_information(q[start].T @ q[end] / 60)
print(f"second bound {soft:.6f} nats")
exercises.verify("both are lower bounds", max(bound, soft) < exact)
assert np.isclose(bound, manifold.information_bound(here, there), rtol=0, atol=1e-9)
assert np.isclose(soft, manifold.iic(here, there), rtol=0, atol=1e-9)

# %% [markdown]
# ## 4. Is a good objective enough?
#
# **Question.** Are steps necessary? $I(Y; X) = H(Y) - H(Y \mid X)$ needs none (Krause et al. 2010;
# their *RIM* adds weight decay). Exercise 3 derives how it differs from the bound:
#
# $$H(Y) + \mathbb{E} \ln q(Y \mid X') = I(Y; X) - \mathbb{E}\, \text{KL}(q(\cdot \mid X) \,\|\, q(\cdot \mid X'))$$
#
# So the bound is $I(Y; X)$ minus a penalty for assignments that change between $x$ and $x'$.
#
# ### Exercise 1 · ★ · 2 minutes · predict
#
# 1,000 points form two moons. Which assignments to two clusters maximize $I(Y; X)$?
#
# - a: only the certain assignment of each moon to its own cluster
# - b: every certain assignment with 500 points in each cluster
# - c: every assignment with probability 1/2 for both clusters

# %% tags=["exercise"]
my_prediction_1 = None  # "a", "b" or "c"

exercises.check("certain and balanced", my_prediction_1)

# %%
options = {"max_iter": 200, "random_state": 0}
models = {
    "I(Y; X), random start": manifold.ManifoldInfoMax(2, objective="rim", **options),
    "bound, random start": manifold.ManifoldInfoMax(2, objective="bound", **options),
    "graph first (sections 5, 6)": manifold.ManifoldInfoMax(2, **options),
}
line = {"response_method": "predict", "plot_method": "contour", "levels": [0.5], "colors": "k"}
_, axes = plt.subplots(1, 3, figsize=(10, 2.9))
for ax, (name, fitted) in zip(axes, models.items(), strict=True):
    DecisionBoundaryDisplay.from_estimator(fitted.fit(moons), moons, ax=ax, **line)
    ax.scatter(*moons.T, c=moon_colors, s=5)
    edge_nats, moon_accuracy = fitted.stages_[-1].nats, cluster_accuracy(moon, fitted.labels_)
    ax.set(title=name, xlabel=f"{edge_nats:.3f} nats, accuracy {moon_accuracy:.3f}", ylabel="")
    ax.set(xlim=(-1.5, 2.5), ylim=(-1, 1.5), xticks=[], yticks=[])
figures.show(
    "Figure 3. Two boundaries (black) from random starts cut the moons; the graph finds the gap.",
    alt="Two moons, three times, with a boundary. Random starts: it crosses the moons, accuracy "
    "0.85 and 0.89. Graph first: it runs through the gap, accuracy 0.997.",
)
exercises.verify("the gap has over 0.66 nats", edge_nats > 0.66 and moon_accuracy > 0.99)

# %% [markdown]
# The nats are $I(C; C')$ between the clusters of neighbors (section 5). They are largest for the gap.
# But gradient ascent from random weights tends to a *local maximum*, where no small change of the
# boundary helps. (Fifteen times as many steps do not find the gap either.)
#
# ## 5. How does a graph find clusters?
#
# **Question.** How do we get a good start for digits?

# %%
figures.diagram("manifold_infomax")
figures.show(
    "Figure 4. The eight steps of the method (step 1: section 1). The upper row needs no network.",
    alt="Diagram. Upper row: images, 1 metric, 2 affinity graph, 3 over-segmentation, 4 merges by "
    "information. Lower row: 5 soft targets, 6 first network on deformed images, 7 average with "
    "neighbors, 8 second network, prediction. Dashed arrows lead from the graph to steps 5 and 7.",
)

# %% [markdown]
# **Step 2: affinity graph.** Each image has edges to its five nearest neighbors. Let $\ell_i$ be the
# distance from $i$ to the last of them (Zelnik-Manor & Perona 2004):
#
# $$w_{ij} = \exp\left(-\frac{\Delta_{ij}^2}{\ell_i \ell_j}\right)$$
#
# If only one of two images lists the other, the edge still counts in both directions.

# %%
distance, index = near["distortion"]
last = distance[:, -1]
weights = np.exp(-(distance**2) / (last[:, None] * last[index]))
ends = np.repeat(np.arange(len(images)), 5), index.ravel()
one_way = sparse.csr_array((weights.ravel(), ends), shape=(len(images), len(images)))
graph = one_way.maximum(one_way.T)
print(f"{graph.nnz // 2} edges between {len(images)} images")
assert abs(graph - manifold.affinity_graph(distance, index)).max() < 1e-12

# %% [markdown]
# **Step 3: over-segmentation.** We cut the graph into many pure pieces. Let $G$ be the matrix of
# weights, and $D$ the diagonal matrix of its row sums $D_i = \sum_j w_{ij}$. The eigenvectors of
# $D^{-1/2} G D^{-1/2}$ with the largest eigenvalues vary slowly along the graph. Sixteen
# of them, with rows scaled to length 1, are the *spectral embedding* (Ng, Jordan & Weiss 2001). k-means
# on its rows gives 40 pieces.

# %%
degree = graph.sum(axis=1)
scale = sparse.diags_array(1 / np.sqrt(degree))
_, vectors = sparse.linalg.eigsh(scale @ graph @ scale, 16, v0=np.ones(len(images)))
embedding = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
pieces = KMeans(40, n_init=1, random_state=0).fit_predict(embedding)
majority = [np.bincount(labels[pieces == piece]).max() for piece in range(40)]
print(f"{sum(majority) / len(labels):.1%} of the images have the majority label of their piece")

package = manifold.spectral_embedding(graph, 16)[:500]  # signs of eigenvectors are arbitrary
assert np.abs(embedding[:500] @ embedding[:500].T - package @ package.T).max() < 0.01

# %% [markdown]
# **Step 4: merges by information.** Draw an edge at random, in proportion to its weight. The clusters
# $C$ and $C'$ at its ends have the joint table $p(c, c')$: the fraction of all weight that leads from
# $c$ to $c'$.
#
# $$I(C; C') = \sum_{c, c'} p(c, c') \ln \frac{p(c, c')}{p(c)\, p(c')}$$
#
# We merge two clusters at a time, always the pair that loses least $I(C; C')$ (Slonim & Tishby 1999).
# A merge adds up two rows and two columns.


# %%
def merge(table, i, j):
    members = np.eye(len(table))
    members[j, i] = 1  # cluster j becomes a part of i
    members = np.delete(members, j, axis=1)
    return members.T @ table @ members


members = np.eye(40)[pieces]
edge_joint = members.T @ (graph @ members) / graph.sum()
path = [entropy.mutual_information(edge_joint)]
while len(edge_joint) > 9:
    candidates = [merge(edge_joint, i, j) for j in range(len(edge_joint)) for i in range(j)]
    edge_joint = max(candidates, key=entropy.mutual_information)
    path.append(entropy.mutual_information(edge_joint))

ten = manifold.agglomerative_bottleneck(pieces, graph, 10)
assert np.isclose(path[30], manifold.cluster_information(ten, graph), rtol=0, atol=1e-9)
print(f"40 pieces: {path[0]:.3f} nats, ten clusters: {path[30]:.3f} nats")
print(f"the merge to ten cost {path[29] - path[30]:.3f} nats, the next {path[30] - path[31]:.3f}")

# %% [markdown]
# `graph_clusters` runs steps 3 and 4 from many starts. It then moves single pieces to other clusters
# while $I(C; C')$ grows, and keeps the best start.
#
# ### Exercise 2 · ★★ · 2 minutes · predict
#
# The true labels also form ten clusters. Compare their $I(C; C')$ on our graph with that of
# `graph_clusters`.
#
# - a: it is larger, because true labels are the best clusters
# - b: it is smaller, because the found clusters follow the graph even where the graph is wrong
# - c: it is $\ln 10$, because there are ten equally frequent labels

# %% tags=["exercise"]
my_prediction_2 = None  # "a", "b" or "c"

exercises.check("true labels on the graph", my_prediction_2)

# %% [markdown]
# Each cluster gets the name of a different digit. *Cluster accuracy* is the largest possible fraction
# of correct names.

# %%
pixel_graph = manifold.affinity_graph(*near["pixels"])
found = {
    "true labels": labels,
    "graph of the distortion": manifold.graph_clusters(graph, 10),
    "one start (steps 3 and 4)": ten,
    "graph of the pixels": manifold.graph_clusters(pixel_graph, 10),
    "k-means, no graph": KMeans(10, n_init=3, random_state=0).fit_predict(images.flatten(1)),
    "random": np.random.default_rng(0).integers(10, size=len(labels)),
}
found_nats = [manifold.cluster_information(clusters, graph) for clusters in found.values()]
found_accuracy = [cluster_accuracy(labels, clusters) for clusters in found.values()]
exercises.verify("the true labels have less information", found_nats[0] < found_nats[1])
same_order = np.array_equal(np.argsort(found_nats[1:]), np.argsort(found_accuracy[1:]))
exercises.verify("I(C; C') ranks the other rows as accuracy does", same_order)
exercises.verify("graph and merges: more than 0.98", found_accuracy[1] > 0.98)
pd.DataFrame({"I(C; C'), nats": found_nats, "accuracy": found_accuracy}, index=found.keys()).round(
    3
)

# %% [markdown]
# All values are on *one* graph, where $I(C; C')$ ranks clusters without labels. Most of the accuracy
# comes from the metric: no network has learned yet.
#
# ## 6. What do networks add?
#
# **Question.** The graph has clusters only for its own images. What about new images?
#
# **Step 5: soft targets.** Let $t_0(y \mid x)$ be 1 for the cluster of $x$ in the graph, else 0. Four
# random steps along the edges make targets near a border uncertain:
#
# $$t_{n+1}(y \mid i) = \sum_j \frac{w_{ij}}{D_i}\, t_n(y \mid j)$$
#
# Now draw $Y$ from $t_4$ (squared and normalized, so more certain). The proof in section 3 did
# not need that $Y$ comes from the network, so the bound still holds. Only its last term depends on the
# network. This term is minus the *cross-entropy*, so ordinary training raises the bound.

# %%
walk = sparse.diags_array(1 / degree) @ graph  # probabilities of a step along an edge
targets = np.eye(10)[found["graph of the distortion"]]
for _ in range(4):
    targets = walk @ targets
targets = targets**2 / (targets**2).sum(axis=1, keepdims=True)
uncertain = np.mean(targets.max(axis=1) < 0.9)
print(f"{uncertain:.1%} of the images have no target above 0.9")
print(f"accuracy of the largest targets: {cluster_accuracy(labels, targets.argmax(axis=1)):.4f}")
assert np.allclose(targets.sum(axis=1), 1)

# %% [markdown]
# **Step 6: first network.** A small convolutional network predicts the targets from deformed images
# $x'$. Because every deformed image is new, the network can hardly memorize wrong targets.


# %%
def small_network():
    layers = []
    for before, after, size in ((1, 16, 5), (16, 32, 3), (32, 64, 3)):
        layers += [nn.Conv2d(before, after, size, stride=2, padding=size // 2)]
        layers += [nn.BatchNorm2d(after), nn.ReLU()]
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(1024, 128), nn.ReLU(), nn.Linear(128, 10))


def train(network, inputs, targets, steps):
    optimizer = torch.optim.AdamW(network.parameters(), lr=2e-3)
    generator = torch.Generator().manual_seed(0)
    for _ in range(steps):
        batch = torch.randint(len(inputs), (128,), generator=generator)
        outputs = network(deform(inputs[batch], generator))
        loss = nn.functional.cross_entropy(outputs, targets[batch])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return network.eval()


# %% [markdown]
# **Step 7: average with neighbors.** We average the prediction for an image with the mean prediction
# for its neighbors. (Longer training helps both.)

# %%
with seeded(0):
    network = small_network()
train(network, images, torch.from_numpy(targets).float(), steps=1 if FAST else 150)
if FAST:
    training.load_trained("07_network", network)
with torch.no_grad():
    predicted = network(images).softmax(dim=1).numpy()
average = (predicted + walk @ predicted) / 2
first_accuracy = cluster_accuracy(labels, predicted.argmax(axis=1))
average_accuracy = cluster_accuracy(labels, average.argmax(axis=1))
print(f"first network: accuracy {first_accuracy:.4f}")
print(f"average with neighbors: accuracy {average_accuracy:.4f}")
exercises.verify("neighbors correct the network", average_accuracy > first_accuracy)

# %% [markdown]
# **Step 8: second network.** A wider network learns the averages, and predicts. The estimator
# `ManifoldInfoMax` performs all eight steps (and averages over deformed copies).

# %%
everything, held_out = datasets.load_digits("train"), datasets.load_digits("test")
train_rows, test_rows = (part.images.reshape(len(part), -1) for part in (everything, held_out))
settings = {"max_iter": 2 if FAST else 300, "batch_size": 128, "random_state": 0}
model = manifold.ManifoldInfoMax(10, augment="image", **settings).fit(train_rows)
arrays = [stage.labels for stage in model.stages_]
if FAST:
    training.load_trained("07_model", model.network_, arrays, model.labels_)
new_clusters = model.predict(test_rows)
new_images = torch.from_numpy(held_out.images[:, None]).float() / 255
random_clusters = np.random.default_rng(0).integers(10, size=len(test_rows))
new_accuracy = cluster_accuracy(held_out.labels, new_clusters)
random_accuracy = cluster_accuracy(held_out.labels, random_clusters)
print(f"{len(test_rows)} new images: accuracy {new_accuracy:.3f}, random {random_accuracy:.3f}")
print(f"bound on new images: {model.score(test_rows):.3f} nats of ln 10 = {np.log(10):.3f}")
exercises.verify("new images: more than 0.97", new_accuracy > 0.97)

# %% [markdown]
# **Peers without a network.** A new image gets the cluster of the nearest training image, by gradients
# or by distortion. Only images for which exactly *one* of two methods is correct show a difference. If
# both methods were equally good, their counts $n_1$ and $n_2$ would be those of a fair coin. *McNemar's
# exact test* (1947) computes the p-value.


# %%
def correct(digit, clusters):
    names = entropy.counts(digit, clusters).argmax(axis=0)  # the most frequent digit
    return names[clusters] == digit


def paired_test(name, first, second):
    n_1, n_2 = np.sum(first & ~second), np.sum(second & ~first)
    p = stats.binomtest(n_1, n_1 + n_2).pvalue
    print(f"{name}: accuracy {first.mean():.3f} : {second.mean():.3f}")
    print(f"    only one is correct: {n_1} : {n_2}, p = {p:.2g}")
    return n_1 - n_2


closest = {"gradients": torch.cdist(manifold.oriented_gradients(new_images), gradients).argmin(1)}
_, listed = manifold.image_neighbors(torch.cat([images, new_images]), 20)
closest["distortion"] = [row[row < len(images)][0] for row in listed[len(images) :]]
by_network, leads = correct(held_out.labels, new_clusters), {}
assert np.isclose(by_network.mean(), new_accuracy)
for metric, index in closest.items():
    peer = correct(held_out.labels, found["graph of the distortion"][index])
    leads[metric] = paired_test(f"network : nearest by {metric}", by_network, peer)
exercises.verify("the network is better than the gradients", leads["gradients"] > 0)

# %%
_, axes = plt.subplots(1, 2, figsize=(10, 3.6), width_ratios=(1, 1.2))
by_stage = [correct(everything.labels, stage.labels) for stage in model.stages_]
for row, hits in enumerate(by_stage):
    interval = wilson_interval(hits)
    axes[0].plot([interval.low, interval.high], [row, row], color="0.6", linewidth=3)
    axes[0].plot(hits.mean(), row, "o", color="C0")
stage_names = [stage.name for stage in model.stages_]
axes[0].set(yticks=range(4), yticklabels=stage_names, ylim=(3.5, -0.5), title="training images")
axes[0].set(xlabel="accuracy (bar: 95 % interval)", xticks=[0.976, 0.98, 0.984, 0.988])
confusion = entropy.counts(held_out.labels, new_clusters)
confusion = confusion[:, confusion.argmax(axis=0).argsort()]  # in the order of the digits
style = {"annot": True, "fmt": "d", "cmap": "mako_r", "cbar": False, "annot_kws": {"size": 7}}
sns.heatmap(confusion, ax=axes[1], **style)
axes[1].set(xlabel="cluster", ylabel="digit", title="number of new images")
figures.show(
    "Figure 5. On training images the stages hardly differ; few new images are misplaced.",
    alt="First panel: accuracy of graph, first network, average and second network, from 0.979 to "
    "0.984, intervals overlap. Second: digit by cluster, 95 to 100 of 100 on the diagonal.",
)
leads["graph"] = paired_test("second network : graph, training", by_stage[3], by_stage[0])

# %% [markdown]
# The network makes fewer mistakes than the gradients, but about as many as the distortion. So the metric
# explains the gain, and the network replaces a slow search. On training images, network and graph hardly
# differ.
#
# The developers chose the settings with accuracies in view, at first also those on MNIST's test images.
# So accuracies are somewhat optimistic.
#
# ## 7. Does the network unroll the manifold?
#
# **Question.** The last hidden layer has 128 columns. Is it the sheet, unrolled?
#
# **Formula.** Let $\rho_{ij}$ be the rank of $j$ among the neighbors of $i$ by pixels, and $B_i$ the
# $k$ nearest points in a map. *Trustworthiness* is 1 if neighbors in the map are neighbors in the
# data (Venna & Kaski 2001):
#
# $$T = 1 - \frac{2}{N k (2N - 3k - 1)} \sum_i \sum_{j \in B_i} \max(0, \rho_{ij} - k)$$
#
# *Continuity* exchanges data and map. A random map has about 0.5.

# %%
with torch.no_grad():
    hidden = model.network_[:-1](new_images).numpy()
shown = np.random.default_rng(0).choice(len(held_out), 600, replace=False)
flat, shown_labels = new_images[shown].flatten(1).numpy(), held_out.labels[shown]
maps = {
    "random": np.random.default_rng(0).normal(size=(600, 2)),
    "PCA of pixels": PCA(2).fit_transform(flat),
    "t-SNE of pixels": TSNE(random_state=0).fit_transform(flat),
    "t-SNE of hidden layer": TSNE(random_state=0).fit_transform(hidden[shown]),
}
quality = pd.DataFrame(index=maps.keys(), columns=["T", "continuity", "nearest: same digit"])
for name, place in maps.items():
    neighbor = manifold.nearest_neighbors(place, 1)[1][:, 0]
    same_digit = np.mean(shown_labels[neighbor] == shown_labels)
    trust = trustworthiness(flat, place, n_neighbors=10)
    quality.loc[name] = trust, trustworthiness(place, flat, n_neighbors=10), same_digit
quality.astype(float).round(3)

# %%
_, axes = plt.subplots(1, 3, figsize=(10, 3.2))
for ax, name in zip(axes, list(maps)[1:], strict=True):
    plt.sca(ax)
    figures.class_map(maps[name], shown_labels)
    ax.set_title(name)
    if ax is not axes[-1]:
        ax.get_legend().remove()
figures.show(
    "Figure 6. The hidden layer is not one sheet but ten islands, one for each digit.",
    alt="Three maps of 600 new images, colored by digit. PCA: overlapping clouds. t-SNE of pixels: "
    "clusters that touch. t-SNE of the hidden layer: ten separate islands, each of nearly one color.",
)

# %% [markdown]
# **Answer: no.** In t-SNE, the hidden layer has lower $T$ and continuity than the pixels: neighbors
# by pixels get lost, and images of one digit come together. (Distances between islands mean nothing
# in t-SNE.)
#
# Is the position *within* an island lost? For each digit, a linear probe predicts the slant of the
# strokes, on held-out folds. $R^2$ is 1 minus the squared error divided by the variance. A constant
# has at most 0.

# %%
slant = datasets.measure_strokes(held_out.images)[:, 1]
components = PCA(128).fit_transform(new_images.flatten(1))
features = {
    "128 components of pixels": components,
    "the hidden layer": hidden,
    "the outputs (probabilities)": model.predict_proba(test_rows),
    "a constant": np.ones((len(held_out), 1)),
}
within = []
for name, feature in features.items():
    scores = []
    for digit in range(10):
        of_digit = held_out.labels == digit
        probe = RidgeCV(np.geomspace(0.01, 1e5, 15))
        scores.append(cross_val_score(probe, feature[of_digit], slant[of_digit]).mean())
    within.append(np.mean(scores))
    print(f"slant from {name}: R^2 = {within[-1]:.2f}")
exercises.verify("hidden layer: more than 0.8", within[1] > 0.8)
exercises.verify("outputs and constant: less than 0", max(within[2:]) < 0)

# %% [markdown]
# The slant, one part of the position, is not lost: it is as easy to predict from the hidden layer as
# from the pixels. From the cluster probabilities, the probe predicts it no better than a constant.
#
# **Limits.** The results rest on prior knowledge: digits survive small deformations, strokes matter
# more than pixels, ten clusters have about equal sizes (otherwise: `balanced=False`).
# Photographs have no such graph: for only 37 % of CIFAR-10's test images, the nearest training image
# has the same class ([results](../reproduction/results/manifold.md)).

# %% [markdown]
# ## What the article gets wrong
#
# The third article minimizes the mean of $-\ln \frac{o}{1 - o}$ over ten linear outputs $o$, "the
# negative logarithm of the mutual information". We train its network with its learning rate, and with
# three obvious repairs. The last column is $I(Y; X)$ in nats, of outputs divided by their sum.


# %%
def train_article(squash):
    with seeded(0):
        article = nn.Sequential(nn.Flatten(), nn.Linear(784, 500), nn.ReLU(), nn.Linear(500, 10))
        optimizer = torch.optim.Adam(article.parameters(), lr=0.01)
        for _ in range(200):
            o = squash(article(images[torch.randint(len(images), (64,))]))
            loss = -(o / (1 - o)).log().mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    finite = all(weight.isfinite().all().item() for weight in article.parameters())
    outputs = squash(article(images)).clamp(1e-9, 1)
    return loss.item(), finite, manifold.rim(outputs.log()).item()


layers = nn.Identity(), nn.Sigmoid(), nn.Hardtanh(1e-6, 1 - 1e-6), nn.Softmax(dim=1)
outcome = pd.DataFrame(map(train_article, layers), ["no repair", "sigmoid", "clamp", "softmax"])
outcome.columns = ["loss", "finite weights", "I(Y; X)"]
exercises.verify("without a repair, the loss is not a number", np.isnan(outcome["loss"].iloc[0]))
exercises.verify("softmax ends at ln 9", abs(outcome.iloc[3, 0] - np.log(9)) < 0.01)
exercises.verify("no repair finds information", outcome.iloc[2:, 2].max() < 0.05)
outcome.round(3)

# %% [markdown]
# Without a repair the loss is not a number, but all weights stay finite: the derivative exists where
# the logarithm does not. A sigmoid of $z$ makes the loss the mean of $-z$, which has no minimum. With a
# clamp all outputs become almost 1. With a softmax the minimum is $\ln 9$, at *uniform* outputs, which
# have no information. The second appendix trains the article's network with the bound of section 3.

# %% [markdown]
# ## Appendix: How few labels name the clusters?
#
# **Question.** Clusters have numbers, not names. How many labels do we need to name them?
#
# **Idea.** A cluster gets the most frequent label of its labeled members. A cluster without a labeled
# member has no name, and its images count as wrong. *Asked* labels are those of one image in each
# cluster, the image with the largest probability. The peer is the network of step 6, trained on the
# same labels alone.

# %%
rng = np.random.default_rng(0)
trials = {"10, asked": model.transform(train_rows).argmax(axis=0)}
for n in (10, 50, 100):
    trials[f"{n}, random"] = rng.choice(len(train_rows), n, replace=False)
naming = []
for name, chosen in trials.items():
    known, assigned = everything.labels[chosen], model.labels_[chosen]
    names = np.full(10, -1)
    for cluster in np.unique(assigned):
        names[cluster] = np.bincount(known[assigned == cluster]).argmax()
    with seeded(0):
        few_network = small_network()
    few = torch.from_numpy(everything.images[chosen, None]).float() / 255
    train(few_network, few, torch.from_numpy(known), steps=60)
    with torch.no_grad():
        guess = few_network(new_images).argmax(dim=1).numpy()
    by_name = np.mean(names[new_clusters] == held_out.labels)
    naming.append([name, by_name, np.mean(guess == held_out.labels)])
pd.DataFrame(naming, columns=["labels", "named clusters", "labels alone"]).round(3)

# %% [markdown]
# Ten random labels leave some clusters without a name. Ten *asked* labels, one for each cluster, are
# enough.

# %% [markdown]
# ## Appendix: Is it more than an autoencoder?
#
# **Question.** An autoencoder learns without labels too. Which features separate the digits better,
# with the *same* encoder, the same number of steps and the same seeds?
#
# All encoders are the network of the article (784-500-10, plus batch normalization). An *autoencoder*
# has a mirrored decoder, which draws $\hat x$ from the ten columns. With $j$ over pixels, its loss is
#
# $$L = -\sum_j \big[ x_j \ln \hat x_j + (1 - x_j) \ln(1 - \hat x_j) \big]$$
#
# A *denoising* autoencoder draws the original from a random deformation. A *variational* autoencoder
# (VAE, Kingma & Welling 2014) has twenty columns: a mean $m$ and the logarithm of a variance $s^2$ for
# each of ten. It decodes a random draw, and adds
#
# $$\text{KL}\big(N(m, s^2) \,\|\, N(0, 1)\big) = \tfrac{1}{2} \sum (m^2 + s^2 - 1 - \ln s^2)$$


# %%
def draw_loss(decoder, latent, x):
    pixels = nn.functional.binary_cross_entropy_with_logits(decoder(latent), x, reduction="sum")
    return pixels / len(x)


def autoencoder(encode, decoder, x, t):
    return draw_loss(decoder, encode(x), x.flatten(1))


def denoising(encode, decoder, x, t):
    return draw_loss(decoder, encode(deform(x, torch.default_generator)), x.flatten(1))


def variational(encode, decoder, x, t):
    mean, log_variance = encode(x).chunk(2, dim=1)
    latent = mean + (log_variance / 2).exp() * torch.randn_like(mean)
    divergence = (mean**2 + log_variance.exp() - 1 - log_variance).sum() / 2 / len(x)
    return draw_loss(decoder, latent, x.flatten(1)) + divergence


# %% [markdown]
# Two more encoders maximize the bound. Their ten outputs are the logits of ten clusters. One starts
# from random weights, with $x$ and its deformation $x'$. The other learns the targets $t$ of step 5,
# which contain the graph.


# %%
def bound_alone(encode, decoder, x, t):
    both = encode(torch.cat([x, deform(x, torch.default_generator)]))
    return -manifold.information_bound(*both.chunk(2))


def bound_with_graph(encode, decoder, x, t):
    return nn.functional.cross_entropy(encode(deform(x, torch.default_generator)), t)


def two_layers(inputs, outputs):
    first = [nn.Linear(inputs, 500), nn.BatchNorm1d(500), nn.ReLU()]
    return nn.Sequential(nn.Flatten(), *first, nn.Linear(500, outputs))


def train_encoder(loss, seed, steps):
    with seeded(seed):
        encoder, decoder = two_layers(784, 20 if loss is variational else 10), two_layers(10, 784)
        optimizer = torch.optim.AdamW([*encoder.parameters(), *decoder.parameters()], lr=2e-3)
        t = torch.from_numpy(targets).float()
        for _ in range(steps):
            batch = torch.randint(len(images), (64,))
            optimizer.zero_grad()
            loss(encoder, decoder, images[batch], t[batch]).backward()
            optimizer.step()
    return encoder.eval()


# %%
methods = {"untrained": (autoencoder, 0), "autoencoder": (autoencoder, 200)}
methods |= {"denoising autoencoder": (denoising, 200), "VAE": (variational, 200)}
methods |= {"bound, random start": (bound_alone, 200), "bound with graph": (bound_with_graph, 200)}
results = []
for name, (loss, steps) in methods.items():
    for seed in range(2):
        encoder = train_encoder(loss, seed, steps)
        with torch.no_grad():
            old, new = encoder(images)[:, :10], encoder(new_images)[:, :10]
        kmeans = KMeans(10, n_init=3, random_state=0).fit(old)
        probe = LogisticRegression(max_iter=1000).fit(old, labels)
        by_clusters = cluster_accuracy(held_out.labels, kmeans.predict(new))
        results.append([name, by_clusters, probe.score(new, held_out.labels)])
scored = pd.DataFrame(results, columns=["encoder", "k-means", "linear probe"])
summary = scored.groupby("encoder", sort=False).agg(["mean", "min", "max"])
by_encoder = summary["k-means"]["mean"]
exercises.verify("the graph gives the best clusters", by_encoder.idxmax() == "bound with graph")
exercises.verify("deformations help the autoencoder", by_encoder.iloc[2] > by_encoder.iloc[1])
summary.round(3)

# %% [markdown]
# The training is short for all encoders. (A deeper autoencoder, trained for 30 epochs, has a k-means
# accuracy of .527 on new images, about the same: [results](../reproduction/results/manifold.md).)
# Deformations help the autoencoder too, so a part of the gain is theirs. The bound from random weights
# depends much on the start. The rest of the gain comes from the graph. It is prior knowledge that the
# autoencoders do not have, so this is no proof that the bound is the better objective.

# %% [markdown]
# ## Appendix: How much do more unlabeled images help?
#
# **Question.** The article says that little unlabeled data gives little. How does accuracy grow with
# $N$?
#
# We repeat steps 1 to 4 on random parts of the training images, with five starts of k-means, and keep
# the clusters with the largest $I(C; C')$. A new image gets the cluster of its nearest image by
# gradients. Its peer *with labels* gives it the true label of the same image. The baseline is k-means
# on pixels.


# %%
def clusters_of(part):
    graph = manifold.affinity_graph(*manifold.image_neighbors(part))
    embedding = manifold.spectral_embedding(graph, 16)
    number, starts = min(40, len(part) // 10), []
    for seed in range(5):
        pieces = KMeans(number, n_init=1, random_state=seed).fit_predict(embedding)
        starts.append(manifold.agglomerative_bottleneck(pieces, graph, 10))
    return max(starts, key=lambda clusters: manifold.cluster_information(clusters, graph))


points = []
for N, seed in [(250, 0), (250, 1), (500, 0), (500, 1), (1000, 0), (1000, 1), (2000, 0), (2000, 1)]:
    part = np.random.default_rng(seed).choice(len(images), N, replace=False)
    nearby = torch.cdist(manifold.oriented_gradients(new_images), gradients[part]).argmin(dim=1)
    by_kmeans = KMeans(10, n_init=1, random_state=0).fit(images[part].flatten(1))
    by_pixels = cluster_accuracy(held_out.labels, by_kmeans.predict(new_images.flatten(1)))
    by_graph = cluster_accuracy(held_out.labels, clusters_of(images[part])[nearby])
    points.append([N, by_pixels, by_graph, np.mean(labels[part][nearby] == held_out.labels)])
curve = pd.DataFrame(points, columns=["N", "k-means", "graph", "with labels"])
curve.groupby("N").mean().round(3)

# %%
curve_means = curve.groupby("N").mean()
for name, color in {"with labels": "C2", "graph": "C0", "k-means": "C7"}.items():
    plt.plot(curve["N"], curve[name], "o", color=color, markersize=4)
    plt.plot(curve_means.index, curve_means[name], color=color, label=name)
plt.axhline(random_accuracy, color="0.5", linestyle=":", label="random clusters")
plt.gca().set(xscale="log", xlabel="number of images N", ylabel="accuracy, new images", ylim=(0, 1))
plt.xticks(curve_means.index, curve_means.index)
plt.minorticks_off()
plt.legend(loc=(0.25, 0.2), ncols=2)
figures.show(
    "Figure 7. Accuracy grows with the number of unlabeled images, as it does with labels.",
    alt="Accuracy on new images against N, from 250 to 2,000. The graph rises from 0.87 to 0.95, "
    "just below the nearest label, from 0.90 to 0.96. k-means on pixels stays near 0.5.",
)
exercises.verify("more unlabeled images help", curve_means["graph"].is_monotonic_increasing)
exercises.verify("k-means on pixels stays below 0.6", curve["k-means"].max() < 0.6)

# %% [markdown]
# The accuracy grows with $N$, because neighbors get nearer. The peer with labels makes nearly as many
# mistakes. So most mistakes come from the metric, not from the clusters. (The peer by gradients in
# section 6 has 4,000 images and more starts.) k-means on pixels hardly improves.

# %% [markdown]
# ## Appendix: How did information maximization begin?
#
# **Question.** Before deep networks, what did it mean to maximize information?
#
# **Linear, Gaussian (Linsker 1988).** Let points $X$ lie on a thin strip at an angle of 30 degrees. A
# random step, mostly along the strip, leads to $X'$. One neuron has the output $Y = e^\top X$ plus
# noise, with $e = (\cos \alpha, \sin \alpha)$. All variables are Gaussian. Let $\Sigma$ be the
# covariance of $X$, $\Lambda$ that of the step, and $\tau^2$ the variance of the noise. The variance
# of $Y$, alone and for known $X'$, is
#
# $$v = e^\top \Sigma e + \tau^2, \qquad v' = v - e^\top \Sigma (\Sigma + \Lambda)^{-1} \Sigma e$$
#
# so the entropies of notebook 02 give
#
# $$I(Y; X') = \tfrac{1}{2} \ln \frac{v}{v'}$$

# %%
turn = np.array([[np.sqrt(3), -1], [1, np.sqrt(3)]]) / 2  # rotation by 30 degrees
of_points, of_steps = turn @ np.diag([1, 0.04]) @ turn.T, turn @ np.diag([0.1, 0.04]) @ turn.T
rng = np.random.default_rng(0)
x = rng.multivariate_normal([0, 0], of_points, size=2000)
x_moved = x + rng.multivariate_normal([0, 0], of_steps, size=2000)
angles = np.arange(0, 180, 10)
truth, estimates = [], []
for angle in np.deg2rad(angles):
    e = np.array([np.cos(angle), np.sin(angle)])
    along = of_points @ e
    variance = e @ along + 0.09
    left = variance - along @ np.linalg.inv(of_points + of_steps) @ along
    truth.append(np.log(variance / left) / 2)
    y = x @ e + 0.3 * rng.normal(size=2000)
    estimates.append(estimate(y[:, None], x_moved, method="ksg").nats)
exercises.verify("the best neuron follows the strip", angles[np.argmax(truth)] == 30)
exercises.verify("the estimate is within 0.1", np.abs(np.subtract(truth, estimates)).max() < 0.1)

# %%
plt.plot(angles, truth, label="closed form", **figures.TRUTH)
plt.plot(angles, estimates, "o", label="KSG estimate, 2,000 points")
plt.axvline(30, color="C1")
plt.text(32, 0.4, "direction of the strip", color="C1")
plt.gca().set(xlabel="angle of e, degrees", ylabel="I(Y; X'), nats", ylim=(0, None))
plt.legend(loc=(0.23, 0.03))
figures.show(
    "Figure 8. A linear neuron carries most information if it points along the manifold.",
    alt="I(Y; X') against the angle of e, 0 to 170 degrees. The dashed closed form has its maximum "
    "at 30 degrees, the direction of the strip, and its minimum near 120. The estimates follow it.",
)

# %% [markdown]
# Here the best direction is the first principal component: it has the largest variance, and steps along
# it are small in comparison. For data that are not Gaussian, more is possible.
#
# **Two voices (Bell & Sejnowski 1995).** Two microphones record mixtures $X = A V$ of two voices $V$.
# The matrix $A$ is unknown. The network is $U = W X$, $Y = g(U)$ with the logistic function $g$,
# without noise. Then only $H(Y)$ depends on $W$ in $I(X; Y) = H(Y) - H(Y \mid X)$, and the change of
# variables gives
#
# $$H(Y) = H(X) + \ln |\det W| + \mathbb{E} \sum_i \ln g'(U_i)$$
#
# The derivative of the second term is $(W^{-1})^\top$; that of the third is $\mathbb{E} (1 - 2 g(U)) X^\top$,
# because $g''/g' = 1 - 2g$. Their sum, times $W^\top W$, is the *natural gradient* (Amari et al. 1996).
# It needs no inverse:
#
# $$\Delta W = \eta\, \big(W + \mathbb{E} (1 - 2 g(U))\, U^\top\, W\big)$$
#
# Let $P = W A$. If $W$ is perfect, $P$ has one entry that is not 0 in each row and each column: each
# voice comes out once, in any order and at any volume. Then the *Amari error* is 0. It is at most 1:
#
# $$\text{error} = \frac{1}{4} \Big[\sum_i \Big(\sum_j \frac{|P_{ij}|}{\max_k |P_{ik}|} - 1\Big) + \sum_j \Big(\sum_i \frac{|P_{ij}|}{\max_k |P_{kj}|} - 1\Big)\Big]$$


# %%
def talk(speaker, words):
    rows = [np.flatnonzero((speech.speakers == speaker) & (speech.labels == w))[0] for w in words]
    return np.concatenate([speech.waveforms[row] for row in rows])[:9600]


speech = datasets.load_speech("train", full=False)
voices = np.stack([talk("Alex", (3, 1, 4, 1)), talk("Diogo", (2, 7, 1, 8))])
sources = (voices - voices.mean(axis=1, keepdims=True)) / voices.std(axis=1, keepdims=True)
A = np.array([[1.0, 0.6], [0.5, 1.0]])
mixtures = A @ sources
figures.audio_player(mixtures[0], speech.rate)

# %%
W, values = np.eye(2), []
for _ in range(300):
    u = W @ mixtures
    g = 1 / (1 + np.exp(-u))
    values.append(np.log(np.abs(np.linalg.det(W))) + np.log(g * (1 - g)).sum(axis=0).mean())
    W += 0.3 * (np.eye(2) + (1 - 2 * g) @ u.T / u.shape[1]) @ W
exercises.verify("H(Y) - H(X) only grows", np.all(np.diff(values) > -1e-6))
print(f"H(Y) - H(X): {values[0]:.3f} nats at the start, {values[-1]:.3f} at the end")
figures.audio_player(u[0], speech.rate)

# %%
figures.audio_player(u[1], speech.rate)


# %%
def amari_error(P):
    P = np.abs(P)
    rows = P.sum(axis=1) / P.max(axis=1) - 1
    columns = P.sum(axis=0) / P.max(axis=0) - 1
    return (rows.sum() + columns.sum()) / 4


white = PCA(whiten=True).fit(mixtures.T)
unmixing = {
    "mixtures": np.eye(2),
    "whitening (PCA)": white.components_ / np.sqrt(white.explained_variance_)[:, None],
    "infomax, by hand": W,
    "FastICA (scikit-learn)": FastICA(2, random_state=0).fit(mixtures.T).components_,
}
errors = {name: amari_error(matrix @ A) for name, matrix in unmixing.items()}
correlation = np.abs(np.corrcoef(u, sources)[:2, 2:]).max(axis=1).min()
print(f"each output has a correlation of at least {correlation:.4f} with one voice")
exercises.verify(
    "infomax: error below 0.05", max(errors["infomax, by hand"], 1 - correlation) < 0.05
)
pd.Series(errors, name="Amari error").round(3).to_frame()

# %% [markdown]
# Whitening removes only the correlation, and leaves the voices mixed. Infomax by hand and FastICA
# separate them. The reason: $H(Y)$ is the sum of the entropies $H(Y_i)$ minus the total correlation
# (notebook 01). So independent outputs are better, and only the unmixed voices are independent. The
# logistic $g$ suits signals with many values near 0 and a few large ones, such as speech.

# %% [markdown]
# ## Recap
#
# - With a suitable metric, 98.5 % of the nearest neighbors show the same digit.
# - $I(Y; X') \ge H(Y) + \mathbb{E} \ln q(Y \mid X')$; the gap is the mean of $\text{KL}(r \,\|\, q)$.
# - From random weights, the bound did not find the gap. A graph gave a good start.
# - Metric, graph and merges gave an accuracy above 0.98. Two networks predict new images with over
#   0.97, as the nearest image by distortion does.
# - The hidden layer is ten islands, and within an island it contains the slant.

# %% [markdown]
# ## Exercises
#
# Each check says whether an answer is correct, and why not. `hint=1` as a last argument shows a hint. Solutions: [notebook](solutions/07_manifold_infomax.ipynb), [in Colab](https://colab.research.google.com/github/simmim-lite/simmim-lite/blob/main/notebooks/solutions/07_manifold_infomax.ipynb).
#
# ### Exercise 3 · ★★ · 4 minutes · derive
#
# Let $q' = q(y \mid X')$, and let $q$ alone be $q(y \mid X)$. Start from the bound,
# $H(Y) + \mathbb{E} \sum_y q \ln q'$. Put these lines in order, so that the last one is $I(Y; X)$ minus
# a penalty.
#
# (a) $H(Y) + \mathbb{E} \sum_y q \ln q - \mathbb{E} \sum_y q \ln \frac{q}{q'}$
#
# (b) $I(Y; X) - \mathbb{E}\, \text{KL}(q \,\|\, q')$
#
# (c) $H(Y) + \mathbb{E} \sum_y q (\ln q - \ln \frac{q}{q'})$
#
# (d) $H(Y) - H(Y \mid X) - \mathbb{E}\, \text{KL}(q \,\|\, q')$

# %% tags=["exercise"]
my_order = None  # four letters, for example "abcd"

exercises.check("bound and penalty", my_order)

# %% [markdown]
# ### Exercise 4 · ★★ · 3 minutes · find the bug
#
# This program should compute $I(Y; Y')$ from the soft joint table. It prints 0 for any network. Which
# line is wrong?
#
# ```python
# 1  here = logits.softmax(dim=1)
# 2  there = moved_logits.softmax(dim=1)
# 3  joint = here.mean(dim=0)[:, None] * there.mean(dim=0)
# 4  p_here = joint.sum(dim=1, keepdim=True)
# 5  p_there = joint.sum(dim=0, keepdim=True)
# 6  ratio = joint / (p_here * p_there)
# 7  print((joint * ratio.log()).sum())
# ```

# %% tags=["exercise"]
my_wrong_line = None  # the number of the line as a string, for example "7"

exercises.check("product of means", my_wrong_line)

# %% [markdown]
# ### Exercise 5 · ★★ · 2 minutes · choose
#
# Which comparison of $I(C; C')$ may choose between clusterings, without labels?
#
# - a: thirty starts of k-means, each merged to ten clusters on one graph
# - b: ten clusters on the graph of the pixels, ten others on the graph of the distortion
# - c: ten clusters and twenty clusters on one graph

# %% tags=["exercise"]
my_choice = None  # "a", "b" or "c"

exercises.check("comparing clusterings", my_choice)

# %% [markdown]
# ### Exercise 6 · ★★★ · 4 minutes · function
#
# Write the bound for $N$ equally probable points and *any* steps. Row $x$ of `moves` is
# $p(x' \mid x)$. For which steps is it tight?


# %% tags=["exercise"]
def my_bound(q, moves):
    """Return H(Y) + E ln q(Y | X') in nats; q is (N, K), moves is (N, N)."""
    ...  # your code


exercises.check("manifold bound", my_bound)

# %% [markdown]
# ## What to try next
#
# - Cluster the digits of 8 x 8 pixels, `sklearn.datasets.load_digits`.
# - Leave out one digit in training. Which clusters do its images join?
# - Ask for 20 clusters. Which digits split?

# %% [markdown]
# ## References
#
# - Barber, D., & Agakov, F. (2003). The IM algorithm: a variational approach to information maximization. NeurIPS 16.
# - Krause, A., Perona, P., & Gomes, R. (2010). Discriminative clustering by regularized information maximization. NeurIPS 23.
# - Hu, W., et al. (2017). Learning discrete representations via information maximizing self-augmented training. https://arxiv.org/abs/1702.08720
# - Ji, X., Henriques, J. F., & Vedaldi, A. (2019). Invariant information clustering for unsupervised image classification and segmentation. https://arxiv.org/abs/1807.06653
# - Facco, E., et al. (2017). Estimating the intrinsic dimension of datasets by a minimal neighborhood information. https://doi.org/10.1038/s41598-017-11873-y
# - Levina, E., & Bickel, P. J. (2004). Maximum likelihood estimation of intrinsic dimension. NeurIPS 17.
# - Keysers, D., Deselaers, T., Gollan, C., & Ney, H. (2007). Deformation models for image recognition. IEEE Transactions on Pattern Analysis and Machine Intelligence, 29(8), 1422-1435.
# - Dalal, N., & Triggs, B. (2005). Histograms of oriented gradients for human detection. https://doi.org/10.1109/CVPR.2005.177
# - Zelnik-Manor, L., & Perona, P. (2004). Self-tuning spectral clustering. NeurIPS 17.
# - Ng, A. Y., Jordan, M. I., & Weiss, Y. (2001). On spectral clustering: analysis and an algorithm. NeurIPS 14.
# - Slonim, N., & Tishby, N. (1999). Agglomerative information bottleneck. NeurIPS 12.
# - McNemar, Q. (1947). Note on the sampling error of the difference between correlated proportions or percentages. https://doi.org/10.1007/BF02295996
# - Venna, J., & Kaski, S. (2001). Neighborhood preservation in nonlinear projection methods: an experimental study. https://doi.org/10.1007/3-540-44668-0_68
# - Kingma, D. P., & Welling, M. (2014). Auto-encoding variational Bayes. https://arxiv.org/abs/1312.6114
# - Linsker, R. (1988). Self-organization in a perceptual network. https://doi.org/10.1109/2.36
# - Bell, A. J., & Sejnowski, T. J. (1995). An information-maximization approach to blind separation and blind deconvolution. https://doi.org/10.1162/neco.1995.7.6.1129
# - Amari, S., Cichocki, A., & Yang, H. H. (1996). A new learning algorithm for blind signal separation. NeurIPS 8.
#
# Previous: [06 · Multimodal information maximization](06_multimodal_infomax.ipynb) · Next: [08 · Simulated memory](08_simulated_memory.ipynb)
