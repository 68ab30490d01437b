# %% [markdown]
# # 06 · Multimodal information maximization
#
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/simmim-lite/simmim-lite/blob/main/notebooks/06_multimodal_infomax.ipynb)
#
# *Encoders of images and recordings that maximize a lower bound on a mutual information with a known true value: the training loop in the open, what the embeddings contain, controls, and a third modality that only a fusion can connect.*
#
# **What you will learn**
#
# - what image and recording have **in common**, and what **kind of supervision** a pairing is;
# - **symmetric InfoNCE** with its temperature, projection heads and ceiling;
# - the **training loop**: initialize, extract, fuse, bound, step;
# - to evaluate embeddings by **retrieval and probes**, with chance, baselines and **controls**;
# - how **fusion** finds information that no two modalities have;
# - why the loss **minus ln I** lowers the *bound*, and why nothing follows about $I$.
#
# **Prerequisites**: notebooks [03](03_variational_bounds.ipynb), [04](04_encoders.ipynb); gradient descent and a training loop in PyTorch.
#
# **In the package**: `multimodal`.
#
# <!-- measured -->
# About 75 minutes to work through.
# Measured: 132 s on 2 CPU cores, no GPU, Python 3.11, torch 2.14 (generated)
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

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F
from sklearn.cross_decomposition import CCA
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE
from torch import nn

from simmim_lite import bounds, datasets, entropy, evaluation, exercises, figures, multimodal
from simmim_lite.encoders import AudioEncoder, ImageEncoder, TabularEncoder, TextEncoder, Tokenizer
from simmim_lite.fusion import FUSIONS
from simmim_lite.multimodal import InformationObjective, MultimodalInfoMax, Pairing
from simmim_lite.training import Batches, load_trained

figures.set_style()
FULL = os.environ.get("SIMMIM_FULL") == "1"  # all of MNIST, and recordings of people
FAST = False  # True: load stored weights; the long trainings stop after one step
EPOCHS = 5 if FULL else 18
K, SEED = 128, 0  # pairs in a batch; seed of weights and batches

# %% [markdown]
# ## 1. What do an image and a recording have in common?
#
# **Question.** An image of a seven and a voice that says "seven" belong together. How many nats of
# information do they have in common?
#
# **Idea.** We make the pairs ourselves, so we can count. An image $X$ is drawn uniformly. Then a recording
# $R$ is drawn uniformly among those of the same digit $Y$, independently of everything else. This is a
# *positive* pair. An image and an independently drawn recording are a *negative* pair. The pairs are
# *simulated*: image and recording come from different people, and only the digit connects them.
#
# **Formula.** $I(X; R) = H(Y)$. The proof needs that the digit is a function of the image, and of the
# recording. This holds in our data, because every item has exactly one label.
#
# 1. Given $Y$, image and recording are independent. By the data processing inequality,
#    $I(X; R) \le I(X; Y)$.
# 2. The recording determines the digit, $Y = \text{digit}(R)$. By the same inequality,
#    $I(X; R) \ge I(X; \text{digit}(R)) = I(X; Y)$.
# 3. The image determines the digit, so $H(Y \mid X) = 0$ and $I(X; Y) = H(Y) - H(Y \mid X) = H(Y)$.
#
# **Check.** `Pairing` draws such pairs. We write down the joint table of all test images and all test
# recordings, and compute
#
# $$I(X; R) = \sum_{x, r} p(x, r) \ln \frac{p(x, r)}{p(x)\, p(r)}$$

# %%
digits = {split: datasets.load_digits(split) for split in ("train", "test")}
speech = {split: datasets.load_speech(split) for split in ("train", "test")}
image_encoder = ImageEncoder(turn=10, seed=SEED)
speech_encoder = AudioEncoder(width=48, hidden=32, seed=SEED)
labels, pairs = {}, {}
for split in ("train", "test"):
    images = image_encoder.prepare(digits[split].images)
    recordings = speech_encoder.prepare(speech[split].waveforms)  # log-mel spectrograms
    labels[split] = {"image": digits[split].labels, "speech": speech[split].labels}
    pairs[split] = Pairing({"image": images, "speech": recordings}, labels[split])
    print(f"{split}: {len(images)} images, {len(recordings)} recordings")

population = pairs["test"].population("image", "speech")
TRUTH = entropy.mutual_information(population.joint)
print(f"{population.joint.size:,} pairs: {TRUTH:.6f} nats; ln 10 = {np.log(10):.6f}")
assert abs(TRUTH - entropy.sample_entropy(labels["test"]["image"])) < 1e-9  # H(Y)

# %% [markdown]
# **What kind of supervision is this?** People had to know the digit of every item to make the pairs. The loss
# will see pairs only, but "no label in the loss" is not "no labels".
#
# | kind | people provide | the loss uses | example |
# |---|---|---|---|
# | supervised | a class for each item | classes | the classifier of notebook 04 |
# | pairs by class | a class for each item | pairs | this notebook |
# | pairs by item | items that occur together | pairs | an image and its caption (CLIP; first appendix) |
# | self-supervised | nothing | two augmentations of one item | SimCLR |
#
# So *pairing within a class is supervision at the level of classes*.
#
# ## 2. What do we maximize?
#
# **Question.** In so many dimensions we cannot count, and we have no model of the distribution. What can we
# maximize in place of $I(X; R)$?
#
# **Idea.** A lower bound. Two encoders turn $K$ pairs into vectors, and a matrix of scores says how well each image
# and each recording fit together.

# %%
figures.diagram("infomax")
figures.show(
    "Figure 1. Both encoders meet only in the matrix of scores; its diagonal holds the positive pairs.",
    alt="Diagram. K images go through an image encoder (K x 128) and a projection head (K x 64). K "
    "recordings go through a speech encoder and a head of their own. Both lead to a K x K matrix of "
    "scores, cosine divided by the temperature tau, and this to the symmetric InfoNCE value.",
)

# %% [markdown]
# **Formula.** The *projection head* is a matrix $W$ that maps the encoder's output $h$ to $z = W h$. The score of
# image $i$ and recording $j$ is a cosine, divided by the *temperature* $\tau$. Symmetric InfoNCE is the mean of
# InfoNCE (van den Oord et al. 2018) in both directions, as in CLIP (Radford et al. 2021):
#
# $$f_{ij} = \frac{\cos(z_i, z'_j)}{\tau}$$
#
# $$\hat I_K = \ln K + \frac{1}{2K} \sum_i \left( \ln \frac{e^{f_{ii}}}{\sum_j e^{f_{ij}}} + \ln \frac{e^{f_{ii}}}{\sum_j e^{f_{ji}}} \right)$$
#
# Each direction is a lower bound in expectation (notebook 03), and so is their mean:
# $\mathbb{E}\, \hat I_K \le I(X; R)$. A single batch can lie above.
#
# **Projection head.** In SimCLR (Chen et al. 2020), the vector $h$ *before* the head was better for later tasks than
# $z$. The authors suspect that the loss removes from $z$ what does not help to find the positive. CLIP uses a linear
# head, and so do we. Section 6 compares $h$ and $z$.
#
# **Temperature.** Cosines lie between -1 and 1. If all positives had 1 and all negatives -1, then
#
# $$\hat I_K = \ln K - \ln\left(1 + (K - 1)\, e^{-2 / \tau}\right)$$
#
# No batch can exceed this. A small $\tau$ lifts the limit, and gives the negatives with the highest scores most of
# the gradient. CLIP learns $\ln \tau$ with the weights, starting at $\tau = 0.07$.


