# %% [markdown]
# # 08 · Simulated memory
#
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/simmim-lite/simmim-lite/blob/main/notebooks/08_simulated_memory.ipynb)
#
# *From a running sum to slots: how much a memory holds and by which rule it is written, how it is searched across modalities, what it should forget, and a check from outside that a forgotten item is gone.*
#
# **What you will learn**
#
# - how much a memory of **fixed size** holds, for three **rules of writing** and a **Hopfield network**;
# - what **slots** cost and buy, and why **attention** to them is a modern Hopfield network;
# - how an **item** with a value and a key in each modality connects images, speech, text and a sensor;
# - when attention is better or worse than a plain vote;
# - which items to **forget**, and how to verify that they are gone.
#
# **Prerequisites**: [06](06_multimodal_infomax.ipynb); matrix products and least squares, the softmax, means and variances of sums.
#
# **In the package**: `memory`.
#
# <!-- measured -->
# About 75 minutes to work through.
# Measured: 47 s on 2 CPU cores, no GPU, Python 3.11, torch 2.14 (generated)
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
import os
import tempfile
import time

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import torch
from scipy.special import erf
from scipy.stats import norm
from sklearn.metrics import roc_auc_score
from torch.nn.functional import normalize

from simmim_lite import datasets, exercises, figures, memory
from simmim_lite.encoders import AudioEncoder, ImageEncoder, TextEncoder, Tokenizer
from simmim_lite.memory import HopfieldMemory, OuterProductMemory, SimulatedMemory, SumMemory
from simmim_lite.multimodal import MultimodalInfoMax

figures.set_style()
FULL = os.environ.get("SIMMIM_FULL") == "1"  # MNIST and people's voices
STEPS = 3000 if FULL else 150  # training steps of the encoders
generator = torch.Generator().manual_seed(0)

# %% [markdown]
# ## 1. How much does a memory of fixed size hold?
#
# **Question.** A simple memory adds up all vectors: $m = \sum_i x_i$. What does the sum still contain about
# one $x_i$?
#
# **Idea.** The sum cannot return $x_i$, but the score $x \cdot m$ shows how *familiar* $x$ is. Let the $N$
# written vectors be random directions of length 1 in $d$ dimensions. A written vector scores 1 plus noise; a
# vector that was not written scores only noise. A matrix can also return what was stored: it writes *values*
# $v_i$ under *keys* $k_i$ of length 1, by Hebb's rule (Kohonen 1972):
#
# $$M = \sum_i v_i k_i^\top, \qquad M k_i = v_i + \sum_{j \ne i} v_j\, (k_j \cdot k_i)$$
#
# **Formula.** The inner product of two random directions has mean 0 and variance $1/d$. So the scores of a
# written and of another vector differ by 1 on average, with variance $(N - 1)/d + N/d$. For values of
# $\pm 1$, each entry of $M k_i$ has noise of variance $(N - 1)/d$. The noise is nearly Gaussian; $\Phi$ is
# the standard normal distribution function. The *AUROC* is the probability that a written vector scores
# higher than one that was not written:
#
# $$\text{AUROC} = \Phi\left(\sqrt{\frac{d}{2N - 1}}\right), \qquad P(\text{correct sign}) = \Phi\left(\sqrt{\frac{d}{N - 1}}\right)$$

