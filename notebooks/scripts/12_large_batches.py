# %% [markdown]
# # 12 · Large batches and several processes
#
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/simmim-lite/simmim-lite/blob/main/notebooks/12_large_batches.ipynb)
#
# *A contrastive loss of a large batch in little memory, encoders whose activations do not fit, what the size of the batch does to the InfoNCE value, several processes with the gradient of one, and a run that survives being killed.*
#
# **What you will learn**
#
# - how to compute a contrastive loss **without the square of the batch** in memory;
# - how **gradient caching** embeds a batch in chunks, and still has the gradient of the whole batch;
# - what the **size of the batch** changes: the InfoNCE value, or what the encoders learn;
# - how **several processes** compute the gradient of one process, and three wrong ways;
# - how a **killed run** continues, and ends with the same bits.
#
# **Prerequisites**: notebooks [06](06_multimodal_infomax.ipynb) and [11](11_gpu_training.ipynb); the chain rule, and the softmax.
#
# **In the package**: `contrastive`, `training`.
#
# <!-- measured -->
# About 75 minutes to work through.
# Measured: 53 s on 2 CPU cores, no GPU, Python 3.11, torch 2.14 (generated)
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
import copy
import os
import tempfile
import time
import warnings

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from torch import nn
from torch.utils.checkpoint import checkpoint

from simmim_lite import bounds, datasets, encoders, exercises, figures, multimodal
from simmim_lite.contrastive import info_nce_loss
from simmim_lite.environment import measure_bytes, measure_seconds
from simmim_lite.training import Batches, ContrastiveLoss, compare_gathers, fit

figures.set_style()
torch.set_num_threads(1)  # the same sums, and so the same bits, on every machine
DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")

# %% [markdown]
# ## 1. What does a batch of pairs cost?
#
# **Question.** InfoNCE takes its negatives from the batch. How much memory does a batch of $B$ pairs need?
# (All numbers below are from a CPU. No cell of this page has ever run on a GPU.)
#
# **Formula.** Let $q_i$ and $k_i$ be the embeddings of pair $i$, with length 1 and $d$ components, and let
# $\tau$ be the temperature. The score is $s_{ij} = q_i \cdot k_j / \tau$. In the first sum, the $B$ keys are
# the candidates of query $i$. In the second sum, the $B$ queries are the candidates of key $i$:
#
# $$\text{loss} = \frac{1}{2B} \sum_{i=1}^{B} \left[ \ln \sum_{j=1}^{B} e^{s_{ij}} - s_{ii} \right]
# + \frac{1}{2B} \sum_{i=1}^{B} \left[ \ln \sum_{j=1}^{B} e^{s_{ji}} - s_{ii} \right]$$
#
# The plain program makes the matrix of all $B^2$ scores, and more matrices of this size: the logarithms of
# the softmax by rows and by columns, and gradients. How many exist at the same time? A matrix of `float32` has
# $4 B^2$ bytes, so the peak of the memory divided by $4 B^2$ is their number at the worst moment.


# %%
def dense_loss(queries, keys, temperature=0.1):
    scores = queries @ keys.T / temperature
    own = torch.arange(len(queries), device=scores.device)
    return (F.cross_entropy(scores, own) + F.cross_entropy(scores.T, own)) / 2


def random_pairs(B, d=128):
    generator = torch.Generator().manual_seed(0)
    pairs = F.normalize(torch.randn(2, B, d, generator=generator), dim=-1)
    return pairs.to(DEVICE).requires_grad_()


for B in (512, 1024, 2048):
    pairs = random_pairs(B)
    peak = measure_bytes(lambda: dense_loss(*pairs).backward())  # noqa: B023
    print(f"B = {B:>4}: {peak / 1e6:6.1f} MB, {peak / (4 * B**2):.2f} matrices of B x B")
exercises.verify("a few matrices of B x B", 3 < peak / (4 * B**2) < 8)

# %% [markdown]
# At the worst moment there are four matrices. Twice the batch needs four times the memory.
#
# ## 2. Can we compute the loss without the square?
#
# **Idea.** The loss needs only one number of each row of scores, $\ln \sum_j e^{s_{ij}}$. So we compute a
# *tile*, a part of the matrix, use it, and drop it. Two difficulties remain.
#
# **First difficulty: merging** (Milakov & Gimelshein 2018). $e^{s}$ overflows for large scores. So we store a
# part of a row as two numbers: its largest score $m$, and the sum $S = \sum_j e^{s_j - m}$, whose terms are at
# most 1. We merge two parts, $(m_1, S_1)$ and $(m_2, S_2)$. The new maximum is $m = \max(m_1, m_2)$. The terms
# $j$ of the first part have to use it, too:
#
# $$\sum_j e^{s_j - m} = e^{m_1 - m} \sum_j e^{s_j - m_1} = e^{m_1 - m}\, S_1$$
#
# The same holds for the second part, and the two results are added. After the last part,
# $\ln \sum_j e^{s_j} = m + \ln S$.
#
# ### Exercise 1 · ★★ · 3 minutes · function
#
# Write the merge of two parts. Then compare with the next cell, which merges many parts of a row.