# %%
def symmetric_info_nce(scores):
    diagonal = torch.arange(len(scores))  # row i has its positive in column i
    rows, columns = F.cross_entropy(scores, diagonal), F.cross_entropy(scores.T, diagonal)
    return np.log(len(scores)) - (rows + columns) / 2


a, b = torch.randn(2, 64, 8, generator=torch.Generator().manual_seed(0))
a, b = F.normalize(a, dim=1), F.normalize(a + b, dim=1)
by_hand = symmetric_info_nce(a @ b.T / 0.07).item()
package = InformationObjective([("a", "b")], temperature=0.07)({"a": a, "b": b})["a-b"].item()
print(f"64 pairs of vectors: by hand {by_hand:.5f}, package {package:.5f} nats")
assert abs(by_hand - package) < 1e-5

for temperature in (1, 0.07):
    limit = np.log(K) - np.log(1 + (K - 1) * np.exp(-2 / temperature))
    print(f"temperature {temperature}: at most {limit:.2f} nats with K = {K}")

# %% [markdown]
# ### Exercise 1 · ★ · 1 minute · predict
#
# A *perfect* critic sees batches of $K = 128$ of our pairs, for which $I = \ln 10 = 2.30$ nats. On average its
# InfoNCE value is (a) $\ln 128 = 4.85$, (b) exactly 2.30, (c) a little below 2.30.

# %% tags=["exercise"]
my_prediction_1 = None  # "a", "b" or "c"

exercises.check("ceiling of a batch", my_prediction_1)

# %% [markdown]
# **How high can the value get?** In a batch of 128, about 12.7 negatives have the digit of the positive. No critic
# can distinguish them from the positive. With $n$ such negatives, a perfect critic is left with $n + 1$ equal
# candidates:
#
# $$\mathbb{E}\, \hat I_K \le \mathbb{E} \ln \frac{K}{1 + n}, \qquad n \sim \mathrm{Binomial}\left(K - 1, \frac{1}{10}\right)$$
#
# This *ceiling* rises to $\ln 10$ with $K$. **Check** without the formula: the ideal critic has score 0 for the same
# digit and -60 otherwise. `exact_bound` sums its expected InfoNCE over all pairs of the population.

# %%
frequencies = np.bincount(labels["test"]["image"]) / len(digits["test"])
for candidates in (4, 16, 64, K, 1024):
    print(f"K = {candidates}: {bounds.class_paired_ceiling(candidates, frequencies):.4f} nats")

CEILING = bounds.class_paired_ceiling(K, frequencies)
ideal = torch.where(torch.tensor(population.joint > 0), 0.0, -60.0)
exact = bounds.exact_bound(ideal, population.joint, K=K)
print(f"the ideal critic on all pairs, K = {K}: {exact:.4f} nats")
assert abs(exact - CEILING) < 1e-6

# %% [markdown]
# ## 3. How does the training loop work?
#
# **Question.** How do the weights climb the bound?
#
# **Idea.** *Gradient descent* on the loss $L = -\hat I_K$ moves every weight $w$ against the gradient, with the
# *learning rate* $\eta$: $w \leftarrow w - \eta\, \nabla_w L$. (The last appendix takes one such step by hand.)
#
# In every epoch each image meets a newly drawn recording of its digit. Both are *augmented* (notebook 04): images are
# shifted, recordings are stretched and partly blanked.


# %%
def small_encoders(seed):
    return {
        "image": ImageEncoder(width=8, seed=seed),
        "speech": AudioEncoder(width=32, hidden=32, seed=seed),
    }


def draw(rows, generator):
    """Rows of the training images -> a batch of augmented positive pairs."""
    chosen = pairs["train"].indices(rows, generator)
    images = pairs["train"].items["image"][chosen["image"]]
    recordings = pairs["train"].items["speech"][chosen["speech"]]
    images = image_part.augment(images, generator)
    return {"image": images, "speech": speech_part.augment(recordings, generator)}


image_part, speech_part = small_encoders(SEED).values()
batches = Batches(np.arange(len(pairs["train"])), K, seed=SEED, transform=draw)

# %% [markdown]
# The loop *initializes* the weights once. Then, for every batch, it *extracts* vectors, *fuses* them, computes the
# *bound*, and takes a *step*. Two modalities need no fusion, so here *fuse* is only the projection into one space. Section 9
# has a real fusion. Adam (Kingma & Ba 2015) is gradient descent that adapts the step size of every weight.

# %%
torch.manual_seed(SEED)  # initialize
image_head, speech_head = nn.Linear(128, 64, bias=False), nn.Linear(128, 64, bias=False)
log_temperature = nn.Parameter(torch.tensor(0.07).log())
parts = nn.ModuleList([image_part, speech_part, image_head, speech_head])
optimizer = torch.optim.Adam([*parts.parameters(), log_temperature], lr=4e-3)

nats_by_hand = []
for number in range(10):
    batch = batches[number]
    h_image, h_speech = image_part(batch["image"]), speech_part(batch["speech"])  # extract
    z_image = F.normalize(image_head(h_image), dim=1)  # fuse: into one space
    z_speech = F.normalize(speech_head(h_speech), dim=1)
    nats = symmetric_info_nce(z_image @ z_speech.T / log_temperature.exp())  # bound
    optimizer.zero_grad()  # step
    (-nats).backward()
    optimizer.step()
    nats_by_hand.append(nats.item())

# %% [markdown]
# **Check.** `MultimodalInfoMax` holds the same parts, and its `fit` is the same loop. The same seed must give the same
# values and weights, up to rounding.

# %%
same_model = MultimodalInfoMax(small_encoders(SEED), temperature=0.07, seed=SEED)
plain = {"schedule": "constant", "warmup": 0, "weight_decay": 0.0, "learning_rate": 4e-3}
same_history = same_model.fit(
    pairs["train"], steps=10, batch_size=K, seed=SEED, progress=False, **plain
)
nats_of_package = same_history["image-speech"][0]
print(f"mean of 10 steps: by hand {np.mean(nats_by_hand):.4f}, package {nats_of_package:.4f} nats")
assert abs(np.mean(nats_by_hand) - nats_of_package) < 1e-3
assert torch.allclose(image_head.weight, same_model.projections["image"].weight, atol=1e-3)