# %%
d, d_v = 64, 100  # sizes of a key and of a value
sizes = np.array([8, 32, 128, 512, 2048, 8192])
fixed = []
for N in sizes:
    for _ in range(max(4, 1024 // N)):
        keys, others = normalize(torch.randn(2, N, d, generator=generator), dim=2)
        values = torch.randn(N, d_v, generator=generator).sign()
        total, matrix = keys.sum(dim=0), values.T @ keys
        familiarity = torch.cat([keys @ total, others @ total])
        auroc = roc_auc_score([1] * N + [0] * N, familiarity)
        fixed.append((N, auroc, ((matrix @ keys.T).sign() == values.T).double().mean().item()))
fixed = pd.DataFrame(fixed, columns=["N", "AUROC, sum", "signs, matrix"]).groupby("N").mean()
fixed["AUROC, formula"] = norm.cdf(np.sqrt(d / (2 * sizes - 1)))
fixed["signs, formula"] = norm.cdf(np.sqrt(d / (sizes - 1)))
assert np.allclose(fixed["AUROC, formula"], memory.familiarity_auroc(sizes, d))
print(fixed.sort_index(axis=1).round(3).T.to_string())

package = OuterProductMemory(d, d_v)
package.write(keys, values)
assert torch.allclose(package.matrix, matrix, atol=1e-3)
assert np.abs(fixed.to_numpy()[:, :2] - fixed.to_numpy()[:, 2:]).max() < 0.02

# %% [markdown]
# Formula and experiment agree. With 8 vectors, the AUROC is near 1; with 8,192, it is close to chance (0.5).
#
# ## 2. What is the limit: the size, or the rule of writing?
#
# **Question.** The matrix has $64 \times 100$ numbers. Can a better rule store more in them?
#
# **Idea.** The noise comes from keys that are not orthogonal. Hebb's rule ignores this; other rules do not.
# Let $A$ ($N \times d$) have the keys as rows, and $V$ ($N \times d_v$) the values.
#
# **The pseudo-inverse** (Kohonen and Ruohonen 1973) minimizes $\sum_i \lVert v_i - M k_i \rVert^2$ over all
# pairs at once:
#
# $$M = (A^{+} V)^\top$$
#
# Reading gives $M k_i = \sum_j h_{ij} v_j$ with $h = A A^{+}$. If $N > d$, the matrix $h$ is a projection on
# $d$ dimensions, so $h = h^\top = h^2$. Its trace is $d$, so the mean of $h_{ii}$ is $d/N$. The diagonal of
# $h = h^2$ gives $\sum_{j \ne i} h_{ij}^2 = h_{ii} - h_{ii}^2$. So the value has weight about $d/N$, and the
# noise has variance about $\frac{d}{N} (1 - \frac{d}{N})$:
#
# $$P(\text{correct sign}) = \Phi\left(\sqrt{\frac{d}{N - d}}\right) \quad \text{for } N > d$$
#
# **The delta rule** (Widrow and Hoff 1960) writes one pair at a time. It reads first, and writes only the
# error. This is a gradient step on $\frac{1}{2} \lVert v - M k \rVert^2$ with rate $\eta$:
#
# $$M \leftarrow M + \eta\, (v - M k)\, k^\top$$
#
# With $\eta = 1$ and $\lVert k \rVert = 1$, the new pair is stored exactly, at the cost of older ones. If
# $N \le d$, many passes over all pairs approach the pseudo-inverse. Linear attention writes such a matrix
# (*fast weights*) by Hebb's rule; Schlag et al. (2021) use the delta rule.


# %%
def hebb(keys, values):
    return values.T @ keys


def pseudo_inverse(keys, values):
    return (torch.linalg.pinv(keys) @ values).T


def delta_rule(keys, values, passes=1, rate=1.0):
    matrix = torch.zeros(values.shape[1], keys.shape[1])
    for _ in range(passes):
        for key, value in zip(keys, values, strict=True):
            matrix += rate * torch.outer(value - matrix @ key, key)
    return matrix


written = delta_rule(keys[:32], values[:32])
newest = written @ keys[31]
exercises.verify("the newest pair is exact", torch.allclose(newest, values[31], atol=1e-4))
repeated = delta_rule(keys[:32], values[:32], passes=100)
by_inverse = pseudo_inverse(keys[:32], values[:32])
gap = (repeated - by_inverse).abs().max()
exercises.verify("100 passes approach the pseudo-inverse", gap < 0.02)

# %% [markdown]
# ### Exercise 1 · ★ · 1 minute · predict
#
# You write $N = 60$ pairs into the matrix. With Hebb's rule, 85 % of the signs are correct. How many are
# correct with the pseudo-inverse? (a) 85 %. (b) About 92 %. (c) All.

# %% tags=["exercise"]
my_prediction_1 = None  # "a", "b" or "c"

exercises.check("sixty pairs", my_prediction_1)

# %%
numbers = np.array([8, 16, 32, 60, 128, 256, 512])
rules = {"Hebb": hebb, "pseudo-inverse": pseudo_inverse, "delta rule, one pass": delta_rule}
writing = []
for N in np.repeat(numbers, 3):
    new_keys = normalize(torch.randn(N, d, generator=generator), dim=1)
    new_values = torch.randn(N, d_v, generator=generator).sign()
    for name, rule in rules.items():
        correct = ((new_keys @ rule(new_keys, new_values).T).sign() == new_values).double()
        writing.append((N, name, correct.mean().item()))
        if rule is delta_rule:
            writing.append((N, "delta rule, newest 8", correct[-8:].mean().item()))
writing = pd.DataFrame(writing, columns=["N", "rule", "accuracy"])
accuracy = writing.groupby(["rule", "N"])["accuracy"].mean().unstack()
print(accuracy.round(3).to_string())
above = numbers[numbers > d]
least_squares = norm.cdf(np.sqrt(d / (above - d)))
assert (accuracy.loc["pseudo-inverse", :60] == 1).all()
assert np.abs(accuracy.loc["pseudo-inverse", above] - least_squares).max() < 0.01
assert accuracy.loc["delta rule, newest 8", 512] > 0.9 > accuracy.loc["Hebb", 512]

# %%
ax = figures.estimates(writing, x="N", y="accuracy", by="rule", truth=None, log=True)
ax.plot(numbers, memory.sign_accuracy(numbers, d), label="formulas", **figures.TRUTH)
ax.plot([d, *above], [1, *least_squares], **figures.TRUTH)
ax.axhline(0.5, color="0.5", linestyle=":")
ax.text(8, 0.51, "chance level")
ax.set(xlabel="pairs written, N (keys of d = 64 numbers)", ylabel="fraction of correct signs")
ax.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), frameon=False)
figures.show(
    "Figure 1. The rule of writing matters: the pseudo-inverse is exact up to N = d; the delta rule "
    "keeps the newest pairs.",
    alt="Fraction of correct signs against N from 8 to 512, for the same matrix. Hebb falls along "
    "its dashed formula: 0.93 at 32, 0.64 at 512. The pseudo-inverse stays at 1 up to 60, then "
    "falls along its dashed formula to 0.65. The delta rule in one pass falls to 0.56, but its "
    "newest 8 pairs stay above 0.9. Chance level 0.5 is dotted.",
)

# %% [markdown]
# Up to $N = d$, random keys are linearly independent, so a matrix can return all values exactly. The limit is
# Hebb's rule, not the size. For $N > d$, no matrix can. The bands show how much repetitions differ. For large
# $N$, one pass of the delta rule is worse than Hebb's rule on average, but it keeps the newest pairs.
#
# ## 3. What does repetition add?
#
# **Question.** In a *Hopfield network* (Hopfield 1982), each pattern $s_i$ of $\pm 1$ is its own key. The
# network repairs a damaged pattern by reading until nothing changes (here at most 20 times). How many
# patterns can it hold?
#
# **Formula.** Hebb's rule without the diagonal, and one reading:
#
# $$W = \frac{1}{d} \sum_i s_i s_i^\top, \quad W_{jj} = 0, \qquad s \leftarrow \text{sign}(W s)$$
#
# The *overlap* of $s$ and $s_i$ is $s \cdot s_i / d$. For $d \to \infty$ and the load $\alpha = N/d$, Amit,
# Gutfreund and Sompolinsky (1985) found that the overlap after repair is $\text{erf}(\gamma)$, where $\gamma$
# is the largest solution of
#
# $$\text{erf}(\gamma) = \gamma \left( \sqrt{2 \alpha} + \frac{2}{\sqrt{\pi}}\, e^{-\gamma^2} \right)$$
#
# Above $\alpha = 0.138$ the only solution is $\gamma = 0$: all patterns are lost at once. We flip 5 % of the
# signs, so the overlap starts at 0.9.

# %%
loads = (0.04, 0.08, 0.11, 0.138, 0.16, 0.2, 0.25, 0.3)
hopfield = []
for units in [128] * 8 + [512] * 3 + [1024]:
    for load in loads:
        patterns = torch.randn(round(load * units), units, generator=generator).sign()
        network = HopfieldMemory(units)
        network.write(patterns)
        flips = torch.rand(patterns.shape, generator=generator) < 0.05
        repaired = network.read(torch.where(flips, -patterns, patterns))
        hopfield.append((load, f"d = {units}", (repaired * patterns).mean().item()))
hopfield = pd.DataFrame(hopfield, columns=["load", "size", "overlap"])

by_hand = patterns.T @ patterns / units
by_hand.fill_diagonal_(0)
assert torch.allclose(network.weights, by_hand, atol=1e-5)
large = hopfield[hopfield["size"] == "d = 1024"].set_index("load")["overlap"]
exercises.verify("the large network repairs at load 0.11", large[0.11] > 0.98)
exercises.verify("at load 0.2 it makes patterns worse", large[0.2] < 0.7)