# %% tags=["exercise"]
def my_merge(top_1, sum_1, top_2, sum_2):
    """Return (top, sum) of two parts of a row; each sum is that of e^(score - top)."""
    ...  # your code


exercises.check("merge sums", my_merge)


# %%
def log_sums_by_tiles(queries, keys, temperature, tile=64):
    top = torch.full((len(queries),), -torch.inf)
    total = torch.zeros(len(queries))
    for some_keys in keys.split(tile):
        scores = queries @ some_keys.T / temperature
        new_top = torch.maximum(top, scores.amax(dim=1))
        total = total * (top - new_top).exp() + (scores - new_top[:, None]).exp().sum(dim=1)
        top = new_top
    return top + total.log()


q, k = random_pairs(300).detach().cpu()
by_tiles = log_sums_by_tiles(q, k, 0.001)  # scores up to 1,000
dense = (q @ k.T / 0.001).logsumexp(dim=1)
print(
    f"largest score {(q @ k.T / 0.001).max():.0f}; e^100 in float32 is {torch.tensor(100.0).exp()}"
)
exercises.verify("the tiles give the same logarithms", torch.allclose(by_tiles, dense, rtol=1e-5))

# %% [markdown]
# **Second difficulty: the gradient.** Autograd would keep the scores of all tiles for `backward`. A checkpoint
# ([notebook 11](11_gpu_training.ipynb)) keeps only the inputs of a tile, and computes its scores again in
# `backward`. So at any time only `tile` rows of scores exist: they need $B \cdot \text{tile}$ numbers in place
# of $B^2$. We check the loss and the gradients, of queries, keys and temperature, against the plain program.


# %%
def tiled_loss(queries, keys, temperature=0.1, tile=128):
    def log_sums(rows, others):
        return (rows @ others.T / temperature).logsumexp(dim=1)

    total = -2 * (queries * keys).sum() / temperature
    for x, y in ((queries, keys), (keys, queries)):
        for rows in x.split(tile):
            total = total + checkpoint(log_sums, rows, y, use_reentrant=False).sum()
    return total / (2 * len(queries))


q, k = random_pairs(300, d=32).detach().double()
inputs = [v.requires_grad_() for v in (q, k, torch.tensor(0.1, dtype=torch.float64).to(DEVICE))]
truth = dense_loss(*inputs)
truth = [truth, *torch.autograd.grad(truth, inputs)]
for function in (tiled_loss, info_nce_loss):
    value = function(*inputs, tile=64)
    found = [value, *torch.autograd.grad(value, inputs)]
    worst = max((a - b).abs().max().item() for a, b in zip(found, truth, strict=True))
    exercises.verify(f"{function.__name__} and its gradients are exact", worst < 1e-12)

# %% [markdown]
# `info_nce_loss` of the package uses the same idea. It forms the gradient in the forward pass, while the
# scores of a tile exist.
#
# **What does it cost?** All three programs calculate all $B^2$ scores, once or several times. So the time of
# each should grow by a factor of 4 when $B$ doubles, if fixed costs are small. The factor of the memory should
# be 4 for the plain program, and about 2 at most for tiles of fixed height.

# %%
small_tiles = {"dense": dense_loss, "tiled": tiled_loss}
small_tiles["info_nce_loss"] = lambda q, k: info_nce_loss(q, k, 0.1, tile=128)
rows = []
for B in (256, 512, 1024, 2048):
    pairs = random_pairs(B)
    for name, function in small_tiles.items():
        step = lambda: torch.autograd.grad(function(*pairs), pairs)  # noqa: B023, E731
        milliseconds = 1000 * measure_seconds(step, repetitions=1)
        rows.append([name, B, milliseconds, measure_bytes(step) / 1e6])
costs = pd.DataFrame(rows, columns=["loss", "B", "ms", "MB"])
table = costs.pivot(index="B", columns="loss", values=["ms", "MB"])
print(table.round(1).to_string())
factors = table.iloc[-1] / table.iloc[-2]
print("\nfactor from 1,024 to 2,048:\n" + factors.unstack().round(2).to_string())
exercises.verify("the memory of the plain loss grows by 4", abs(factors["MB", "dense"] - 4) < 0.1)
others = factors["MB"][["tiled", "info_nce_loss"]]
exercises.verify("that of the others grows by about 2 at most", others.max() < 2.1)