# %% [markdown]
# ## 4. How high does the bound climb?
#
# **Question.** Do the encoders find out from each other that there are ten digits?
#
# **Idea.** Now we train larger encoders for 18 epochs. `BlindPairing` gives the loop only items and positives. It
# raises an error when anything asks for the classes. We start at $\tau = 1$. With a small temperature at the start,
# the loss is already low when positives are slightly closer than negatives. Then images and recordings can stay in
# different regions (the *modality gap*, Liang et al. 2022; second appendix).
#
# **Formula.** $\mathbb{E}_{+}$ is the mean over positive pairs. With infinitely many candidates, InfoNCE from image to
# recording becomes
#
# $$\mathbb{E}_{+} f(x, r) - \mathbb{E}_x \ln \mathbb{E}_r\, e^{f(x, r)} \le I(X; R)$$
#
# Proof: $q(r \mid x) = p(r)\, e^{f(x, r)} / \mathbb{E}_{r'} e^{f(x, r')}$ is a distribution over $r$. The difference
# of the two sides is the mean over $x$ of $\mathrm{KL}(p(r \mid x) \,\|\, q(r \mid x)) \ge 0$. On our finite test
# population, all means are sums, so we know this number without sampling. It is the exact value of the *bound*, not of
# $I$. We compute it after every epoch; training does not use it.


# %%
def held_out(net):
    return {"held out": net.exact_information(pairs["test"])["image", "speech"]}


blind = multimodal.BlindPairing(pairs["train"])
try:
    blind.mutual_information
except PermissionError as error:
    print("PermissionError:", error)

encoders = {"image": image_encoder, "speech": speech_encoder}
model = MultimodalInfoMax(encoders, temperature=1.0, seed=SEED)
options = {"batch_size": K, "seed": SEED, "progress": False}
length = {"steps": 1} if FAST else {"epochs": EPOCHS}
history = model.fit(blind, **length, evaluate=held_out, **options)
if FAST:
    history = load_trained("06_model", model)

# %%
end = np.arange(1, EPOCHS + 1)
figure, axes = plt.subplots(1, 2, figsize=(9, 3.5), width_ratios=(3, 2))
for ax in axes:
    ax.axhline(TRUTH, label="truth, I = H(digit)", **figures.TRUTH)
    ax.axhline(CEILING, color="0.5", linestyle=":", label=f"ceiling for K = {K}")
    ax.plot(end - 0.5, history["image-speech"], label=f"training batches, K = {K}")
    ax.plot(end, history["held out"], label="all test pairs, exact")
    ax.set(xlabel="epoch", ylabel="InfoNCE (a lower bound), nats")
axes[0].legend(loc="lower right")
axes[0].set(xticks=range(0, EPOCHS + 1, 3))
axes[1].set(title="zoom", xlim=(8, EPOCHS), ylim=(1.9, 2.33), ylabel="")
figures.show(
    "Figure 2. On new images and new voices the bound stays below the truth and comes close to it.",
    alt="Two panels of InfoNCE in nats against epochs 1 to 18. Training and test values rise from "
    "about 0.5 to about 2.1. The truth is dashed at 2.30, the ceiling of 128 candidates at 2.27. "
    "The right panel repeats this from 1.9 nats and epoch 8 upwards.",
)
print(f"test: {history['held out'][-1]:.3f} of {TRUTH:.3f} nats")
exercises.verify("the bound is below the truth", 2 < history["held out"][-1] <= TRUTH)

# %% [markdown]
# The two curves may cross: their ceilings differ, and only training batches are augmented. Two causes can explain the
# remaining gap to the truth: encoders that make errors, and scores that are not ideal.
#
# ## 5. Does the objective matter?
#
# **Question.** Do the other objectives of notebook 03 give the same result?
#
# **Formula.** With the mean $\mathbb{E}_{-}$ over negative pairs and $\sigma(f) = 1 / (1 + e^{-f})$, Donsker-Varadhan
# (DV), NWJ and Jensen-Shannon (JSD) are
#
# $$\mathbb{E}_{+} f - \ln \mathbb{E}_{-} e^{f}, \qquad \mathbb{E}_{+} f - \mathbb{E}_{-} e^{f - 1}, \qquad \mathbb{E}_{+} \ln \sigma(f) + \mathbb{E}_{-} \ln(1 - \sigma(f)) + \ln 4$$
#
# On all pairs of a population the three are lower bounds on $I$ (in small batches, DV is none). *SMILE* is DV with $f$
# clipped in its second mean, for example to $[-5, 5]$. The best critic for JSD is the log-ratio: $\ln 10$ for the same
# digit, $-\infty$ otherwise. Its value is twice the Jensen-Shannon divergence, far below $I$:
#
# $$2\, \mathrm{JS} = \ln \frac{10}{11} + \frac{1}{10} \ln \frac{1}{11} + \ln 4 \approx 1.05 \text{ nats}$$
#
# We train a small model with each, and evaluate each critic exactly, by its own bound and by InfoNCE. NWJ and JSD
# learn an offset too: $f = \cos / \tau + b$.


# %%
def exact_value(net, name, **choices):
    embedded = net.project(pairs["test"].items)
    shift = 1.0 if name == "nwj" else 0.0  # the package trains f - 1 for NWJ
    net_scores = net.scores(embedded, "image", "speech") + shift
    return bounds.exact_bound(net_scores, population.joint, name, **choices)


def own_value(net):
    return {"own": exact_value(net, net.information.objective)}


critics, curves = {}, {}
for name in ("info_nce", "donsker_varadhan", "nwj", "jensen_shannon"):
    critics[name] = MultimodalInfoMax(small_encoders(SEED), objective=name, seed=SEED)
    curves[name] = critics[name].fit(blind, epochs=3, evaluate=own_value, **options)["own"]
    by_info_nce = exact_value(critics[name], "info_nce")
    print(f"{name:>16}: own bound {curves[name][-1]:.2f}, InfoNCE of this critic {by_info_nce:.2f}")

# %%
TWO_JS = np.log(10 / 11) - np.log(11) / 10 + np.log(4)
titles = ("InfoNCE", "Donsker-Varadhan", "NWJ", "Jensen-Shannon")
for name, curve in zip(titles, curves.values(), strict=True):
    plt.plot(range(1, 4), curve, marker="o", label=name)