# %%
ax = figures.estimates(hopfield, x="load", y="overlap", by="size", truth=None)
alpha, gamma = np.linspace(0.001, 0.1379, 200), np.linspace(0.5, 6, 4000)
factor = np.sqrt(2 * alpha[:, None]) + 2 / np.sqrt(np.pi) * np.exp(-(gamma**2))
largest = [gamma[row].max() for row in erf(gamma) >= gamma * factor]
ax.plot(alpha, erf(largest), label="theory, d → ∞", **figures.TRUTH)
ax.axvline(0.138, color="0.5", linestyle=":")
ax.axhline(0.9, color="0.5", linestyle=":")
ax.text(0.142, 0.04, "0.138")
ax.text(0.302, 0.91, "before repair", ha="right")
ax.set(xlabel="load, patterns per unit N / d", ylabel="overlap after repair", ylim=(0, 1.05))
ax.legend(loc="lower left")
figures.show(
    "Figure 2. Below the load 0.138 a large network repairs patterns; above it, it damages them.",
    alt="Overlap after repair against the load from 0.04 to 0.3 for d = 128, 512 and 1024. All start "
    "near 1. The dashed theory stays above 0.96 and ends at 0.138. Beyond, all fall below the "
    "dotted line 0.9 of the damaged patterns, the largest network fastest, to about 0.4.",
)

# %% [markdown]
# The larger the network, the steeper the fall. So repetition repairs a damaged query, but only below a
# critical load.
#
# ## 4. What do slots cost, and what do they buy?
#
# **Question.** Now each pair has a slot of its own. A query $q$ reads the *best slot*, with the largest
# $k_i \cdot q$. How many pairs can we store?
#
# **Storage.** The matrix has $d\, d_v$ numbers, for any $N$. Slots need $N (d + d_v)$: keys *and* values. Up
# to $N = d\, d_v / (d + d_v) = 39$ pairs, slots need fewer numbers than the matrix; beyond, they need more.
#
# **Idea.** Nothing is overwritten. The only error is *confusion*: a noisy query may be nearer to another key.
# *Attention* reads all slots with weights $w_i$ (`weights` below):
#
# $$w_i = \frac{e^{\beta\, k_i \cdot q}}{\sum_j e^{\beta\, k_j \cdot q}}, \qquad \text{result} = \sum_i w_i v_i$$
#
# With $v_i = k_i$ this is one update of a *modern Hopfield network*, whose capacity grows exponentially with
# $d$ (Ramsauer et al. 2021). $\beta$ is the inverse temperature: if it is small, attention averages many
# slots; if it is large, it reads the best.
#
# **Formula.** Let $c$ be the cosine of the query and its own key, and $F$ the distribution function of the
# cosine $u$ of two random directions ($(1 + u)/2$ has a beta distribution). The best slot is correct if all
# $N - 1$ others have a smaller cosine. A query without noise has $c = 1$, and for each other slot
# $\mathbb{E}\, e^{\beta u} \approx e^{\beta^2 / 2d}$ for $\beta \ll d$. So
#
# $$P(\text{best slot correct}) = \mathbb{E}\, F(c)^{N - 1}, \qquad w_{\text{own}} \approx \frac{1}{1 + (N - 1)\, e^{\beta^2 / 2d - \beta}}$$
#
# On the left of Figure 3, each query is a key plus a noise vector that is about 1.5 times as long. On the
# right, the queries have no noise.