# %%
panels, sizes = plt.subplots(1, 2, figsize=(9, 3.6))[1], table.index.to_numpy()
for panel, unit in zip(panels, ("ms", "MB"), strict=True):
    for name in small_tiles:
        panel.plot(sizes, table[unit, name], "o-", label=name)
    start = table[unit, "dense"].iloc[-1] / 40
    panel.plot(sizes, start * (sizes / 256) ** 2, label="growth like $B^2$", **figures.TRUTH)
    panel.plot(sizes, start * sizes / 256, "k:", label="growth like $B$")
    panel.set(xscale="log", yscale="log", xlabel="pairs in the batch, B", ylabel=f"{unit} a step")
    panel.set_xticks(sizes, sizes)
    panel.minorticks_off()
panels[1].legend(fontsize=9)
figures.show(
    "Figure 1. With tiles, memory grows at most like B. Time still grows like the square of B.",
    alt="Two panels with logarithmic axes against the batch, 256 to 2,048. Left, milliseconds: all losses "
    "rise about like the square of B. Right, megabytes: the dense loss rises like the square of B, the "
    "others at most like B.",
)

# %% [markdown]
# The measured factors of the time are not exactly 4. Fixed costs of a step make a factor smaller. Matrices
# that no longer fit into the caches make a factor larger. The memory of `info_nce_loss` grows by less than 2,
# because its tiles also have a fixed width. Only embeddings and their gradients grow.
#
# ## 3. What if the activations do not fit?
#
# **Question.** Tiles reduce the memory of the *loss*. But the encoders keep activations of each item, and their
# memory also grows with $B$. Accumulation (notebook 11) passes the batch in parts. Does it help here? No: a
# part of 32 pairs has 31 negatives for each query, so the mean of the losses of the parts is another loss.
#
# **Idea** (*gradient caching*, Gao et al. 2021). The loss depends on the weights $\theta$ only through the
# embeddings $z_i$. So the chain rule is a sum over items:
#
# $$\frac{\partial\, \text{loss}}{\partial \theta} = \sum_i \frac{\partial\, \text{loss}}{\partial z_i}\,
# \frac{\partial z_i}{\partial \theta}$$
#
# 1. Embed all items in chunks, *without* a graph. Only the embeddings remain.
# 2. Compute the loss of the whole batch, and its gradients $\partial\, \text{loss} / \partial z_i$. These are
#    kept: the cache.
# 3. Embed each chunk again, *with* a graph, and continue `backward` from the cached gradients.
#
# Only one chunk has activations at any time. The price is a second forward pass of the encoders.


# %%
def tower(channels):
    return nn.Sequential(
        nn.Conv2d(1, channels, 3, stride=2, padding=1),
        nn.ReLU(),
        nn.Conv2d(channels, channels, 3, stride=2, padding=1),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(49 * channels, 32),
    )


def cached_gradient(encoder_1, encoder_2, first, second, chunk):
    sides = ((encoder_1, first.split(chunk)), (encoder_2, second.split(chunk)))
    with torch.no_grad():  # step 1
        embeddings = [torch.cat([encoder(part) for part in parts]) for encoder, parts in sides]
    embeddings = [z.requires_grad_() for z in embeddings]
    dense_loss(*[F.normalize(z) for z in embeddings]).backward()  # step 2
    for (encoder, parts), z in zip(sides, embeddings, strict=True):
        for part, gradient in zip(parts, z.grad.split(chunk), strict=True):
            encoder(part).backward(gradient)  # step 3, adds to the gradients of the weights


# %% [markdown]
# Our pairs are the left and the right half of the same digit. We compare the gradients and the peak of the
# memory with a pass of the whole batch.