plt.axhline(TRUTH, **figures.TRUTH)
plt.text(1, TRUTH + 0.07, "truth, I(X; R)")
plt.axhline(TWO_JS, color="C3", linestyle=":")
plt.text(2.1, TWO_JS + 0.06, "2 JS, upper limit of Jensen-Shannon", color="C3", fontsize=9)
plt.gca().set(xticks=range(1, 4), xlabel="epoch", ylim=(-1, 2.75), ylabel="own bound, nats")
plt.legend(loc="lower right")
figures.show(
    "Figure 3. All objectives stay below the truth; Jensen-Shannon has an upper limit of its own.",
    alt="Exact value of the own bound against epochs 1 to 3, one seed. InfoNCE, Donsker-Varadhan and "
    "NWJ rise towards the truth, a dashed line at 2.30 nats; Jensen-Shannon rises towards the dotted "
    "line of 2 JS at 1.05 nats.",
)
smile = [exact_value(critics["info_nce"], "smile", clip=clip) for clip in (10, 5, 1)]
print(f"SMILE of the InfoNCE critic, clips 10, 5, 1: {np.round(smile, 2)}; truth {TRUTH:.2f}")
exercises.verify("all four bounds hold", max(map(max, curves.values())) <= TRUTH)
exercises.verify("JSD is below 2 JS", max(curves["jensen_shannon"]) <= TWO_JS)

# %% [markdown]
# The JSD critic is better than its own value suggests: evaluated by InfoNCE it comes close to the others. SMILE is no
# bound: with clips 5 and 1 it exceeds the truth. It assumes that the critic is the log-ratio. But
# symmetric InfoNCE does not change when one number is added to all scores, and SMILE does.
#
# ## 6. What do the embeddings contain?
#
# **Question.** Given an image, does the model find recordings of its digit, and the other way round?
#
# **Formula.** *Precision@k* is the mean over all queries of
#
# $$\frac{\text{candidates with the digit of the query among the } k \text{ best}}{k}$$
#
# Chance is 1/10. The baseline is canonical correlation analysis (CCA) on 50 principal components of each
# modality: it finds the linear projections of both whose correlations are largest.

# %%
z = model.project(pairs["test"].items)
scores = model.scores(z, "image", "speech")
shown, spoken = labels["test"]["image"], labels["test"]["speech"]
names = ("image", "speech")
table = evaluation.retrieval_table(scores, shown, spoken, names=names)

reduced, flat = {"train": {}, "test": {}}, {}
for m in names:
    flat = {split: pairs[split].items[m].flatten(1).numpy() for split in pairs}
    pca = PCA(50, random_state=0).fit(flat["train"])
    for split in pairs:
        reduced[split][m] = pca.transform(flat[split])
rows = pairs["train"].indices(np.arange(len(pairs["train"])), np.random.default_rng(SEED))
cca = CCA(9, max_iter=2000).fit(*(reduced["train"][m][rows[m]] for m in names))
linear = [F.normalize(torch.tensor(x), dim=1) for x in cca.transform(*reduced["test"].values())]
linear_table = evaluation.retrieval_table(linear[0] @ linear[1].T, shown, spoken, names=names)
table["CCA"] = linear_table["value"]
print((100 * table).round(1).to_string())
exercises.verify("the embeddings beat CCA", (table["value"] > table["CCA"] + 0.02).all())

# %% [markdown]
# **What does each encoder know alone?** Three probes, from much to little supervision. A *linear probe* is a linear
# classifier, fitted on labels of the training set. *kNN*: the 20 nearest training items vote, weighted by their cosines.
# *k-means* of the test items sees no label, only that there are ten clusters. Its accuracy is that of the best
# one-to-one matching $\phi$ of clusters $c_i$ and digits $y_i$:
#
# $$\max_{\phi}\, \frac{1}{N} \sum_i 1[\phi(c_i) = y_i]$$
#
# The baselines are an untrained encoder and the principal components of the raw data.

# %%
untrained = MultimodalInfoMax(
    {"image": ImageEncoder(), "speech": AudioEncoder(width=48, hidden=32)}
)
features = {
    "principal components": reduced,
    "untrained h": {split: untrained.encode(pairs[split].items) for split in pairs},
    "trained h": {split: model.encode(pairs[split].items) for split in pairs},
    "trained z": {split: model.project(pairs[split].items) for split in pairs},
}
accuracy = {}
for m in names:
    for name, vectors in features.items():
        train, test = (
            (vectors["train"][m], labels["train"][m]),
            (vectors["test"][m], labels["test"][m]),
        )
        accuracy[m, name] = evaluation.probe_suite(*train, *test)
probes = pd.DataFrame(accuracy).T
print((100 * probes).round(1).to_string())
exercises.verify("z forms ten clusters", probes["k-means"].xs("trained z", level=1).min() > 0.95)

# %% [markdown]
# In $z$ the ten clusters are almost exactly the ten digits. The loss used no label, but the pairing did. A pair has
# only the digit in common, so $z$ keeps what a probe of the digit needs. The second appendix shows pictures of $z$.
#
# ## 7. Is the result an accident?
#
# **Question.** Would we notice it if the pairs were wrong?
#
# **Control.** We shuffle the classes of the training recordings. A model can now only memorize which recordings go
# together. This does not help with new items, so the bound on the real test pairs must be near 0 or below.

# %%
mixed = labels["train"] | {
    "speech": np.random.default_rng(0).permutation(labels["train"]["speech"])
}
shuffled = Pairing(pairs["train"].items, mixed)
after_60_steps = {}
for name, training_pairs in {"real": pairs["train"], "shuffled": shuffled}.items():
    control = MultimodalInfoMax(small_encoders(SEED), seed=SEED)
    control.fit(training_pairs, steps=60, **options)
    after_60_steps[name] = held_out(control)["held out"]
    print(f"60 steps on {name} pairs: {after_60_steps[name]:.3f} nats on test pairs")
exercises.verify("real pairs give more than 0.5 nats", after_60_steps["real"] > 0.5)
exercises.verify("shuffled pairs give nothing", after_60_steps["shuffled"] < 0.1)

# %% [markdown]
# Two more controls: no class reaches the training (the PermissionError of Section 4), and every part gets a gradient
# (Section 9).
#
# ## 8. Does augmentation help?
#
# **Idea.** We train with and without it and change nothing else: same seeds, 512 images and 256 recordings, 120
# steps. Each seed gives a *pair* of results, so we look at the difference within seeds.

# %%
generator, sizes = np.random.default_rng(SEED), {"image": 512, "speech": 256}
few = {m: generator.permutation(len(labels["train"][m]))[:size] for m, size in sizes.items()}
few_items = {m: pairs["train"].items[m][few[m]] for m in names}
few_pairs = Pairing(few_items, {m: labels["train"][m][few[m]] for m in names})
results = []
for seed in (0, 1, 2):
    for augment in (False, True):
        net = MultimodalInfoMax(small_encoders(seed), seed=seed)
        net.fit(few_pairs, steps=120, batch_size=K, augment=augment, seed=seed, progress=False)
        on = {"training": few_pairs, "test": pairs["test"]}
        row = {name: net.exact_information(p)["image", "speech"] for name, p in on.items()}
        found = net.scores(net.project(pairs["test"].items), "image", "speech")
        row["P@1"] = evaluation.precision_at_k(found, shown, spoken, 1).value
        results.append({"seed": seed, "augmentation": augment} | row)