# %%
betas = (4, 8, 16)
slots = []
for N in sizes:
    for _ in range(max(2, 512 // N)):
        slot_keys = normalize(torch.randn(N, d, generator=generator), dim=1)
        own = torch.arange(min(N, 256))
        noisy = slot_keys[own] + 1.5 / d**0.5 * torch.randn(len(own), d, generator=generator)
        best = (noisy @ slot_keys.T).argmax(dim=1)
        slots.append((N, "best slot", (best == own).double().mean().item()))
        for beta in betas:
            weights = (beta * slot_keys[own] @ slot_keys.T).softmax(dim=1)
            slots.append((N, f"β = {beta}", weights[own, own].mean().item()))
slots = pd.DataFrame(slots, columns=["N", "read", "value"])

package = SimulatedMemory(d)
package.write({"key": slot_keys})
soft = package.read(slot_keys[own], "key", N, mode="attend", beta=beta)
assert (package.read(noisy, "key").ids[:, 0] == best).double().mean() > 0.99
assert torch.allclose(soft.weights, weights.gather(1, soft.ids), atol=1e-5)
assert d * d_v // (d + d_v) == 39

# %%
formulas = {f"β = {beta}": memory.attention_weight(sizes, d, beta) for beta in betas}
formulas["best slot"] = memory.slot_accuracy(sizes, d, 1.5)
_, (hard_axes, soft_axes) = plt.subplots(1, 2, figsize=(9, 3.4), sharey=True)
for ax, kind in ((hard_axes, "best slot"), (soft_axes, "β")):
    part = slots[slots["read"].str.startswith(kind)]
    figures.estimates(part, x="N", y="value", by="read", truth=None, log=True, ax=ax)
    for name in part["read"].unique():
        label = "formula" if name in ("best slot", "β = 16") else None
        ax.plot(sizes, formulas[name], label=label, **figures.TRUTH)
    ax.legend(loc="lower left", frameon=True)
hard_axes.set(xlabel="slots, N", ylabel="probability, or weight", title="P(best slot correct)")
soft_axes.set(xlabel="slots, N", title="weight of the own slot, no noise")
means = slots.groupby(["N", "read"])["value"].mean().unstack()
assert (means - pd.DataFrame(formulas, sizes)).abs().max(axis=None) < 0.03
figures.show(
    "Figure 3. Left: noisy queries find their slot. Right: a large β reads almost only the own slot.",
    alt="Left: probability that the best slot is correct, from 1.0 at 8 slots to 0.88 at 8,192, on the "
    "dashed formula. Right: weight of the own slot on dashed formulas: β = 16 stays above 0.99, "
    "β = 8 falls to 0.18, β = 4 falls from 0.87 to 0.01.",
)

# %% [markdown]
# ## 5. How does a spoken word find an image?
#
# **Question.** Pixels and sound cannot be compared. How can one find the other?
#
# **Idea.** An *item* binds modalities together. In each modality it has a *value* and a *semantic key*: the
# embedding of the value in a shared space, from encoders trained as in notebook 06. It can also have an
# *instance key*, here its pixels, which differs between items of the same class. A query searches the keys of
# its own modality, and the item contains the values of the others. Or the query searches the keys of another
# modality directly.

# %%
figures.diagram("memory_item")
figures.show(
    "Figure 4. A spoken six finds the image of the item by the key of its own modality. Or it finds "
    "the caption by the key of the caption.",
    alt="One item in four rows: image, speech, text, sensor. Each has a semantic key of 64 numbers "
    "and a value; image also has an instance key of 784 pixels. Through the item: an arrow from a "
    "spoken six to the key of speech, and a dashed one to the image. Directly: an arrow to the key "
    "of text, and a dashed one to the caption.",
)

# %% [markdown]
# **Supervision.** The loss uses no label, but image and recording are paired by class, and pairing within a
# class is supervision at the level of classes (notebook 06). Image and caption are paired by item, but the
# caption names the digit.

# %%
pairs, tests = (datasets.paired_digits(split=split) for split in ("train", "test"))
words = TextEncoder(Tokenizer.from_texts(pairs.data["text"]))
encoders = {"image": ImageEncoder(), "speech": AudioEncoder(), "text": words}
model = MultimodalInfoMax(encoders, dim=64)
model.fit(pairs.data, steps=STEPS, batch_size=128, progress=False)
z, asked = model.project(pairs.data), model.project(tests.data)

# %% [markdown]
# **A further modality.** A sensor joins, and the encoders stay as they are. The sensor is *simulated*: it
# computes three readings from the image, the thickness and slant of the strokes and the width of the digit.
# Its key is a linear map of these readings (and a constant), fitted by least squares to the embeddings of the
# images. We leave out one image in 20 for a comparison in section 8.

# %%
readings = [datasets.measure_strokes(sample.data["image"]) for sample in (pairs, tests)]
center, spread = readings[0].mean(axis=0), readings[0].std(axis=0)
columns = [np.column_stack([np.ones(len(r)), (r - center) / spread]) for r in readings]
sensor_map = np.linalg.lstsq(columns[0], normalize(z["image"], dim=1).numpy(), rcond=None)[0]
z["sensor"], asked["sensor"] = (torch.from_numpy(c @ sensor_map).float() for c in columns)
pixels = torch.from_numpy(pairs.data["image"]).flatten(1) / 255

store = SimulatedMemory(64)
try:
    store.read(asked["image"], "image")
except ValueError as error:
    print("before the first write:", error)
rows = np.flatnonzero(np.arange(len(pairs)) % 20 != 10)  # the item with id i holds pair rows[i]
contents = {"image": pairs.data["image"][rows], "sensor": readings[0][rows]}
contents["text"] = [pairs.data["text"][row] for row in rows]
contents["speech"] = pairs.indices["speech"][rows]  # the number of the recording, to save space
semantic = {modality: key[rows] for modality, key in z.items()}
ids = store.write(semantic, contents, instance={"image": pixels[rows]})
print(f"{len(store):,} items; keys: {', '.join(store.stats()['keys'])}")

# %%
retrieval = pd.DataFrame(index=datasets.MODALITIES, columns=datasets.MODALITIES, dtype=float)
for query in datasets.MODALITIES:
    for searched in datasets.MODALITIES:
        found = store.read(asked[query], searched).ids[:, 0]
        retrieval.loc[query, searched] = (pairs.labels[rows[found]] == tests.labels).mean()
print("accuracy of the digit, by query (rows) and searched keys; chance level 0.1")
print(retrieval.round(3).to_string())
assert retrieval.min(axis=None) > 0.9

spoken = slice(None, None, len(tests) // 11)
crossed = store.read(asked["speech"][spoken], "speech").values("image")
titles = [f"“{label}”" for label in tests.labels[spoken]]
figures.pictures(np.concatenate(crossed), titles, columns=len(titles))
figures.show(
    "Figure 5. Images that spoken digits (above each image) find through the item.",
    alt="A row of handwritten digits. Above each stands the digit that was spoken; nearly all agree.",
)

# %% [markdown]
# On the diagonal, the query searches its own modality. The item that it finds contains the other values, so a
# spoken digit finds an image as reliably as a recording. Off the diagonal, the query searches another
# modality. This works only if the embeddings of the two agree. Each reading of the sensor has three levels
# (thirds of the images of its digit). We compare them, too.

# %%
captions = [datasets.load_captions(split) for split in ("train", "test")]
stored_cells = captions[0].cells[pairs.indices["text"][rows]]  # digit and three levels
true_cells = captions[1].cells[tests.indices["text"]]
sensor = {}
for searched in ("sensor", "image", "text"):
    found = store.read(asked["sensor"], searched).ids[:, 0]
    sensor[f"sensor finds {searched} key"] = (stored_cells[found] == true_cells).mean(axis=0)
sensor["chance level"] = [1 / 10, 1 / 3, 1 / 3, 1 / 3]
sensor = pd.DataFrame(sensor, index=["digit", "thickness", "slant", "width"]).T
print(sensor.round(3).to_string())
assert sensor.iloc[0, 1:].min() > 0.6

sigma = 0.25
noisy_pixels = pixels[rows[::4]] + sigma * torch.randn(len(rows[::4]), 784, generator=generator)
noisy_key = model.project({"image": noisy_pixels.clamp(0, 1).reshape(-1, 1, 28, 28)})["image"]
same = {}
for by, question in (("semantic", noisy_key), ("instance", noisy_pixels)):
    same[by] = (store.read(question, "image", by=by).ids[:, 0] == ids[::4]).double().mean().item()
print("fraction of noisy copies that find their own item:", pd.Series(same).round(3).to_dict())
assert same["instance"] > 0.99 > 0.5 > same["semantic"]

# %% [markdown]
# The sensor carries much information about strokes and little about the digit. In the last line, noisy copies
# of stored images search for their own item. Semantic keys almost never find it; instance keys do.
#
# ## 6. The best slot, attention, or a plain vote?
#
# **Question.** Queries are test images with noise. Which is better, the best slot or an average of several?
#
# **Formula.** The 64 best slots vote for their digits $y_i$, with the weights $w_i$ of section 4 (here with
# sum 1 over these 64):
#
# $$p(y) = \sum_{i:\, y_i = y} w_i$$
#
# $\beta = 0$ is a plain vote, as in kNN: all have weight $1/64$. With $\beta = 4096$, the best slot has
# nearly all the weight.
#
# ### Exercise 2 · ★★ · 1 minute · predict
#
# The encoder never saw noise in training. At the largest noise, which $\beta$ gives the highest accuracy? (a)
# 4096, the best slot. (b) 16, attention. (c) 0, the plain vote.

# %% tags=["exercise"]
my_prediction_2 = None  # "a", "b" or "c"

exercises.check("noisy queries", my_prediction_2)

# %%
one_hot = torch.eye(10)[torch.from_numpy(pairs.labels[rows])]
clean = torch.from_numpy(tests.data["image"])[:, None] / 255
vote_betas, votes = (0, 4, 16, 64, 4096), []
for sigma in (0.0, 0.1, 0.2, 0.3):
    spoiled = (clean + sigma * torch.randn(clean.shape, generator=generator)).clamp(0, 1)
    damaged_key = model.project({"image": spoiled})["image"]
    for beta in vote_betas:
        voters = store.read(damaged_key, "image", 64, mode="attend", beta=beta)
        p = torch.einsum("mk,mkc->mc", voters.weights, one_hot[voters.ids])
        votes.append((sigma, f"β = {beta}", (p.argmax(dim=1).numpy() == tests.labels).mean()))
votes = pd.DataFrame(votes, columns=["noise", "weights", "accuracy"])
by_noise = votes.pivot(index="weights", columns="noise", values="accuracy")
by_noise = by_noise.loc[[f"β = {beta}" for beta in vote_betas]]
print("accuracy (chance level 0.1), by weights and noise")
print(by_noise.round(3).to_string())
sharp, equal_weights = by_noise.loc["β = 64", 0.0], by_noise.loc["β = 0", 0.0]
ranking = by_noise[0.3][["β = 0", "β = 16", "β = 4096"]]
if not FULL:  # with all of MNIST, both are within the noise
    exercises.verify("without noise, β = 64 beats the vote", sharp > equal_weights)
    exercises.verify("with noise 0.3, the plain vote is best", ranking.is_monotonic_decreasing)

# %%
votes["gain"] = votes["accuracy"] - votes["noise"].map(by_noise.loc["β = 0"])
attending = votes[votes["weights"] != "β = 0"]
ax = figures.estimates(attending, x="noise", y="gain", by="weights", truth=None)
ax.axhline(0, label="plain vote, β = 0", **figures.TRUTH)
ax.set(xlabel="standard deviation of the noise (full ink: 1)", ylabel="accuracy minus plain vote")
ax.legend(loc="lower left")
figures.show(
    "Figure 6. Large β wins without noise and loses with noise, against a plain vote of 64 slots.",
    alt="Accuracy minus that of a plain vote, dashed at 0, against noise from 0 to 0.3. All four "
    "curves begin slightly above 0 and fall below it with noise: β = 4096 to about -0.14, β = 64 to "
    "-0.12, β = 16 to -0.05, β = 4 to -0.02.",
)

# %% [markdown]
# So attention is not better than a plain vote in general. Even without noise, its gain is less than one image
# in a hundred. A likely reason: noise moves the embedding of the query, and then the order of the cosines is
# poor evidence. Choose $\beta$ and the number of voters on validation data.
#
# ## 7. What should a full memory forget?
#
# **Question.** All 100 slots are full. Which item should be dropped when a new one arrives?
#
# **Idea.** The digits arrive class after class, with 350 images of zero, 315 of one, down to 35 of nine. Four
# policies:
#
# | policy | drops | what it needs |
# |---|---|---|
# | oldest | the oldest item | the order |
# | least read | the item with the fewest reads | reads by queries |
# | plain reservoir | a random item | nothing |
# | balanced reservoir | a random item of the largest class | **the class labels** |
#
# **Formula.** A *reservoir* of size $R$ (Vitter 1985) keeps each of the $t$ items so far with the same
# probability $R / t$. One way: give each item a random number, and keep the items with the $R$ largest
# numbers. The balanced reservoir (Chrysakis and Moens 2020) is uniform only within a class. With the accuracy
# $a_y$ on digit $y$ and its $n_y$ images in the stream, we report
#
# $$\frac{1}{10} \sum_y a_y \ \text{(classes equal)}, \qquad \frac{\sum_y n_y a_y}{\sum_y n_y} \ \text{(classes as in stream)}$$

# %%
count = 350 - 35 * np.arange(10)
stream = np.concatenate([np.flatnonzero(pairs.labels == y)[: count[y]] for y in range(10)])
settings = {"oldest": ("oldest", False), "least read": ("least_read", False)}
settings |= {"plain reservoir": ("reservoir", False), "balanced reservoir": ("reservoir", True)}
policies = []
for name, (policy, has_classes) in settings.items():
    for seed in range(5):
        small = SimulatedMemory(64, capacity=100, policy=policy, seed=seed)
        for part in np.array_split(stream, 40):
            digit = pairs.labels[part]
            small.write({"image": z["image"][part]}, {"digit": digit}, groups=digit * has_classes)
            small.read(asked["image"][::10], "image")  # queries meanwhile, for "least read"
        answers = np.ravel(small.read(asked["image"], "image").values("digit"))
        by_class = [np.mean(answers[tests.labels == y] == y) for y in range(10)]
        kept = np.bincount(np.ravel(small.values(small.ids, "digit")), minlength=10)
        scores = np.mean(by_class), np.average(by_class, weights=count)
        policies.append((name, *scores, np.count_nonzero(kept), kept.min()))

# %%
titles = ["policy", "classes equal", "classes as in stream", "classes kept", "smallest class"]
policies = pd.DataFrame(policies, columns=titles).groupby("policy", sort=False).mean()
print("accuracy of the digit (chance level 0.1), and contents; means of 5 seeds")
print(policies.round(3).to_string())
equal, as_stream = policies["classes equal"], policies["classes as in stream"]
advantage = equal["balanced reservoir"] - equal["plain reservoir"]
exercises.verify("balance helps if all classes count equally", advantage > 0.02)
remaining = abs(as_stream["balanced reservoir"] - as_stream["plain reservoir"])
exercises.verify("on the classes as in the stream, both are about equal", remaining < 0.03)
assert equal["oldest"] < equal["least read"] < equal["plain reservoir"]

# %% [markdown]
# Dropping the oldest leaves only the last classes. Dropping the least read keeps the newest items, and the
# oldest, which had the most time to be read. The plain reservoir keeps all classes without labels. The
# balanced one is better if all classes count equally. But it uses labels, which the others do not get, and if
# classes count as in the stream, its advantage is gone.
#
# ## 8. Is a forgotten item really gone?
#
# **Question.** `forget(ids)` removes items. How can we verify this from outside?
#
# **Idea.** Three checks: the file of the memory; how often a search finds exactly the own key; and a
# *membership attack*: an attacker has the forgotten items and others that were never written, and tries to
# separate them by the score of the best slot. If nothing remains, the AUROC is about 0.5. For $n_1$ forgotten
# and $n_0$ other items with the same distribution of scores, its standard deviation is (Mann and Whitney
# 1947)
#
# $$\sqrt{\frac{n_1 + n_0 + 1}{12\, n_1\, n_0}}$$
#
# ### Exercise 3 · ★★ · 1 minute · predict
#
# You forget 200 items. About 360 items of each digit remain. Each item got one of 160 recordings of its
# digit, drawn at random. For how many of the forgotten items does the memory still contain exactly the same
# recording? (a) None. (b) About one in ten. (c) More than eight in ten.

# %% tags=["exercise"]
my_prediction_3 = None  # "a", "b" or "c"

exercises.check("forgotten recordings", my_prediction_3)

# %%
never = np.flatnonzero(np.arange(len(pairs)) % 20 == 10)  # not written in section 5
gone = np.flatnonzero(np.arange(len(pairs)) % 20 == 0)
gone_ids = ids[np.isin(rows, gone)]
searches = {f"{modality} key": (modality, "semantic", z[modality]) for modality in z}
searches["pixels of the image"] = ("image", "instance", pixels)


def audit():
    """Return, for each key, the attacker's AUROC and how often exactly the own key is found."""
    results = {}
    for name, (modality, by, query) in searches.items():
        best = [store.read(query[part], modality, by=by).scores[:, 0] for part in (gone, never)]
        member = [1] * len(gone) + [0] * len(never)
        exact = best[0] > (0.99999 if by == "semantic" else -1e-3)  # cosine 1, distance 0
        results[name] = roc_auc_score(member, torch.cat(best)), exact.double().mean().item()
    return pd.DataFrame(results, index=["AUROC", "own key found"]).T


def images_in_file():
    """Return how many of 20 forgotten images are in the file of the memory."""
    with tempfile.TemporaryDirectory() as folder:
        store.save(Path(folder) / "store")
        content = (Path(folder) / "store").read_bytes()
    return sum(pairs.data["image"][row].tobytes() in content for row in gone[:20])


# %%
before, in_file = audit(), [images_in_file()]
store.forget(gone_ids)
after = audit()
in_file.append(images_in_file())
print(pd.concat({"before": before, "after": after}, axis=1).round(3).to_string())
deviation = np.sqrt((len(gone) + len(never) + 1) / (12 * len(gone) * len(never)))
print(f"AUROC of chance: 0.5, standard deviation {deviation:.3f}")
print(f"of 20 forgotten images, in the file before: {in_file[0]}, after: {in_file[1]}")

at_chance = (after["AUROC"] - 0.5).abs().max() < 3 * deviation
exercises.verify("the attacker is at chance level with every key", at_chance)
exercises.verify("no own image key is found", after["own key found"][["image key"]].max() == 0)
assert before["AUROC"]["pixels of the image"] > 0.999
assert in_file == [20, 0]
exercises.verify("most recordings are still there", after["own key found"]["speech key"] > 0.8)
assert not np.isin(gone_ids, store.ids).any()

# %% [markdown]
# The items are gone: no search finds their images, and none of the 20 images is in the file. But `forget`
# removes items, not all copies of their content. Other items contain most of the recordings and all of the
# captions. To remove a recording, forget every item that contains it. The attack cannot see two more places:
# backups, and the encoder, which was trained on all these images.
#
# **What does a deletion change?** Without slot $j$, the other weights grow by the factor $1 / (1 - w_j)$. So
# the result $r = \sum_i w_i k_i$ of attention over all slots becomes
#
# $$r' = \frac{r - w_j k_j}{1 - w_j}, \qquad r' - r = \frac{w_j}{1 - w_j}\, (r - k_j)$$
#
# So the weight of a slot shows how much the result depends on it, and a deletion checks this.

# %%
query = asked["image"][:1]
attended = store.read(query, "image", len(store), mode="attend", beta=16.0)
top, w_top = attended.ids[0, :1], attended.weights[0, 0]
predicted = (attended.key - w_top * store.keys(top, "image")) / (1 - w_top)
store.forget(top)
changed = store.read(query, "image", None, mode="attend", beta=16.0).key
print(f"weight of the best slot: {w_top:.3f}")
change, difference = (changed - attended.key).norm(), (changed - predicted).norm()
print(f"change of the result: {change:.4f}")
print(f"difference from the prediction: {difference:.1e}")
assert difference < change / 10

# %% [markdown]
# ## What the article gets wrong
#
# The article's memory is one vector for each modality: `memory = memory + embedding`, a trainable parameter,
# read by `argmax` over the similarity with the query. As printed, it can be neither read nor written. The
# next cell tries three of its lines (in our words), and then the sum of section 1.

# %%
article = torch.nn.Module()
article.memory = torch.nn.Parameter(torch.randn(64, generator=generator))
batch = z["image"][:32]
attempts = {
    "read": lambda: torch.dot(batch, article.memory),
    "write": lambda: setattr(article, "memory", article.memory + batch.sum(dim=0)),
    "write in place": lambda: article.memory.add_(batch.sum(dim=0)),
}
for name, attempt in attempts.items():
    try:
        attempt()
    except (RuntimeError, TypeError) as error:
        print(f"{name}: {type(error).__name__}: {str(error).splitlines()[0]}")
sum_memory = SumMemory(64)
sum_memory.write(z["image"])
answers = sum_memory.read(asked["image"])
print(f"corrected: {len(answers)} queries, {len(answers.unique(dim=0))} answer")
cosine = torch.cosine_similarity(answers, z["image"].mean(dim=0)[None])
exercises.verify("the answer is the mean of all embeddings", cosine.min() > 0.9999)

# %% [markdown]
# With one vector, all queries get the same answer: `argmax` has only one row to choose.
#
# ## Appendix: Which similarity, and what does a query cost?
#
# **Question.** Inner product, cosine or distance? For vectors of length 1 the order is the same, because
# $\lVert q - k \rVert^2 = 2 - 2\, q \cdot k$. For others, the inner product prefers *long* keys. Below: raw
# pixels of real digits, and the digit of the best of 1,000 slots.

# %%
train, test = (datasets.load_digits(split, full=False) for split in ("train", "test"))
raw_keys = torch.from_numpy(train.images[::4]).flatten(1) / 255
raw_queries = torch.from_numpy(test.images).flatten(1) / 255
similarity = {
    "inner product": raw_queries @ raw_keys.T,
    "cosine": normalize(raw_queries, dim=1) @ normalize(raw_keys, dim=1).T,
    "distance": -torch.cdist(raw_queries, raw_keys),
}
winners = pd.DataFrame({name: s.argmax(dim=1).numpy() for name, s in similarity.items()})
agreement = winners.apply(lambda winner: (train.labels[::4][winner] == test.labels).mean())
print(pd.DataFrame({"accuracy": agreement, "slots that ever win": winners.nunique()}).to_string())
assert agreement["inner product"] < 0.7 < 0.8 < agreement["cosine"]

# %% [markdown]
# With the inner product, a few digits with much ink win most queries. The memory offers cosine and distance.
#
# **Does a memory save time?** Without it, we would embed all images again for each query. But if we only need
# the digit, a linear classifier on the embedding needs no memory at all. Times are medians, in CPU time of
# this process.


# %%
def milliseconds(call, repetitions):
    spent = []
    for _ in range(repetitions):
        start = time.process_time()
        call()
        spent.append(1000 * (time.process_time() - start))
    return np.median(spent)


def embed(images):
    return model.project({"image": images})["image"]


one = tests.data["image"][:1]
classifier = torch.randn(64, 10, generator=generator)  # any weights take the same time
costs = {
    "memory: embed the query, search": milliseconds(lambda: store.read(embed(one), "image"), 20),
    "no memory: embed all images": milliseconds(lambda: embed(pairs.data["image"]), 1),
    "digit only: classifier": milliseconds(lambda: embed(one) @ classifier, 20),
}
print(pd.Series(costs).round(2).to_string())
with_memory, without, _ = costs.values()
print(f"embedding all images takes {without / with_memory:.0f} times as long as the memory")

# %% [markdown]
# A memory saves time against embedding everything again. It does not save time against a classifier; it gives
# more than a class, and it can be changed without training.
#
# **Must every key be compared?** *Locality-sensitive hashing* uses $b$ random planes, which cut the space
# into cells. A query looks only into its own cell. A random plane separates two directions with angle
# $\theta$ with probability $\theta / \pi$. With $L$ independent sets of planes (tables), the probability of a
# common cell in at least one table is (Charikar 2002)
#
# $$1 - \left(1 - \left(1 - \theta/\pi\right)^b\right)^L$$
#
# The keys are patches of $8 \times 8$ pixels of real digits. *Recall@10* is the fraction of the 10 nearest
# keys that are found.

# %%
all_images = torch.from_numpy(datasets.load_digits("all", full=False).images) / 255
patches = all_images.unfold(1, 8, 1).unfold(2, 8, 1).reshape(-1, 64)
patches = normalize(patches[patches.std(dim=1) > 0.1], dim=1)
patches = patches[torch.randperm(len(patches), generator=generator)]
patch_keys, patch_queries = patches[:20_000], patches[-200:]
top_scores, nearest = (patch_queries @ patch_keys.T).topk(10)
same_side = 1 - top_scores.clamp(max=1).arccos() / np.pi  # 1 - θ/π

hashing = []
for b in (8, 12, 16):
    for L in (1, 4, 16):
        met = torch.zeros(len(patch_queries), len(patch_keys), dtype=torch.bool)
        for planes in torch.randn(L, 64, b, generator=generator):
            bits = 2 ** torch.arange(b)
            cell_q, cell_k = (
                ((x @ planes > 0) * bits).sum(dim=1) for x in (patch_queries, patch_keys)
            )
            met |= cell_q[:, None] == cell_k
        recall = met.gather(1, nearest).double().mean().item()
        formula = (1 - (1 - same_side**b) ** L).mean().item()
        hashing.append((b, L, met.double().mean().item(), recall, formula))

# %%
titles = ["planes", "tables", "fraction compared", "recall@10", "formula"]
hashing = pd.DataFrame(hashing, columns=titles)
print(hashing.round(3).to_string(index=False))
sixteen = hashing[hashing["tables"] == 16]
assert (sixteen["recall@10"] - sixteen["formula"]).abs().max() < 0.03

# %% [markdown]
# The formula is a mean over all draws of planes. The recall of one table scatters around it; with sixteen
# tables it hardly does. Libraries adapt the cells to the keys by clustering them (*inverted lists*), or link
# each key with its neighbors (*graphs*). With `pip install faiss-cpu`, the memory can use the library FAISS
# (Douze et al. 2024). Some patches are equal, so a found key counts if it is as near as the tenth nearest.

# %%
indexes = {"exact": memory.Exact()}
if importlib.util.find_spec("faiss"):
    indexes |= {f"FAISS {kind}": memory.Faiss(kind, smallest=1) for kind in ("ivf", "lsh")}
search = []
for N in (4_000, 16_000, 64_000, 256_000):
    tenth = (patch_queries @ patches[:N].T).topk(10).values[:, -1:]
    for name, index in indexes.items():
        quick = SimulatedMemory(64, backend=memory.Ram(index))
        quick.write({"patch": patches[:N]})
        quick.read(patch_queries, "patch", 10)  # builds the index
        start = time.process_time()
        best = torch.cat([quick.read(each[None], "patch", 10).scores for each in patch_queries])
        spent = 1000 * (time.process_time() - start) / len(patch_queries)
        search.append((N, name, spent, (best >= tenth - 1e-6).double().mean().item()))
search = pd.DataFrame(search, columns=["N", "index", "ms", "recall@10"])
print(search.pivot(index="index", columns="N").round(3).to_string())
assert (search[search["index"] == "exact"]["recall@10"] == 1).all()

# %%
exact = search[search["index"] == "exact"]
slope, constant = np.polyfit(exact["N"], exact["ms"], 1, w=1 / exact["ms"])
ax = figures.estimates(search, x="N", y="ms", by="index", truth=None, log=True)
ax.plot(exact["N"], constant + slope * exact["N"], label="constant + slope · N", **figures.TRUTH)
ticks = [0.25, 0.5, 1, 2, 4, 8]
ax.set(xlabel="keys, N", ylabel="CPU time of one query, ms", yscale="log")
ax.set(yticks=ticks, yticklabels=ticks)
ax.minorticks_off()
ax.legend()
figures.show(
    "Figure 7. Exact search takes about a constant time plus a part in proportion to N.",
    alt="Time of a query in milliseconds against N from 4,000 to 256,000, both axes logarithmic. Exact "
    "search is near a dashed line, a constant plus a slope times N. FAISS inverted lists and hashing "
    "rise much more slowly.",
)

# %% [markdown]
# Up to some ten thousand keys, exact search is fast enough, and its recall is always 1. So it is the default.
#
# ## Appendix: Does the memory survive a crash?
#
# **Question.** A process writes batches of 50 items, and we kill it (SIGKILL: it cannot tidy up). Which items
# are there afterwards?
#
# **Idea.** `save` writes a new file with a checksum, and then renames it. For a memory that writes all the
# time there is `SQLite`: each batch is one transaction, which is on the disk before its ids are returned.

# %%
crash_folder = tempfile.TemporaryDirectory()
path = Path(crash_folder.name) / "durable.db"
writer = """
import sys, torch
from simmim_lite.memory import SimulatedMemory, SQLite
memory = SimulatedMemory(64, backend=SQLite(sys.argv[1]))
while True:
    print(int(memory.write({"image": torch.randn(50, 64)})[-1]), flush=True)
"""
process = subprocess.Popen([sys.executable, "-c", writer, path], stdout=subprocess.PIPE, text=True)
acknowledged = [process.stdout.readline() for _ in range(20)]
process.kill()
acknowledged += process.communicate()[0].splitlines()

survivor = SimulatedMemory(64, backend=memory.SQLite(path))
assert process.returncode != 0
exercises.verify("the last acknowledged item is there", int(acknowledged[-1]) in survivor)
exercises.verify("no batch is there in part", len(survivor) % 50 == 0)
survivor.close()

# %% [markdown]
# A database can keep deleted items in two more places: in free parts of its file, and in its *write-ahead
# log* (a second file, which ends in `-wal`). `SQLite` overwrites forgotten items with zeros, and `forget`
# then empties the log. If another process reads during all of this time, the log stays as it is until the
# database is closed. Old bytes can still remain in backups and on the disk itself.
#
# ## Appendix: Is this like a brain?
#
# The articles call it a simulated memory. Some things correspond, as models. An old theory says that the
# hippocampus stores an *index*: a sparse code that binds what the cortex holds in several senses (Teyler and
# DiScenna 1986). Our item is similar. Marr (1971) proposed that recurrent connections complete a pattern from
# a part of it; Hopfield's network is the best-known model of this. McClelland, McNaughton and O'Reilly (1995)
# argue that a fast memory of episodes and a slow learner of regularities need each other, because a network
# that learns new things quickly overwrites the old. Our slots and our encoder have these two roles.
#
# Other things differ. Slots are exact copies; people reconstruct a memory, and recall changes it. Slots do
# not consolidate or generalize; in this notebook, the encoder generalizes. People do not compare a query with
# all memories one by one. None of these theories is settled, and a program that works is no evidence about a
# brain.

# %% [markdown]
# ## Recap
#
# - By Hebb's rule, a matrix holds few pairs; by the pseudo-inverse, up to $d$; by the delta rule, the newest.
# - A Hopfield network repairs patterns up to a load of about 0.138.
# - Slots need $N (d + d_v)$ numbers. Confusion is their only error. Attention over slots is a modern Hopfield
#   network.
# - An item connects modalities. Pairing by class is supervision. A sensor joined by a linear map.
# - Without noise, large $\beta$ was best; with noise, a plain vote was best.
# - A balanced reservoir needs class labels. A plain one needs nothing.
# - `forget` removed items from searches and the file, but not the copies of their recordings in other items.

# %% [markdown]
# ## Exercises
#
# Each check says whether an answer is correct, and why not. `hint=1` as a last argument shows a hint. Solutions: [notebook](solutions/08_simulated_memory.ipynb), [in Colab](https://colab.research.google.com/github/simmim-lite/simmim-lite/blob/main/notebooks/solutions/08_simulated_memory.ipynb).
#
# ### Exercise 4 · ★★ · 2 minutes · choose
#
# You must remove pair $j$ from a matrix. You subtract $v_j k_j^\top$. Is the result, for all keys, the matrix
# without this pair? Yes, if the matrix was written (a) by Hebb's rule, (b) by the pseudo-inverse, (c) by the
# delta rule.

# %% tags=["exercise"]
my_choice = None  # "a", "b" or "c"

exercises.check("removable pair", my_choice)

# %% [markdown]
# ### Exercise 5 · ★★ · 4 minutes · function
#
# Write attention over slots (section 4) for one query, in NumPy. $\beta\, k_i \cdot q$ may be 2000, and
# $e^{2000}$ overflows.


# %% tags=["exercise"]
def my_soft_read(keys, values, query, beta):
    """Return the weighted mean (d_v,) of values (N, d_v), for keys (N, d) and a query (d,)."""
    ...  # your code


exercises.check("soft read", my_soft_read)

# %% [markdown]
# ### Exercise 6 · ★★ · 2 minutes · find the bug
#
# This code should be a plain reservoir: after the loop, each item of the stream is kept with the same
# probability. But it keeps mostly late items. Which line is wrong?
#
# ```python
# 1  kept = []
# 2  for t, item in enumerate(stream, start=1):
# 3      if len(kept) < capacity:
# 4          kept.append(item)
# 5      elif generator.random() < capacity / len(kept):
# 6          kept[generator.integers(capacity)] = item
# ```

# %% tags=["exercise"]
my_wrong_line = None  # the number of the line as a string, for example "2"

exercises.check("reservoir", my_wrong_line)

# %% [markdown]
# ### Exercise 7 · ★★★ · 4 minutes · derive
#
# Attention should give at least the weight $w$ to the own slot of a query without noise. Start from the
# formula for $w_{\text{own}}$ in section 4, and derive the largest real number $N$ for which this holds. How
# does it grow with $d$ if $\beta = d / 2$?


# %% tags=["exercise"]
def my_largest_memory(w, d, beta):
    """Return the largest N (a real number) with weight at least w, 0 < w < 1."""
    ...  # your code


exercises.check("largest memory", my_largest_memory)

# %% [markdown]
# ## What to try next
#
# - Repeat section 6 with 16 and with 256 voters, and choose $\beta$ on other images than the test images.
# - Write the pairs of section 2 with the delta rule and $\eta = 0.5$. What happens to old and to new pairs?
# - In section 8, forget every item that contains the recordings of the forgotten items, and repeat the audit.
# - Make a memory with `encoder=model`, write with `encoder=model`, train one more step, and try to read.

# %% [markdown]
# ## References
#
# - Amit, D. J., Gutfreund, H., & Sompolinsky, H. (1985). Storing infinite numbers of patterns in a spin-glass model of neural networks. https://doi.org/10.1103/PhysRevLett.55.1530
# - Charikar, M. (2002). Similarity estimation techniques from rounding algorithms. https://doi.org/10.1145/509907.509965
# - Chrysakis, A., & Moens, M.-F. (2020). Online continual learning from imbalanced data. https://proceedings.mlr.press/v119/chrysakis20a.html
# - Douze, M., et al. (2024). The Faiss library. https://arxiv.org/abs/2401.08281
# - Hopfield, J. J. (1982). Neural networks and physical systems with emergent collective computational abilities. https://doi.org/10.1073/pnas.79.8.2554
# - Kohonen, T. (1972). Correlation matrix memories. https://doi.org/10.1109/TC.1972.5008975
# - Kohonen, T., & Ruohonen, M. (1973). Representation of associated data by matrix operators. *IEEE Transactions on Computers*, C-22, 701-702.
# - Mann, H. B., & Whitney, D. R. (1947). On a test of whether one of two random variables is stochastically larger than the other. https://doi.org/10.1214/aoms/1177730491
# - Marr, D. (1971). Simple memory: a theory for archicortex. https://doi.org/10.1098/rstb.1971.0078
# - McClelland, J. L., McNaughton, B. L., & O'Reilly, R. C. (1995). Why there are complementary learning systems in the hippocampus and neocortex. https://doi.org/10.1037/0033-295X.102.3.419
# - Ramsauer, H., et al. (2021). Hopfield networks is all you need. https://arxiv.org/abs/2008.02217
# - Schlag, I., Irie, K., & Schmidhuber, J. (2021). Linear transformers are secretly fast weight programmers. https://arxiv.org/abs/2102.11174
# - Teyler, T. J., & DiScenna, P. (1986). The hippocampal memory indexing theory. https://doi.org/10.1037/0735-7044.100.2.147
# - Vitter, J. S. (1985). Random sampling with a reservoir. https://doi.org/10.1145/3147.3165
# - Widrow, B., & Hoff, M. E. (1960). Adaptive switching circuits. https://apps.dtic.mil/sti/citations/AD0241531
#
# Previous: [07 · Manifold information maximization](07_manifold_infomax.ipynb) · Next: [09 · Generative models](09_generative_models.ipynb)