# %%
digits = datasets.load_digits("train")
some = digits.images[:: len(digits) // 500]  # 500 of all ten digits
pixels = encoders.ImageEncoder().prepare(some).to(DEVICE)
left = F.pad(pixels[..., :14], (0, 14))  # zeros in place of the other half
right = F.pad(pixels[..., 14:], (14, 0))
with encoders.seeded(0):
    towers = nn.ModuleList([tower(16), tower(16)]).to(DEVICE)


def whole_gradient():
    z = [F.normalize(towers[0](left)), F.normalize(towers[1](right))]
    return torch.autograd.grad(dense_loss(*z), towers.parameters())


def chunked_gradient():
    model = copy.deepcopy(towers)
    cached_gradient(*model, left, right, chunk=50)
    return [weight.grad for weight in model.parameters()]


whole, chunked = whole_gradient(), chunked_gradient()
error = max((a - b).abs().max() / a.abs().max() for a, b in zip(whole, chunked, strict=True))
peaks = [measure_bytes(action) / 1e6 for action in (whole_gradient, chunked_gradient)]
print(f"peak: whole {peaks[0]:.1f} MB, chunks {peaks[1]:.1f} MB; gradients differ by {error:.0e}")
exercises.verify("chunks have the same gradient", error < 1e-2)
exercises.verify("chunks need less memory", peaks[1] < 0.6 * peaks[0])

# %% [markdown]
# ### Exercise 2 · ★★ · 2 minutes · predict
#
# Chunks give the exact gradient under two conditions: an item has the same embedding in a chunk and in the
# whole batch, and the same embedding in steps 1 and 3. Which layers break this in the program above?
# (a) BatchNorm only. (b) Dropout only. (c) Both.

# %% tags=["exercise"]
my_prediction_2 = None  # "a", "b" or "c"

exercises.check("layers and chunks", my_prediction_2)


# %%
class Pair(nn.Module):
    def __init__(self, *extra):
        super().__init__()
        encoders_of = [nn.Sequential(encoder, *extra) for encoder in towers]
        self.towers = copy.deepcopy(nn.ModuleList(encoders_of))  # new weights for each run

    def forward(self, batch):
        return self.towers[0](batch[0]), self.towers[1](batch[1])


def weights_after_training(chunk, *extra):
    model, batches, loss = Pair(*extra), Batches((left, right), 250), ContrastiveLoss(learned=False)
    fit(model, loss, batches, steps=3, chunk=chunk, autocast=None)
    return torch.cat([weight.detach().flatten() for weight in model.towers.parameters()])


differences = []
for name, extra in (("without BatchNorm", []), ("with BatchNorm", [nn.BatchNorm1d(32)])):
    whole, chunked = [weights_after_training(chunk, *extra) for chunk in (None, 50)]
    differences.append((whole - chunked).abs().max().item())
    print(f"{name:<17}: weights with and without chunks differ by {differences[-1]:.0e} at most")
exercises.verify("chunks change a model with BatchNorm", 10 * differences[0] < differences[1])

# %% [markdown]
# `fit(chunk=50)` of the package uses gradient caching in each step. With chunks, BatchNorm takes the statistics
# of a chunk in place of those of the batch, so the model is another function. Dropout needs the *same* random
# mask in steps 1 and 3. The package sets the same seed before both passes, so the gradient is exact for these
# masks.
#
# ## 4. What does the size of the batch change?
#
# **Question.** We train the same encoders with batches of 32, 128 and 256 pairs, and the same number of epochs.
# Do models of small batches contain less information, or is only the InfoNCE value of a small batch lower?
#
# **Data.** Real digits, each with its caption. An image determines its caption, so the mutual information is
# $H(\text{caption})$, which we can count.
#
# **Formula.** In training, the $K$ candidates of a query are the batch, $K = B$. Let $c$ of the $K - 1$
# negatives have the same caption as the positive. Even an ideal critic cannot distinguish these $1 + c$
# candidates. At best, each of them gets the probability $1 / (1 + c)$. So the mean InfoNCE value is at most
#
# $$\ln K + \mathbb{E} \ln \frac{1}{1 + c} = \mathbb{E} \ln \frac{K}{1 + c} \le \ln K$$
#
# This is the *ceiling* of the batch. If the captions are drawn independently, the $c$ of a given caption has a
# binomial distribution, and the package computes the mean. After training, we evaluate each model in the same
# way: among all new pairs.

# %%
all_images, captions = datasets.load_digits("all").images, datasets.load_captions("all")
columns = zip((10, 3, 3, 3), captions.cells.T, strict=True)
# The digit and three properties with three values each: 19 columns of zeros and ones.
words = np.hstack([np.eye(count, dtype=np.float32)[cell] for count, cell in columns])
cut = len(words) * 4 // 5
training = {"image": all_images[:cut], "caption": words[:cut]}
new = {"image": all_images[cut:], "caption": words[cut:]}
counts = np.unique(captions.cells, axis=0, return_counts=True)[1]

# %%
rows = []
for K in (32, 128, 256):
    towers_of = {"image": encoders.ImageEncoder(width=8), "caption": encoders.TabularEncoder(19)}
    model = multimodal.MultimodalInfoMax(towers_of)
    history = model.fit(training, batch_size=K, epochs=4)
    scores = model.scores(model.project(new), "image", "caption")
    ceiling = bounds.class_paired_ceiling(K, counts / counts.sum())
    shown, of_new = history["image-caption"][-1], bounds.info_nce(scores).item()
    rows.append([K, history.steps, ceiling, shown, of_new])

# %%
names = ["K", "steps", "ceiling", "in training", "new pairs"]
by_size = pd.DataFrame(rows, columns=names).set_index("K")
print(by_size.round(2).to_string())
print(f"{len(scores):,} new pairs; H(caption) = {captions.entropy:.2f} nats")
ax = plt.subplots(figsize=(7, 3.8))[1]
ax.axhline(captions.entropy, label="truth: H(caption)", **figures.TRUTH)
ax.plot(by_size.index, by_size["ceiling"], "k:", label="ceiling of a batch of K")
ax.plot(by_size.index, by_size["in training"], "o-", label="InfoNCE value in training")
ax.plot(by_size.index, by_size["new pairs"], "s-", label="the same model, among all new pairs")
ax.set(xscale="log", xlabel="pairs in the batch, K", ylabel="nats", ylim=(2.8, 7))
ax.set_xticks(by_size.index, by_size.index)
ax.minorticks_off()
ax.legend(loc="upper left")
figures.show(
    "Figure 2. At K = 32 the value among all new pairs lies above the ceiling of the batch.",
    alt="Nats against the batch, 32, 128 and 256. The truth is a dashed line at the top. The ceiling rises "
    "with K, and the value in training stays below it. At 32 the value among new pairs is above it.",
)
assert (by_size["in training"] < by_size["ceiling"]).all()
exercises.verify("new pairs exceed it", by_size.loc[32, "new pairs"] > by_size.loc[32, "ceiling"])

# %% [markdown]
# In training, the mean value of batches of 32 cannot exceed their ceiling. Among all new pairs the *same* model
# has a value above this ceiling. So the ceiling depends on the number of candidates, and not on what the model
# has learned. The small batches took more steps in the same epochs. This is one seed and one learning rate, so
# the table does not show which size learns best. A large batch needs fewer steps for an epoch, has less noise
# in each step, and a higher ceiling.
#
# ## 5. Do two processes reach the gradient of one?
#
# **Question.** Each of two GPUs holds half of the batch, and has its own process. Each process needs the
# embeddings of the other one as negatives. Can both compute the gradient of one process with the whole batch?
#
# **Idea.** Each of $P$ processes embeds its $n$ pairs. A *gather* copies the embeddings of all pairs to every
# process. Process $r$ computes the loss $\ell_r$ of its own rows: its queries among all keys, and its keys
# among all queries. *DistributedDataParallel* (DDP, Li et al. 2020) takes the mean of the gradients. All
# processes have $n$ rows, so the loss of the whole batch is the mean of the $\ell_r$:
#
# $$\frac{1}{P} \sum_r \nabla \ell_r = \nabla\, \frac{1}{P} \sum_r \ell_r = \nabla\, \text{loss}$$
#
# This needs the *complete* gradient $\nabla \ell_r$, also through the keys of the other processes. But the
# usual gather, `torch.distributed.all_gather`, returns constants.

# %%
figures.diagram("large_batches")
figures.show(
    "Figure 3. The gather brings the keys of all pairs to each process; gradients must flow back through it.",
    alt="Two rows, one for each process: pairs lead to encoders, which give queries to an n by 2n matrix "
    "of scores and keys to a common gather. The gather leads to both matrices, and both lead to a "
    "box, mean of the two gradients.",
)

# %% [markdown]
# ### Exercise 3 · ★★★ · 4 minutes · derive
#
# A common repair: each process computes the loss of *all* rows. Its own rows carry a gradient, and the rows
# of the others are constants. Let $g_r$ be the gradient through the rows of process $r$. Order the lines, so
# that they derive what DDP returns. Begin with the gradient that we want.
#
# (a) process $r$ computes only $g_r$, because the other rows are constants
#
# (b) so DDP returns $\frac{1}{P} \nabla\, \text{loss}$, and not what we want
#
# (c) we want $\nabla\, \text{loss}$; by the chain rule, it is $\sum_r g_r$
#
# (d) DDP returns $\frac{1}{P} \sum_r g_r$

# %% tags=["exercise"]
my_order = None  # four letters, for example "abcd"

exercises.check("mean in place of sum", my_order)

# %% [markdown]
# We imitate two processes in one program, in `float64`. `detach()` makes a constant, as the usual gather does.

# %%
generator = torch.Generator().manual_seed(0)
inputs = torch.randn(2, 64, 16, generator=generator, dtype=torch.float64)
inputs[1] += inputs[0]
W = torch.randn(2, 16, 16, generator=generator, dtype=torch.float64).requires_grad_()


def one_way(queries, keys, r):
    own = torch.arange(32) + 32 * r
    return F.cross_entropy(queries[own] @ keys.T / 0.2, own)


def own_rows(q, k, r, keys_of=lambda values: values):
    return (one_way(q, keys_of(k), r) + one_way(k, keys_of(q), r)) / 2


def all_rows(q, k, r):
    mine = (torch.arange(64) // 32 == r)[:, None]
    q, k = torch.where(mine, q, q.detach()), torch.where(mine, k, k.detach())
    return (own_rows(q, k, 0) + own_rows(q, k, 1)) / 2


# %%
def mean_gradient(loss_of_process):
    q, k = F.normalize(inputs @ W, dim=-1)
    losses = [loss_of_process(q, k, r) for r in (0, 1)]
    return torch.autograd.grad((losses[0] + losses[1]) / 2, W)[0]


ways = {
    "with gradient": own_rows,
    "without, loss of all rows": all_rows,
    "without, loss of own rows": lambda q, k, r: own_rows(q, k, r, torch.Tensor.detach),
    "no gathering": lambda q, k, r: dense_loss(q.chunk(2)[r], k.chunk(2)[r], 0.2),
}
true = mean_gradient(lambda q, k, r: dense_loss(q, k, 0.2))  # the whole batch
imitated = pd.DataFrame(index=list(ways), columns=["encoder_ratio", "encoder_cosine"], dtype=float)
for name, function in ways.items():
    found = mean_gradient(function)
    cosine = F.cosine_similarity(found.ravel(), true.ravel(), dim=0).item()
    imitated.loc[name] = [(found.norm() / true.norm()).item(), cosine]
print(imitated.round(4).to_string())

# %% [markdown]
# `encoder_ratio` is the length of the gradient divided by the true length; `encoder_cosine` is the cosine
# between both. Now with two real processes: `compare_gathers` starts them on this machine, with the same
# numbers.

# %%
gathers = pd.DataFrame(compare_gathers(2)).set_index("gather")
shown = gathers[["encoder_error", "encoder_ratio", "encoder_cosine", "temperature_ratio"]]
print(shown.map("{:.4g}".format).to_string())
agreement = (gathers[imitated.columns] - imitated).abs().to_numpy().max()
exercises.verify("the imitation agrees with two processes", agreement < 1e-9)
exercises.verify(
    "with gradient, it is exact", gathers.loc["with gradient", "encoder_error"] < 1e-12
)
half = gathers.loc["without, loss of all rows"]
exercises.verify("the repair gives half of the gradient", abs(half["encoder_ratio"] - 0.5) < 1e-12)
exercises.verify(
    "but the complete one of the temperature", abs(half["temperature_ratio"] - 1) < 1e-12
)

# %% [markdown]
# In the second row, each process computes only the gradient through its own rows. The correct total is the
# *sum* over processes, but DDP averages. The temperature is not part of any row, so each process has its
# complete gradient. So no learning rate repairs both. Adam's steps hardly depend on a constant factor,
# so the mistake can stay hidden. Plain gradient descent and clipping do depend on it. In the last two rows of
# the table the direction is wrong, too.
#
# `fit` and `ContrastiveLoss` use `gather_rows`, whose backward pass adds the gradients from all processes. To
# use two GPUs, write `torchrun --nproc-per-node 2 program.py` in place of `python program.py`. (Not run here:
# our processes share a CPU.)
#
# ## 6. Does a run survive being killed?
#
# **Question.** A free GPU session may end at any time. Can the next session continue, and reach the *same*
# weights?
#
# **Idea.** Here a *checkpoint* is a file, and has nothing to do with section 2. It has to contain everything
# that the next step depends on: the weights, the state of the optimizer (Adam's averages), the schedule, and
# the state of the random numbers. We save after 20 of 40 steps, and forget one part at a time.


# %%
def start():
    with encoders.seeded(0):
        linear = nn.Linear(784, 10)
    optimizer = torch.optim.Adam(linear.parameters(), lr=1e-3)
    return {"weights": linear, "optimizer": optimizer, "random": torch.Generator().manual_seed(0)}


def take_steps(run, steps):
    for _ in range(steps):
        chosen = torch.randint(len(flat), (50,), generator=run["random"])
        run["optimizer"].zero_grad()
        F.cross_entropy(run["weights"](flat[chosen]), classes[chosen]).backward()
        run["optimizer"].step()


flat = torch.from_numpy(digits.images).flatten(1) / 255
classes = torch.from_numpy(digits.labels)
undisturbed, interrupted = start(), start()
take_steps(undisturbed, 40)
take_steps(interrupted, 20)

# %%
for forgotten in ("nothing", "optimizer", "random"):
    run = start()
    run["weights"].load_state_dict(interrupted["weights"].state_dict())
    if forgotten != "optimizer":
        run["optimizer"].load_state_dict(copy.deepcopy(interrupted["optimizer"].state_dict()))
    if forgotten != "random":
        run["random"].set_state(interrupted["random"].get_state())
    take_steps(run, 20)
    difference = (run["weights"].weight - undisturbed["weights"].weight).abs().max().item()
    print(f"forgotten: {forgotten:<9} largest difference of a weight {difference:.0e}")
    exercises.verify(
        "equal only if nothing is forgotten", (difference == 0) == (forgotten == "nothing")
    )

# %% [markdown]
# The file must be complete, or not exist. So the package writes it under another name, waits until it is on the
# disk, and renames it; a checksum inside shows damage. The test uses two runs of `python -m simmim_lite train`
# with the same seed. The first run ends normally. We kill the second run after its first checkpoint, with
# SIGKILL, to which a program cannot react (status -9). Then we give the same command again.

# %%
temporary = tempfile.TemporaryDirectory()
folder = Path(temporary.name)
quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
quiet["env"] = os.environ | {"OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
command = [sys.executable, "-m", "simmim_lite", "train", "multimodal", "--steps", "40"]
commands = {name: [*command, "--output", str(folder / name)] for name in ("calm", "killed")}
processes = {name: subprocess.Popen(commands[name], **quiet) for name in commands}
saved = []
while not saved and processes["killed"].poll() is None:  # until the first checkpoint
    time.sleep(0.05)
    saved = sorted((folder / "killed").glob("checkpoints/*.safetensors"))
processes["killed"].kill()
print(f"status of the killed run: {processes['killed'].wait()}")

# %%
files = {name: folder / name / "multimodal.safetensors" for name in commands}
assert processes["calm"].wait() == 0
print("the killed run has saved its final weights:", files["killed"].exists())
subprocess.run(commands["killed"], check=True, **quiet)  # the same command once more
calm, resumed = [load_file(file) for file in files.values()]
equal = [torch.equal(calm[name], resumed[name]) for name in calm]
print(f"{sum(values.numel() for values in calm.values()):,} numbers in {len(equal)} tensors")
exercises.verify("every bit is the same", calm.keys() == resumed.keys() and all(equal))

# %%
at = int(saved[0].stem.split("-")[1])
if importlib.util.find_spec("tensorboard"):  # comes with Colab, and with the extra "notebooks"
    reader = importlib.import_module("tensorboard.backend.event_processing.event_accumulator")
    log = reader.EventAccumulator(str(folder / "killed" / "curves")).Reload()
    curve = [(event.step, event.value) for event in log.Scalars("step/image-speech")]
    plt.figure(figsize=(7, 3))
    plt.plot(*zip(*curve, strict=True))
    plt.axhline(0, color="k", linestyle=":", label="chance level")
    plt.axvline(at, color="C1", label=f"killed after the checkpoint of step {at}")
    plt.gca().set(xlabel="step", ylabel="InfoNCE value, nats")
    plt.legend()
    figures.show(
        "Figure 4. The curve of the killed run has no jump at its checkpoint.",
        alt="InfoNCE value of images and speech against the steps 1 to 40. It rises with noise, also "
        "across a vertical line that marks the checkpoint after which the run was killed. A dotted line at "
        "0 is the chance level.",
    )

# %% [markdown]
# This holds on a CPU with the same number of threads. A GPU may add numbers in another order in each run,
# unless `torch.use_deterministic_algorithms(True)` forbids it. (Not measured here.)
#
# ## What the article gets wrong
#
# In one article, the size of the batch hides a mistake. Its generator returns 256 numbers for each item, and
# its loss compares them with images of shape $3 \times 256 \times 256$. At almost every batch size, PyTorch
# stops with an error. But *broadcasting* repeats an axis of length 1, or a missing axis, until the shapes fit.
# With a batch of 256, shape $(256, 256)$ fits to $(256, 3, 256, 256)$: the batch is taken for the rows of an
# image, and there is only a warning. We show the same with 8 in place of 256. The mean squared error over all
# $M$ numbers of the larger shape is $\frac{1}{M} \sum (\text{output} - \text{image})^2$, as `nn.MSELoss`
# computes it.

# %%
generator = torch.Generator().manual_seed(0)
outputs = torch.rand(8, 8, generator=generator)
pictures = torch.rand(8, 3, 8, 8, generator=generator)
with warnings.catch_warnings(action="ignore"):  # a warning is the only sign at a batch of 8
    try:
        F.mse_loss(outputs[:5], pictures[:5])
    except RuntimeError as error:
        print(f"batch of 5: {error}")
    mse = F.mse_loss(outputs, pictures)
    reordered = F.mse_loss(outputs, pictures.flip(0))
print(f"batch of 8: loss {mse:.4f}; with the images in another order {reordered:.4f}")
exercises.verify(
    "it is the mean over all numbers", (mse - ((outputs - pictures) ** 2).mean()).abs() < 1e-6
)
exercises.verify("the order of the images does not matter", (mse - reordered).abs() < 1e-6)

# %% [markdown]
# The loss does not depend on which image belongs to which output. So a generator cannot learn from it which
# image to make. One line prevents this: `assert outputs.shape == pictures.shape`.
#
# ## Recap
#
# - The plain contrastive loss needs four matrices of $B \times B$ (counted on a CPU). Tiles need memory that
#   grows with $B$, and are exact.
# - Gradient caching embeds in chunks, and has the gradient of the whole batch, except with BatchNorm.
# - The size of a batch limits the InfoNCE value of this batch, not the information in the embeddings.
# - A gather must keep the gradient. Otherwise DDP returns a gradient that is too small, or has a wrong
#   direction.
# - A killed run ends with the same bits, if its checkpoint has weights, optimizer, schedule and random state.

# %% [markdown]
# ## Exercises
#
# Each check says whether an answer is correct, and why not. `hint=1` as a last argument shows a hint. Solutions: [notebook](solutions/12_large_batches.ipynb), [in Colab](https://colab.research.google.com/github/simmim-lite/simmim-lite/blob/main/notebooks/solutions/12_large_batches.ipynb).
#
# ### Exercise 4 · ★★ · 3 minutes · find the bug
#
# This program should give the gradient of InfoNCE over 512 pairs. It runs, but its gradient is that of batches
# of
# 64. Which line is wrong?
#
# ```python
# 1  optimizer.zero_grad()
# 2  for part in torch.arange(512).split(64):
# 3      q, k = encode_images(images[part]), encode_speech(speech[part])
# 4      loss = info_nce_loss(q, k, 0.1)
# 5      (loss / 8).backward()
# 6  optimizer.step()
# ```

# %% tags=["exercise"]
my_wrong_line = None  # the number of the line as a string, for example "6"

exercises.check("accumulated negatives", my_wrong_line)

# %% [markdown]
# ### Exercise 5 · ★ · 2 minutes · choose
#
# You want a batch of 8,192 pairs. The embeddings have 128 components. At 512 pairs, your encoders fill the
# 16 GB of the GPU with activations. What do you need? (a) Tiles. (b) Gradient caching. (c) Both tiles and
# gradient caching, and the tiles save more than the caching.

# %% tags=["exercise"]
my_choice = None  # "a", "b" or "c"

exercises.check("what fills the memory", my_choice)

# %% [markdown]
# ### Exercise 6 · ★ · 2 minutes · function
#
# The largest $B$ for which several matrices of $B \times B$ `float32` numbers fit into a memory. Then call your
# function for four matrices and the 16 GB of a T4 (`16e9` bytes).


# %% tags=["exercise"]
def my_largest_batch(memory, matrices):
    """Return the largest whole B with 4 bytes x matrices x B^2 <= memory."""
    ...  # your code


exercises.check("largest batch", my_largest_batch)

# %% [markdown]
# ## What to try next
#
# - Repeat section 4 with the same number of *steps* for each size, and with three seeds.
# - Change the height of the tiles in `tiled_loss`, and plot time and memory.
# - Run `compare_gathers(4)`: the repair of exercise 3 gives a quarter of the gradient.
# - Kill a training run of your own program at a random moment, and compare the weights after it continued.
#
# ## References
#
# - van den Oord, A., Li, Y., & Vinyals, O. (2018). Representation learning with contrastive predictive coding. https://arxiv.org/abs/1807.03748
# - Radford, A., et al. (2021). Learning transferable visual models from natural language supervision. https://arxiv.org/abs/2103.00020
# - Milakov, M., & Gimelshein, N. (2018). Online normalizer calculation for softmax. https://arxiv.org/abs/1805.02867
# - Chen, T., Xu, B., Zhang, C., & Guestrin, C. (2016). Training deep nets with sublinear memory cost. https://arxiv.org/abs/1604.06174
# - Cheng, Z., et al. (2024). Breaking the memory barrier: near infinite batch size scaling for contrastive loss. https://arxiv.org/abs/2410.17243
# - Gao, L., Zhang, Y., Han, J., & Callan, J. (2021). Scaling deep contrastive learning batch size under memory limited setup. https://arxiv.org/abs/2101.06983
# - Li, S., et al. (2020). PyTorch distributed: experiences on accelerating data parallel training. https://arxiv.org/abs/2006.15704
#
# Previous: [11 · Training on a GPU](11_gpu_training.ipynb) · Next: [13 · Evaluation: numbers that a skeptic believes](13_evaluation.ipynb)