results = pd.DataFrame(results).set_index(["seed", "augmentation"])
print(results.round(3).to_string())
gains = results["test"].xs(True, level=1) - results["test"].xs(False, level=1)
exercises.verify("augmentation helps in every seed", FULL or gains.min() > 0)

# %% [markdown]
# Without augmentation the bound is almost 2.3 nats on the training pairs but only about 1.7 on test pairs: the model
# *overfits*. With augmentation the training value is lower, and the test value is higher in each of the three seeds
# (precision@1 in two of three). This depends on the budget: with a slower start ($\tau = 1$) or smaller batches,
# augmentation did not raise the test value in every seed.
#
# ## 9. What if only two modalities together determine the third?
#
# **Question.** The article fuses modalities before it maximizes information. When is a fusion needed?
#
# **Idea.** The image shows a digit $Y$. The recording says another, independent digit $Y'$. The third modality is a
# symbol $T = (Y + Y') \bmod 10$, given as a row of nine zeros and a single 1.
#
# ### Exercise 2 · ★★ · 1 minute · predict
#
# All ten digits are equally frequent. For the image $X$, $I(X; T)$ is (a) 0, (b) half of $\ln 10$, (c) $\ln 10$.

# %% tags=["exercise"]
my_prediction_2 = None  # "a", "b" or "c"

exercises.check("image and sum", my_prediction_2)

# %% [markdown]
# **Formula.** For a fixed image, $T$ takes each of the ten values exactly once as $Y'$ runs through the digits. So
# $p(t \mid x) = 1/10 = p(t)$, and $X$ and $T$ are independent. The same holds for $R$ and $T$. But both together
# determine $T$:
#
# $$I(X; T) = I(R; T) = I(X; R) = 0, \qquad I((X, R); T) = H(T) = \ln 10$$
#
# Notebook 05 calls this *synergy*. Our data are the vectors $h$ of Section 4, with frozen encoders. The test
# population is a grid: every pair of 200 test images and 120 test recordings.

# %%
symbols = np.eye(10, dtype=np.float32)
frozen = {split: model.encode(pairs[split].items) for split in pairs}


def triples(split, image_rows, speech_rows):
    remainder = (labels[split]["image"][image_rows] + labels[split]["speech"][speech_rows]) % 10
    triple = {"image": frozen[split]["image"][image_rows]}
    triple["speech"] = frozen[split]["speech"][speech_rows]
    triple["sum"] = symbols[remainder]
    return triple, remainder


random_rows = np.random.default_rng(SEED)
drawn = [random_rows.integers(len(labels["train"][m]), size=20_000) for m in names]
train_triples, _ = triples("train", *drawn)
some_images = np.argsort(shown, kind="stable")[::5]  # every fifth, sorted by digit
some_recordings = np.argsort(spoken, kind="stable")[::4]
grid = [axis.ravel() for axis in np.meshgrid(some_images, some_recordings)]
test_triples, total = triples("test", *grid)
y, y_other = shown[grid[0]], spoken[grid[1]]
for name, known in {"image": y, "recording": y_other, "both": 10 * y + y_other}.items():
    print(f"I({name}; sum) = {entropy.sample_mutual_information(known, total):.4f} nats")

# %% [markdown]
# With `fusion=` the loss has six terms: one for each pair of modalities, and one for each modality $m$ with the fusion
# of the two others. The fused vector comes from bilinear fusion (notebook 05) and a head of its own:
#
# $$L = -\sum_{m < m'} \hat I_K(z_m, z_{m'}) - \sum_{m} \hat I_K(z_m, z_{\text{all but } m})$$
#
# **Check.** We write out *extract* and *fuse*. The package must agree, and every part must get a gradient.

# %%
trio_names = ("image", "speech", "sum")
columns_of = {"image": 128, "speech": 128, "sum": 10}
readers = {m: TabularEncoder(columns_of[m], 64, hidden=64, seed=SEED) for m in trio_names}
fusion = FUSIONS["bilinear"](trio_names, 64, seed=SEED)
trio = MultimodalInfoMax(readers, 16, fusion=fusion, temperature=0.3, seed=SEED)

first = {m: torch.as_tensor(values[:K]) for m, values in train_triples.items()}
h = {m: trio.encoders[m](first[m]) for m in trio_names}  # extract
z_by_hand = {m: F.normalize(trio.projections[m](h[m]), dim=1) for m in trio_names}
for m in trio_names:  # fuse the two others
    others = {other: h[other] for other in trio_names if other != m}
    z_by_hand[f"all but {m}"] = F.normalize(trio.joint_projection(trio.fusion(others)), dim=1)
outputs = trio(first)
assert all(torch.allclose(z_by_hand[name], outputs[name], atol=1e-5) for name in outputs)

trio.information(outputs)["loss"].backward()
norms = [p.grad.norm().item() for p in trio.parameters()]
print(f"{len(norms)} parameters, the smallest gradient has norm {min(norms):.1e}")
exercises.verify("every part gets a gradient", min(norms) > 0)

# %%
trio.fit(multimodal.BlindPairing(Pairing(train_triples)), steps=300, **options)
joint = np.zeros((10, len(total)))  # probabilities of a word and a pair of the grid
joint[total, np.arange(len(total))] = 1 / len(total)

z_trio = trio.project(test_triples | {"sum": symbols})
present = torch.tensor([True, True, False]).expand(len(total), 3)  # image and recording
vectors = {"image-sum": z_trio["image"], "speech-sum": z_trio["speech"]}
vectors["sum-all but sum"] = trio.fuse(test_triples, present)
bound_of = {}
for name, columns in vectors.items():
    with torch.no_grad():
        sum_scores = trio.information.critic(name)(z_trio["sum"], columns)
    bound_of[name] = bounds.exact_bound(sum_scores, joint)
    accurate = np.mean(sum_scores.argmax(dim=0).numpy() == total)
    print(f"{name:>15}: {bound_of[name]:6.3f} nats, accuracy {accurate:.1%}")
print(f"truth for both together: {entropy.entropy(joint.sum(axis=1)):.3f} nats; chance 10%")
exercises.verify("only the fusion finds the synergy", bound_of["sum-all but sum"] > 2)

# %% [markdown]
# Both terms of the sum with *one* modality stay near 0, because there is nothing to find. The term with the fusion comes
# close to $\ln 10$. No objective that only compares two single modalities could learn this.
#
# ## What the article gets wrong
#
# The article has the same idea. Its program stops with an error of shapes. Three other faults concern the method:
#
# - **One modality, twice.** Both "views" are outputs of one network for the same image, so they are equal even before
#   training.
# - **No joint distribution.** Its "mutual information" is the same for shuffled pairs (notebook 00).
# - **The loss is $-\ln I$**, with an estimate of $I$. Its gradient is
#
# $$\nabla (-\ln \hat I_K) = -\frac{\nabla \hat I_K}{\hat I_K}$$
#
# $I$ is never negative, but the InfoNCE value of a poor critic can be. Then the gradient changes its sign.

# %%
starts = []
for seed in range(10):
    start = MultimodalInfoMax(small_encoders(seed), seed=seed)
    value = start.information(start(batches[0]))["image-speech"]
    weight = start.projections["image"].weight
    (minus,) = torch.autograd.grad(-value, weight, retain_graph=True)
    (minus_log,) = torch.autograd.grad(-value.log(), weight)
    cosine = F.cosine_similarity(minus.flatten(), minus_log.flatten(), dim=0)
    starts.append({"InfoNCE value": value.item(), "cosine of both gradients": cosine.item()})
print(pd.DataFrame(starts).agg(["min", "max"]).round(3).to_string())
exercises.verify("all values are below 0", max(s["InfoNCE value"] for s in starts) < 0)

# %% [markdown]
# Before training, the value is below 0 in ten of ten seeds. The loss is `nan`, but its gradient is finite and points the
# opposite way (cosine -1). So no error stops the training:


# %%
def probe(net, m):
    train, test = (net.encode({m: pairs[split].items[m]})[m] for split in ("train", "test"))
    return evaluation.linear_probe(train, labels["train"][m], test, labels["test"][m])


before_training = MultimodalInfoMax(small_encoders(SEED), seed=SEED)
probe_of = {"untrained": {m: probe(before_training, m) for m in names}}
values_of = {}
for name, loss in {"minus I": torch.neg, "minus ln I": lambda value: -value.log()}.items():
    net = MultimodalInfoMax(small_encoders(SEED), seed=SEED)
    values_of[name] = []
    adam = torch.optim.AdamW(net.parameters(), lr=2e-3)
    for number in range(60):
        value = net.information(net(batches[number]))["image-speech"]
        adam.zero_grad()
        loss(value).backward()
        adam.step()
        values_of[name].append(value.item())
    probe_of[name] = {m: probe(net, m) for m in names}

# %%
for name, values in values_of.items():
    plt.plot(values, label=f"loss: {name}")
plt.axhline(TRUTH, **figures.TRUTH)
plt.text(30, TRUTH + 0.9, "truth, I(X; R)")
plt.gca().set(xlabel="step", ylim=(-26, 6), ylabel="InfoNCE (a lower bound), nats")
plt.legend(loc="lower left")
figures.show(
    "Figure 4. With the loss minus ln I the bound falls far below 0; mutual information cannot.",
    alt="InfoNCE value in nats against 60 steps. With the loss minus I it rises from -1 towards the "
    "truth, a dashed line at 2.3. With the loss minus ln I it falls to below -15.",
)
print((100 * pd.DataFrame(probe_of).T).round(1).to_string())
try:
    multimodal.minus_log(value)
except ValueError as error:
    print(f"ValueError of the package's minus_log: {error}")
rise = probe_of["minus ln I"]["image"] - probe_of["untrained"]["image"]
exercises.verify("the image probe rises with minus ln I", rise > 0.02)

# %% [markdown]
# The *bound* of this critic falls, because the critic is trained to give negatives higher scores than positives.
# Nothing follows about $I$: the linear probe of the image encoder even *rises* by about 4 points, though less than
# with $-\hat I_K$. The package's `minus_log` refuses a value below 0. The remedy is to leave the logarithm out:
# $-\hat I_K$ has the same optimum, and it is defined for all values.

# %% [markdown]
# ## Appendix: Images with captions of their own
#
# **Question.** What changes when no class makes the pairs?
#
# Here the positive of an image is its own caption, which was computed from the image. It names the digit. Where the
# writing is unusual for this digit, it says so: thick or thin, slanted or upright, wide or narrow. The caption is a
# function of the image, so $I(X; \text{caption}) = H(\text{caption})$. Counting gives this number. (The sentences name
# the digit, so these captions contain labels.) The encoder does not turn the images, because a turned digit would need
# another caption.
#
# *Recall@k* is the fraction of images whose own caption is among the $k$ captions with the highest scores.

# %%
captions = {split: datasets.load_captions(split).texts for split in pairs}
described = {}
for split in pairs:
    items = {"image": pairs[split].items["image"], "text": captions[split]}
    described[split] = Pairing(items)
parts_of_captioner = {
    "image": ImageEncoder(seed=SEED),
    "text": TextEncoder(Tokenizer.from_texts(captions["train"]), seed=SEED),
}
captioner = MultimodalInfoMax(parts_of_captioner, seed=SEED)
steps = 1500 if FULL else 130
captioner.fit(described["train"], steps=1 if FAST else steps, **options)
if FAST:
    load_trained("06_captioner", captioner)
caption_bound = captioner.exact_information(described["test"])["image", "text"]
caption_truth = described["test"].mutual_information["image", "text"]
print(f"bound {caption_bound:.2f} nats, truth H(caption) = {caption_truth:.2f} nats")
assert abs(caption_truth - entropy.sample_entropy(captions["test"])) < 1e-9
exercises.verify("the bound is below the truth", 3 < caption_bound <= caption_truth)

# %%
different = described["test"].population("image", "text")  # each sentence once
z_caption = captioner.project(described["test"].items)
z_caption["text"] = z_caption["text"][different.second]
caption_scores = captioner.scores(z_caption, "image", "text")
own = different.joint.argmax(axis=1)
for k in (1, 5):
    recall = evaluation.recall_at_k(caption_scores, own, np.arange(len(different.second)), k)
    print(f"recall@{k}: {recall.value:.1%}, chance {recall.chance:.1%}")
exercises.verify("recall is above chance", recall.value > 20 * recall.chance)

# %%
queries = ["a thick, slanted seven", "a thin, upright zero", "a thick, wide three"]
z_caption["text"] = captioner.project({"text": queries})["text"]
best = captioner.scores(z_caption, "image", "text").topk(8, dim=0).indices.T.flatten()
axes = figures.pictures(digits["test"].images[best], columns=8)
for ax, query in zip(axes[::8], queries, strict=True):
    ax.text(-0.2, 0.5, query, transform=ax.transAxes, ha="right", va="center", fontsize=9)
figures.show(
    "Figure 5. Each row shows the eight test images with the highest scores for the sentence on the left.",
    alt="Three rows of eight digits. Row 'a thick, slanted seven' shows thick sevens, row 'a thin, "
    "upright zero' thin zeros, row 'a thick, wide three' thick threes.",
)
for query, digit, row in zip(queries, (7, 0, 3), best.view(3, 8), strict=True):
    print(f"{query}: {np.mean(shown[row] == digit):.0%} of the eight have the digit")

# %% [markdown]
# ## Appendix: Pictures of the embeddings
#
# **Question.** What do the vectors $z$ of Section 4 look like?
#
# t-SNE (van der Maaten & Hinton 2008) draws 64 columns in two. It tries to keep near neighbors near. It does not keep
# large distances: *the distances between islands, and their sizes, mean nothing*.

# %%
points = np.concatenate([z["image"], z["speech"]])
chosen = np.random.default_rng(SEED).permutation(len(points))[:700]
plane = TSNE(init="pca", max_iter=500, random_state=0).fit_transform(points[chosen])
kinds = np.repeat(["image", "speech"], [len(shown), len(spoken)])
plt.figure(figsize=(7, 4.2))
ax = figures.class_map(plane, np.concatenate([shown, spoken])[chosen], kinds[chosen])
ax.collections[0].set_sizes([40])
figures.show(
    "Figure 6. Images and recordings of a digit lie on one island; distances between islands mean nothing.",
    alt="t-SNE map without axes: ten islands, one color for each digit. Each island has both markers, "
    "dots for images and crosses for recordings. A few points lie on an island of another digit.",
)

# %% [markdown]
# The *modality gap* is the distance between the mean vectors of the two modalities. We compare the model of Section 4
# with the InfoNCE model of Section 5, which started at $\tau = 0.07$. It is also smaller and was trained for fewer
# epochs, so this comparison alone does not prove that the temperature is the cause.

# %%
for name, net in {"start at 1": model, "start at 0.07": critics["info_nce"]}.items():
    both = net.project(pairs["test"].items)
    gap = (both["image"].mean(dim=0) - both["speech"].mean(dim=0)).norm().item()
    print(f"temperature, {name}: modality gap {gap:.2f}")

# %% [markdown]
# The next figure shows images whose best recording has another digit. The titles give the true and the found digit.
# You can also listen: the best recording for one image of each digit, from zero to nine, all of new voices.

# %%
found_word = spoken[scores.argmax(dim=1)]
errors = np.flatnonzero(found_word != shown)
titles = [f"true {shown[e]}\nfound {found_word[e]}" for e in errors[:10]]
figures.pictures(digits["test"].images[errors[:10]], titles, columns=10)
plt.gcf().set_size_inches(7.5, 1.2)
figures.show(
    "Figure 7. Images that find a recording of a wrong digit; several are hard for people too.",
    alt="Ten images of digits whose best recording is of another digit, with the true and the found "
    "digit above each image.",
)
print(f"{len(errors)} errors in {len(shown)} images")
loudest = [scores[np.flatnonzero(shown == digit)[0]].argmax().item() for digit in range(10)]
figures.audio_player(np.concatenate([speech["test"].waveforms[i] for i in loudest]), 8000)

# %% [markdown]
# ## Appendix: Optimizers, schedules and stop rules
#
# **Question.** Does it matter how the bound is climbed, and when we stop?
#
# With the gradient $g$ of the loss, three *optimizers* do the following to each weight:
#
# - SGD with momentum: $v \leftarrow 0.9\, v + g$, then $w \leftarrow w - \eta\, v$;
# - RMSprop: $s \leftarrow \beta s + (1 - \beta)\, g^2$ with $\beta$ near 1, then $w \leftarrow w - \eta\, g / \sqrt{s}$;
# - Adam: both, $w \leftarrow w - \eta\, v / \sqrt{s}$, where $v$ is the running mean of $g$ and $s$ that of $g^2$ (both
#   corrected for their start at 0). AdamW also multiplies $w$ by a factor slightly below 1 (*weight decay*).
#
# A *schedule* changes $\eta$ from step to step. *Warm-up* rises linearly from almost 0. *Cosine* falls to 0 within $S$
# steps, $\eta_t = \eta\, (1 + \cos(\pi t / S)) / 2$. *One-cycle* rises, then falls.
#
# **Check.** A head for the 64 pairs of vectors of Section 2 takes one step of plain gradient descent, by hand and with
# `torch.optim.SGD`.

# %%
head = nn.Parameter(torch.eye(8))
before = symmetric_info_nce(F.normalize(a @ head.T, dim=1) @ b.T / 0.07)
(-before).backward()
step_by_hand = head.detach() - 0.01 * head.grad

torch.optim.SGD([head], lr=0.01).step()
after = symmetric_info_nce(F.normalize(a @ head.T, dim=1) @ b.T / 0.07)
print(f"InfoNCE before the step {before.item():.4f}, after it {after.item():.4f} nats")
assert torch.allclose(step_by_hand, head.detach())
exercises.verify("one step raises the value", after > before)

# %% [markdown]
# The three optimizers on 1,024 images, each with a cosine schedule:

# %%
order = np.random.default_rng(SEED).permutation(len(digits["train"]))
subset, unused = order[:1024], order[1024:1524]
subset_items = pairs["train"].items | {"image": pairs["train"].items["image"][subset]}
subset_labels = labels["train"] | {"image": labels["train"]["image"][subset]}
subset_pairs = Pairing(subset_items, subset_labels)


def climb(**choices):
    net = MultimodalInfoMax(small_encoders(SEED), seed=SEED)
    return net, net.fit(subset_pairs, **(options | {"steps": 40, "warmup": 0} | choices))


for name, rate, marker in (("adamw", 4e-3, "o-"), ("rmsprop", 2e-3, "s--"), ("sgd", 0.01, "^-")):
    net, climbed = climb(optimizer=name, learning_rate=rate)
    plt.plot(range(8, 41, 8), climbed["image-speech"], marker, label=f"{name}, rate {rate}")
plt.axhline(CEILING, **figures.TRUTH)
plt.text(8, CEILING - 0.22, f"ceiling for K = {K}")
plt.gca().set(xlabel="step", ylim=(-1, 2.4), ylabel="InfoNCE in training, nats")
plt.legend(loc="lower right")
figures.show(
    "Figure 8. All three optimizers climb; none is near the ceiling after 40 steps (one seed).",
    alt="InfoNCE in training against steps 8 to 40, for AdamW, RMSprop and SGD with momentum. All "
    "three rise from below 0 to 0.6 to 0.9 nats, means of 8 steps; the ceiling is dashed at 2.27.",
)

# %% [markdown]
# Each learning rate was the best of three to five candidates on a part of the training set. The ranking after 40 steps
# need not be the final ranking. Now the schedules, all with AdamW and a largest rate of 0.004:

# %%
schedules = {
    "constant": {"schedule": "constant"},
    "warm-up and cosine": {"schedule": "cosine", "warmup": 10},
    "one-cycle": {"schedule": "one_cycle"},
}
for name, choices in schedules.items():
    net, climbed = climb(learning_rate=4e-3, **choices)
    rates = " ".join(f"{rate:.4f}" for rate in climbed["learning_rate"])
    print(f"{name:>18}: test {held_out(net)['held out']:.2f} nats, mean rates {rates}")

# %% [markdown]
# In 40 steps the constant rate climbs fastest. Schedules that end near 0 are made for runs that are long enough to
# need small steps at the end. One seed and one length prove nothing about other runs.
#
# **When do we stop?** Three rules look at one run of 9 epochs. The first stops after a number of steps, the second when
# the loss falls below a threshold, the third when the value on *validation* pairs had no new maximum for so many epochs
# (its *patience*). The validation images are not in the training set; the recordings are. (`fit` also has a limit of
# time, `seconds`.)

# %%
validation = Pairing(
    pairs["train"].items | {"image": pairs["train"].items["image"][unused]},
    labels["train"] | {"image": labels["train"]["image"][unused]},
)


def validate(net):
    return {"validation": net.exact_information(validation)["image", "speech"]}


_, run = climb(steps=72, schedule="constant", learning_rate=4e-3, evaluate=validate)
loss_of, value_of = np.array(run["loss"]), np.array(run["validation"])
print("validation after each epoch:", np.round(value_of, 2))
waited = [e - value_of[: e + 1].argmax() for e in range(len(value_of))]  # since the maximum
stops = {"number of steps": len(value_of) - 1, "loss below -1": np.argmax(loss_of < -1)}
for patience in (2, 3):
    reached = [e for e in range(len(value_of)) if waited[e] == patience]
    stops[f"patience of {patience}"] = reached[0] if reached else len(value_of) - 1
for rule, epoch in stops.items():
    print(f"{rule}: stops after epoch {epoch + 1}, validation {value_of[epoch]:.2f} nats")

# %% [markdown]
# A patience of 2 stops much too early: the validation value falls before it rises. (Probably because the running
# averages of batch normalization follow the first steps slowly.) A longer patience costs little.

# %% [markdown]
# ## Recap
#
# - Image and recording have $H(\text{digit})$ in common. Pairing within a class is supervision by classes.
# - Symmetric InfoNCE is a lower bound in expectation. For pairs by class its ceiling lies below $\ln 10$.
# - The loop extracts, fuses, bounds and steps. By hand it equals the package.
# - New images and recordings find each other, far above chance and CCA. After shuffling the bound is about 0.
# - A fusion finds information that no two modalities have in common.
# - The loss $-\ln \hat I_K$ can lower the bound. Nothing follows about $I$.

# %% [markdown]
# ## Exercises
#
# Each check says whether an answer is correct, and why not. `hint=1` as a last argument shows a hint. Solutions: [notebook](solutions/06_multimodal_infomax.ipynb), [in Colab](https://colab.research.google.com/github/simmim-lite/simmim-lite/blob/main/notebooks/solutions/06_multimodal_infomax.ipynb).
#
# ### Exercise 3 · ★ · 3 minutes · find the bug
#
# This loop runs without an error, but the scores are not cosines. Which line is wrong?
#
# ```python
# 1  for batch in batches:
# 2      h = {m: encoders[m](batch[m]) for m in encoders}
# 3      z = {m: F.normalize(heads[m](h[m]), dim=0) for m in encoders}
# 4      nats = symmetric_info_nce(z["image"] @ z["speech"].T / temperature)
# 5      optimizer.zero_grad()
# 6      (-nats).backward()
# 7      optimizer.step()
# ```

# %% tags=["exercise"]
my_wrong_line = None  # the number of the line as a string, for example "7"

exercises.check("loop of infomax", my_wrong_line)

# %% [markdown]
# ### Exercise 4 · ★★ · 4 minutes · derive
#
# There are $C$ equally frequent classes, so $n \sim \mathrm{Binomial}(K - 1, 1/C)$. Show that the ceiling of Section 2 is
# at most $\ln C$. You may use
#
# $$\mathbb{E} \frac{1}{1 + n} = \frac{C}{K} \left(1 - \left(1 - \frac{1}{C}\right)^K\right)$$
#
# Start from $\mathbb{E} \ln \frac{K}{1 + n}$ and put these lines into the right order.
#
# (a) $\le \ln C$
#
# (b) $\le \ln \left( K\, \mathbb{E} \frac{1}{1 + n} \right)$
#
# (c) $= \ln C + \ln \left(1 - \left(1 - \frac{1}{C}\right)^K\right)$

# %% tags=["exercise"]
my_order = None  # three letters, for example "abc"

exercises.check("ceiling below the truth", my_order)

# %% [markdown]
# ### Exercise 5 · ★ · 1 minute · choose
#
# After training on $-\ln \hat I_K$, the InfoNCE value of the test pairs is -13 nats. What follows for $I(Z; Z')$ of the
# embeddings? (a) It is below 0. (b) It is smaller than before training. (c) Nothing new.

# %% tags=["exercise"]
my_choice = None  # "a", "b" or "c"

exercises.check("a low bound", my_choice)

# %% [markdown]
# ### Exercise 6 · ★★ · 4 minutes · function
#
# Write the exact InfoNCE value for infinitely many candidates (Section 4). Row $x$ of `scores` and `joint` is an image,
# column $r$ a recording. Scores can be large.


# %% tags=["exercise"]
def my_exact_bound(scores, joint):
    """Return E_+ f - E_x ln E_r e^f in nats, for scores and probabilities of shape (n, m)."""
    ...  # your code


exercises.check("exact infonce", my_exact_bound)

# %% [markdown]
# ## What to try next
#
# - Train with batches of 32 and of 512, and compare the ceilings with the test values.
# - Pair each image with a recording of the *next* digit. Which numbers change?
# - In Section 9, fuse an image and a symbol, and retrieve recordings of the missing digit.
# - Replace bilinear fusion by `FUSIONS["average"]`, and explain the result with notebook 05.

# %% [markdown]
# ## References
#
# - van den Oord, A., Li, Y., & Vinyals, O. (2018). Representation learning with contrastive predictive coding. https://arxiv.org/abs/1807.03748
# - Chen, T., Kornblith, S., Norouzi, M., & Hinton, G. (2020). A simple framework for contrastive learning of visual representations (SimCLR). https://arxiv.org/abs/2002.05709
# - Radford, A., et al. (2021). Learning transferable visual models from natural language supervision (CLIP). https://arxiv.org/abs/2103.00020
# - Tian, Y., Krishnan, D., & Isola, P. (2020). Contrastive multiview coding. https://arxiv.org/abs/1906.05849
# - Poole, B., et al. (2019). On variational bounds of mutual information. https://arxiv.org/abs/1905.06922
# - Song, J., & Ermon, S. (2020). Understanding the limitations of variational mutual information estimators. https://arxiv.org/abs/1910.06222
# - Hjelm, R. D., et al. (2019). Learning deep representations by mutual information estimation and maximization. https://arxiv.org/abs/1808.06670
# - Liang, W., et al. (2022). Mind the gap: understanding the modality gap in multi-modal contrastive representation learning. https://arxiv.org/abs/2203.02053
# - Kingma, D. P., & Ba, J. (2015). Adam: a method for stochastic optimization. https://arxiv.org/abs/1412.6980
# - van der Maaten, L., & Hinton, G. (2008). Visualizing data using t-SNE. https://jmlr.org/papers/v9/vandermaaten08a.html
#
# Previous: [05 · Fusion](05_fusion.ipynb) · Next: [07 · Manifold information maximization](07_manifold_infomax.ipynb)
