# %% [markdown]
# # 15 · Labels as a modality
#
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/simmim-lite/simmim-lite/blob/main/notebooks/15_labels_as_a_modality.ipynb)
#
# *A class label or a name as the second modality of an image: why InfoNCE with labels is softmax classification, names for pictures of new kinds, objects found in scenes, and text that helps or leaks.*
#
# **What you will learn**
#
# - why InfoNCE with all **labels** as candidates *is* classification with cross-entropy, and why it stops at $H(Y)$;
# - **zero-shot naming**: find the name of a picture whose kind was never seen in training;
# - to match the same thing in **two designs**;
# - **detection and segmentation** with features that were learned without boxes and masks;
# - when **text features** help with few labels, and when they are a **leak**.
#
# **Prerequisites**: notebooks [03](03_variational_bounds.ipynb), [06](06_multimodal_infomax.ipynb) and [14](14_masked_image_modeling.ipynb); softmax, cross-entropy and logistic regression.
#
# **In the package**: `datasets`, `evaluation`, `encoders`, `masked`.
#
# <!-- measured -->
# About 75 minutes to work through.
# Measured: 90 s on 2 CPU cores, no GPU, Python 3.11, torch 2.14 (generated)
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
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F
from scipy import ndimage
from sklearn.decomposition import PCA, TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import nn

from simmim_lite import bounds, datasets, entropy, evaluation, exercises, figures
from simmim_lite.encoders import AudioEncoder, ImageEncoder, seeded
from simmim_lite.masked import MaskedModel
from simmim_lite.multimodal import MultimodalInfoMax
from simmim_lite.training import load_trained

figures.set_style()
torch.set_num_threads(1)  # the networks are small

# %% [markdown]
# ## 1. What does a label contain?
#
# **Question.** A label is a second modality: an image of a seven and the label "7" are a positive pair. How
# much information do they have in common, and does every pair in the test set really concern new things?
#
# **Formula.** Let $Y$ be the label of image $X$, and $p(y)$ its probability. Every image has exactly one
# label. So $H(Y \mid X) = 0$, and
#
# $$I(X; Y) = H(Y) - H(Y \mid X) = H(Y) = -\sum_y p(y) \ln p(y)$$
#
# This is the *upper bound* for every lower bound of this notebook that has labels on one side. **Data.** The
# digits have 10 classes of equal size. The *emoji* are 1,906 small pictures of 9 categories, each in two
# *designs* (Noto and Twemoji) and with a name in 12 languages. Variants of one emoji (a clock at each hour, a
# person of each gender) form a *family*. A family stands entirely in training or entirely in test.
# `find_leaks` lists the test items that share a family, a name or a picture with training. We also plant one
# leak, to see that it is found.

# %%
digits = {split: datasets.load_digits(split, full=False) for split in ("train", "test")}
emoji = {split: datasets.load_emoji(split) for split in ("train", "test")}


def keys(some):
    return {"family": some.families, "name": some.names["en"], "picture": some.pictures()}


found = datasets.find_leaks(keys(emoji["train"]), keys(emoji["test"]))
planted = keys(emoji["test"])
planted["family"] = np.append(planted["family"][:-1], emoji["train"].families[0])
found_planted = datasets.find_leaks(keys(emoji["train"]), planted)["family"]
print({name: len(rows) for name, rows in found.items()}, "planted:", len(found_planted))
exercises.verify("the split has no leak", not any(len(rows) for rows in found.values()))
exercises.verify("the planted leak is found", list(found_planted) == [376])
for name, some in {"digits": digits["test"], "emoji": emoji["test"]}.items():
    print(
        f"{name}: {len(some.labels)} test items, H(Y) = {entropy.sample_entropy(some.labels):.3f}"
    )

# %% [markdown]
# ## 2. Is classification information maximization?
#
# **Question.** A classifier is trained with cross-entropy, an infomax model with InfoNCE. What is the
# difference?
#
# **Idea.** Labels are few, so we need no sample of negatives. *All* labels are candidates, each weighted by
# its probability. A network gives the score $f(x, y)$ of image $x$ and label $y$: an image encoder, and one
# learned vector for each label.
#
# **Formula.** InfoNCE with all labels as candidates is
#
# $$\hat I(f) = \mathbb{E} \ln \frac{e^{f(x, y)}}{\sum_{y'} p(y')\, e^{f(x, y')}} \le I(X; Y)$$
#
# Derivation: $q(y \mid x) = p(y)\, e^{f(x, y)} / \sum_{y'} p(y')\, e^{f(x, y')}$ is a distribution over
# labels, and the difference of the two sides is $\mathbb{E}\, \mathrm{KL}(p(y \mid x) \,\|\, q(y \mid x)) \ge
# 0$. Now define the *logit* $\ell_y = f(x, y) + \ln p(y)$. Then $q(y \mid x)$ is the softmax of the logits,
# and
#
# $$\hat I(f) = H(Y) + \mathbb{E} \ln q(y \mid x) = H(Y) - \text{cross-entropy}$$
#
# $H(Y)$ does not depend on the network. So both losses have the same gradient: classification with
# cross-entropy *is* information maximization with labels. With equally frequent classes $\ln p(y)$ is a
# constant, which a softmax ignores.

# %%
figures.diagram("label_twins")
figures.show(
    "Figure 1. The two losses use the same scores. They differ by the constant H(Y).",
    alt="Diagram. An image goes through an encoder and meets one vector of each label in scores f(x, y). From "
    "the scores, one arrow leads to InfoNCE with all labels as candidates. Another arrow adds ln p(y), which "
    "gives logits, and leads to the cross-entropy.",
)


# %%
class LabelScores(nn.Module):
    """Scores f(x, y) of images and all labels: an encoder, and a vector of each label."""

    def __init__(self, channels, classes, seed):
        super().__init__()
        self.encoder = ImageEncoder(channels, width=8, seed=seed)
        with seeded(seed):
            self.labels = nn.Linear(128, classes)

    def forward(self, images):
        return self.labels(self.encoder(images))


def info_nce_loss(scores, y, p):
    return -(scores[torch.arange(len(y)), y] - torch.logsumexp(scores + p.log(), dim=1)).mean()


def cross_entropy_loss(scores, y, p):
    return F.cross_entropy(scores + p.log(), y)


def as_tensors(some, images):
    encoder = ImageEncoder(images.shape[-1] if images.ndim == 4 else 1)
    return encoder.prepare(images), torch.from_numpy(some.labels)


data = {"digits": {}, "emoji": {}}
for split in ("train", "test"):
    data["digits"][split] = as_tensors(digits[split], digits[split].images)
    data["emoji"][split] = as_tensors(emoji[split], emoji[split].pictures())

# %% [markdown]
# **Check.** We take $p$ from the training set. For a batch of $N$ items, the two losses must differ by
# $-\frac{1}{N} \sum_i \ln p(y_i)$, and *every* weight must have the same gradient. Over the whole training
# set, this mean is $H(Y)$.


# %%
for name, sets in data.items():
    images, labels = sets["train"]
    p = labels.bincount() / len(labels)
    network = LabelScores(images.shape[1], len(p), seed=0)
    results = []
    for loss in (info_nce_loss, cross_entropy_loss):
        value = loss(network(images[:256]), labels[:256], p)
        results.append((value, torch.autograd.grad(value, list(network.parameters()))))
    difference = results[1][0] - results[0][0]
    assert torch.allclose(difference, -p.log()[labels[:256]].mean(), atol=1e-5)
    assert all(
        torch.allclose(a, b, atol=1e-5) for a, b in zip(*[r[1] for r in results], strict=True)
    )
    print(f"{name}: losses {results[0][0]:.4f} and {results[1][0]:.4f}, equal gradients")

# %% [markdown]
# ### Exercise 1 · ★ · 1 minute · predict
#
# Network A is trained with InfoNCE and all labels, network B with cross-entropy. They have the same initial
# weights and the same batches of digits. After training, the accuracy of A is (a) higher, because InfoNCE
# compares images, too, (b) lower, because InfoNCE is only a bound, (c) the same up to rounding.

# %% tags=["exercise"]
my_prediction_1 = None  # "a", "b" or "c"

exercises.check("twins", my_prediction_1)

# %% [markdown]
# We train both twins for one seed, and InfoNCE for two more seeds.


# %%
def train(name, loss, seed, epochs):
    images, labels = data[name]["train"]
    p = labels.bincount() / len(labels)
    network = LabelScores(images.shape[1], len(p), seed)
    generator = torch.Generator().manual_seed(seed)
    steps = epochs * (len(labels) // 64)
    optimizer = torch.optim.AdamW(network.parameters(), lr=4e-3, weight_decay=0.05)
    rate = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    for _ in range(steps):
        rows = torch.randint(len(labels), (64,), generator=generator)
        batch = network.encoder.augment(images[rows], generator)
        optimizer.zero_grad()
        loss(network(batch), labels[rows], p).backward()
        optimizer.step()
        rate.step()
    return network.eval(), p


# %%
def evaluate(network, p, name):
    images, labels = data[name]["test"]
    with torch.no_grad():
        logits = network(images) + p.log()
    correct = (logits.argmax(dim=1) == labels).numpy()
    nats = entropy.sample_entropy(labels.numpy()) - F.cross_entropy(logits, labels).item()
    return correct, nats


# %%
rows = {}
for name, epochs, C in (("digits", 3, 0.01), ("emoji", 12, 0.003)):
    runs = [evaluate(*train(name, info_nce_loss, seed, epochs), name) for seed in range(3)]
    ours = evaluation.seed_interval([correct.mean() for correct, _ in runs])
    twin, twin_nats = evaluate(*train(name, cross_entropy_loss, 0, epochs), name)
    exercises.verify("the twins agree", abs(twin.mean() - runs[0][0].mean()) < 0.02)
    (x, y), (new_x, new_y) = (data[name][split] for split in ("train", "test"))
    linear = make_pipeline(
        StandardScaler(), PCA(200, random_state=0), LogisticRegression(C=C, max_iter=1000)
    )
    linear.fit(x.flatten(1), y)
    majority = (new_y == y.bincount().argmax()).float().mean().item()
    rows[name] = {"majority": majority, "linear": linear.score(new_x.flatten(1), new_y)}
    rows[name] |= {"InfoNCE": ours.value, "low": ours.low, "high": ours.high, "twin": twin.mean()}
    rows[name]["InfoNCE, nats"] = np.mean([nats for _, nats in runs])
    rows[name]["H(Y), nats"] = entropy.sample_entropy(new_y.numpy())
print(pd.DataFrame(rows).round(3).to_string())
exercises.verify(
    "no value exceeds H(Y)", all(r["InfoNCE, nats"] < r["H(Y), nats"] for r in rows.values())
)

# %% [markdown]
# The rows *majority* to *twin* are accuracies on test items. *Majority* always says the most frequent label,
# and *linear* is logistic regression on 200 principal components of the pixels. *low* and *high* are the ends
# of the confidence interval over three seeds. The value in nats is a mean over the same seeds. For digits, it
# is close to $H(Y)$; for emoji, about half of it.
#
# ## 3. Can a picture of a new kind be named?
#
# **Question.** A classifier knows only its own labels. If the label is a *name*, a text encoder can encode
# names that it has never seen. Can the model find the name of an emoji of a new family? This is *zero-shot*
# naming: there is no training picture of this family, and no training name of it.
#
# **Idea.** The candidates are the names of all 377 test emoji. Names share words and letters with training
# names: "smiling face with halo" contains "face". The model can use only this. A name becomes a vector by
# *TF-IDF* of character sequences (a count, divided by how common the sequence is), reduced to 300 dimensions.
# The name in another language has a vector of the same kind, and the mean over languages stands for the
# emoji. In training the weights of the languages are random, so that the model can also use names in one
# language.
#
# **Formula.** All names differ, so $I(\text{image}; \text{name}) = H(\text{image}) = \ln 377 = 5.932$ nats on
# the test set if all its pictures differ. *Recall@k* is the fraction of pictures whose own name is among the
# $k$ names with the highest scores. Chance is $k / 377$.


# %%
LANGUAGES = list(emoji["train"].names)
everything = np.concatenate([emoji["train"].names[language] for language in LANGUAGES])
counts = TfidfVectorizer(analyzer="char_wb", ngram_range=(1, 4), min_df=2, sublinear_tf=True)
counts.fit(everything)
tfidf = {language: counts.transform(emoji["train"].names[language]) for language in LANGUAGES}
reduce = TruncatedSVD(300, n_iter=3, random_state=0).fit(sum(tfidf.values()) / len(LANGUAGES))


def vectors(names):
    """Names of each language (N) -> vectors (languages, N, 300)."""
    reduced = [reduce.transform(counts.transform(names[language])) for language in LANGUAGES]
    return torch.from_numpy(np.stack(reduced)).float()


texts = {split: vectors(emoji[split].names) for split in ("train", "test")}
center, size = texts["train"].mean(dim=(0, 1)), texts["train"].mean(dim=0).norm(dim=1).mean()
texts = {split: (v - center) / size for split, v in texts.items()}
prepare = ImageEncoder(3).prepare
designs = {
    split: {name: prepare(some.pictures(name)) for name in ("noto", "twemoji")}
    for split, some in emoji.items()
}
print("vectors of names:", tuple(texts["test"].shape))

# %% [markdown]
# **Baseline.** *Ridge regression* (least squares with a penalty) predicts the vector of the name from the
# first 200 principal components of the pixels. The score is the cosine of the predicted and the true vector.
#
# **Model, step 1: pictures.** Each emoji has two pictures, one of each design. An image encoder maps a
# picture to a vector $h$ of 256 numbers. The loss is symmetric InfoNCE (notebook 06) of the two pictures of
# $K = 256$ emoji. Pairing here is *by item*. It uses neither names nor categories. Section 4 returns to this
# step.
#
# **Step 2: names.** A linear layer maps $h$ to $z$ of 300 numbers. Its loss is symmetric InfoNCE of $z$ and
# the vector of the name. The encoder is not changed.


# %%
def info_nce(a, b, log_temperature):
    scores = F.normalize(a, dim=1) @ F.normalize(b, dim=1).T / log_temperature.exp()
    positive = torch.arange(len(a))
    return (F.cross_entropy(scores, positive) + F.cross_entropy(scores.T, positive)) / 2


def augment(images, generator):
    """Shift, rotate, mirror, and change the color of pictures."""
    images = encoder.augment(images, generator)
    mirror = torch.rand(len(images), generator=generator) < 0.5
    images[mirror] = images[mirror].flip(3)
    factors = 1 + JITTER * (torch.rand(len(images), 3, 1, 1, generator=generator) - 0.5)
    return (images * factors).clamp(0, 1)


JITTER, EPOCHS, K = 0.4, 40, 256  # chosen on validation families
encoder = ImageEncoder(3, 256, turn=10, seed=0)


# %%
def maximize(parts, loss_of, seed):
    """EPOCHS epochs of AdamW; ``loss_of(rows, log_temperature, generator)`` is the loss."""
    log_temperature = nn.Parameter(torch.tensor(0.07).log())
    options = {"lr": 4e-3, "weight_decay": 0.05}
    optimizer = torch.optim.AdamW([*parts.parameters(), log_temperature], **options)
    count = len(emoji["train"].codes)
    steps = EPOCHS * (count // K)
    rate = torch.optim.lr_scheduler.OneCycleLR(optimizer, 4e-3, total_steps=steps)
    generator = torch.Generator().manual_seed(seed)
    for _ in range(steps):
        rows = torch.randperm(count, generator=generator)[:K]
        loss = loss_of(rows, log_temperature, generator)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        rate.step()
    parts.eval()


# %%
def designs_loss(rows, log_temperature, generator):
    both = torch.cat([designs["train"][name][rows] for name in ("noto", "twemoji")])
    h = encoder(augment(both, generator))
    return info_nce(h[:K], h[K:], log_temperature)


@torch.no_grad()
def describe(images):
    """Vectors h, averaged over three places and two mirror images."""
    views = [images.roll((i, i), (2, 3)) for i in (-1, 0, 1)]
    return sum(encoder(view) + encoder(view.flip(3)) for view in views) / 6


maximize(encoder, designs_loss, seed=0)
h = {split: {name: describe(x) for name, x in some.items()} for split, some in designs.items()}


# %%
def names_loss(rows, log_temperature, generator):
    weights = torch.rand(len(LANGUAGES), K, 1, generator=generator) ** 4 + 0.01
    some_names = (texts["train"][:, rows] * weights / weights.sum(dim=0)).sum(dim=0)
    keep = torch.rand(K, 256, generator=generator) > 0.3  # dropout
    losses = [
        info_nce(head(h["train"][name][rows] * keep), some_names, log_temperature)
        for name in ("noto", "twemoji")
    ]
    return sum(losses) / 2


with seeded(0):
    head = nn.Sequential(nn.BatchNorm1d(256), nn.Linear(256, 300))
maximize(head, names_loss, seed=0)

# %% [markdown]
# ### Exercise 2 · ★ · 1 minute · predict
#
# Ridge regression on pixels finds the correct name of 377 for a few percent of the pictures. The network sees
# the same training names. The recall@1 of the network is (a) below 0.15: a name of an unseen kind has few
# parts that occurred in training, (b) about 0.5, as for digits, (c) at chance, because no name was seen.

# %% tags=["exercise"]
my_prediction_2 = None  # "a", "b" or "c"

exercises.check("names of new kinds", my_prediction_2)


# %%
def hits(queries, candidates, k):
    """Whether candidate i is among the k nearest of query i (cosine)."""
    scores = F.normalize(queries, dim=1) @ F.normalize(candidates, dim=1).T
    return (scores >= scores.diagonal()[:, None]).sum(dim=1).numpy() <= k


# %%
with torch.no_grad():
    z = {name: head(vectors) for name, vectors in h["test"].items()}
names = texts["test"].mean(dim=0)
pixels = PCA(200, random_state=0).fit(designs["train"]["noto"].flatten(1))
ridge = Ridge(100).fit(
    pixels.transform(designs["train"]["noto"].flatten(1)), texts["train"].mean(dim=0)
)
predicted = torch.from_numpy(ridge.predict(pixels.transform(designs["test"]["noto"].flatten(1))))
found = {"chance": (1 / 377, 10 / 377)}
for name, query in {"ridge on pixels": predicted, "network": z["noto"]}.items():
    found[name] = [evaluation.wilson_interval(hits(query.float(), names, k)) for k in (1, 10)]
    print(
        name,
        *(
            f"recall@{k} {i.value:.3f} [{i.low:.3f}, {i.high:.3f}]"
            for k, i in zip((1, 10), found[name], strict=True)
        ),
    )

# %% [markdown]
# The network is far above chance. In recall@10 it is better than ridge regression. In recall@1, the intervals
# overlap a little, and both values are low. Why is it so hard? The word that distinguishes an unseen kind
# mostly never occurred in training. A model that learns only from these 1,529 emoji cannot know what such a
# word looks like. Large models such as CLIP (Radford et al. 2021) know many more words, because they learned
# from 400 million pairs.
#
# ## 4. Is it the same thing in another design?
#
# **Question.** The encoder of section 3 was trained with pairs of two designs. Given a Noto picture of a new
# family, does it find the Twemoji picture of the same emoji among 377?
#
# **Baselines.** Chance is $1/377$. The *pixels* of both designs are already alike: we take the candidate with
# the smallest Euclidean distance. For the network we compare $h$, the vector before the linear layer, after
# subtracting its mean over the pictures of the design.

# %%
pixels_of = {name: images.flatten(1) for name, images in designs["test"].items()}
nearest = torch.cdist(pixels_of["noto"], pixels_of["twemoji"]).argmin(dim=1)
centered = {name: vectors - vectors.mean(dim=0) for name, vectors in h["test"].items()}
matched = {"pixels": (nearest == torch.arange(377)).numpy()}
matched["network"] = hits(centered["noto"], centered["twemoji"], 1)
for name, correct in matched.items():
    print(name, "recall@1 {:.3f} [{:.3f}, {:.3f}]".format(*evaluation.wilson_interval(correct)))
exercises.verify(
    "the network is better than pixels", matched["network"].mean() > matched["pixels"].mean()
)

# %%
shown = np.flatnonzero(~matched["pixels"] & matched["network"])[:8]
fig, axes = plt.subplots(3, 8, figsize=(7.5, 3), layout="constrained")
picture_rows = [emoji["test"].pictures("noto")[shown], emoji["test"].pictures("twemoji")[shown]]
picture_rows.append(emoji["test"].pictures("twemoji")[nearest[shown]])
for row, pictures in zip(axes, picture_rows, strict=True):
    for ax, picture in zip(row, pictures, strict=True):
        ax.imshow(picture)
        ax.set(xticks=[], yticks=[])
for ax, label in zip(axes[:, 0], ["query", "network", "pixels"], strict=True):
    ax.set_ylabel(label)
figures.show(
    "Figure 2. Queries for which the network finds the emoji in the other design, and pixels do not.",
    alt="Three rows of eight emoji: queries in the Noto design; the same emoji in the Twemoji design, found by "
    "the network; other emoji with similar colors and outlines, found by the distance of pixels.",
)

# %% [markdown]
# ## 5. Where is the object?
#
# **Question.** The encoder of notebook 06 learned from whole digits and recordings, without a box and without
# a mask. Do its feature maps also say *where* a digit is (*detection*) and which pixels belong to it
# (*segmentation*)?
#
# **Data.** We make scenes, so that boxes and masks are exact: one digit at a random place of a canvas of $48
# \times 48$ pixels, and 8 snippets of $8 \times 8$ pixels from other digits. These scenes are synthetic. Real
# sets of this kind (blood cells, nuclei of cells) must be downloaded and are left out here.
#
# **Formula.** For two sets of pixels, *intersection over union* is $\text{IoU}(A, B) = |A \cap B| / |A \cup
# B|$. For segmentation, $A$ is the set of predicted pixels and $B$ the true mask. For detection, both sets
# are boxes.


# %%
def scenes(images, rows, seed):
    """Scenes (N, 1, 48, 48) with one digit each, and its mask (N, 48, 48)."""
    rng = np.random.default_rng(seed)
    canvas, masks = np.zeros((len(rows), 48, 48)), np.zeros((len(rows), 48, 48), bool)
    for i, row in enumerate(rows):
        for other in rng.integers(len(images), size=8):
            (y, x), (a, b) = rng.integers(8, 13, 2), rng.integers(0, 41, 2)
            canvas[i, a : a + 8, b : b + 8] = images[other, y : y + 8, x : x + 8] / 255
        top, bottom, left, right = box(images[row] > 127)
        digit = images[row, top:bottom, left:right] / 255
        height, width = digit.shape
        a, b = rng.integers(0, 49 - height), rng.integers(0, 49 - width)
        place = canvas[i, a : a + height, b : b + width]
        np.maximum(place, digit, out=place)
        masks[i, a : a + height, b : b + width] = digit > 0.5
    return torch.from_numpy(canvas).float()[:, None], masks


def box(mask):
    """Rows and columns (top, bottom, left, right) of the smallest box around true pixels."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return (rows[0], rows[-1] + 1, columns[0], columns[-1] + 1) if len(rows) else (0, 1, 0, 1)


# %%
order = np.random.default_rng(1).permutation(1000)[200:500]  # the first 200 served for settings
known, known_masks = scenes(digits["train"].images, np.arange(400), seed=0)
new, new_masks = scenes(digits["test"].images, order, seed=2)


def filled(top, bottom, left, right):
    mask = np.zeros((48, 48), bool)
    mask[top:bottom, left:right] = True
    return mask


def iou(some, others):
    return (some & others).sum(axis=(1, 2)) / (some | others).sum(axis=(1, 2))


new_boxes = np.stack([filled(*box(mask)) for mask in new_masks])
located = {}


def report(name, masks):
    of_boxes = iou(np.stack([filled(*box(mask)) for mask in masks]), new_boxes)
    mean = evaluation.bootstrap_interval(iou(masks, new_masks))
    detected = evaluation.wilson_interval(of_boxes > 0.5)
    located[name] = {"mask IoU": mean.value, "low": mean.low, "high": mean.high}
    located[name] |= {"box IoU > 0.5": detected.value, "from": detected.low, "to": detected.high}


# %% [markdown]
# **Baselines.** The *prior* knows only the training masks: their median box, for every scene. The *threshold*
# takes all pixels brighter than 1/2, and among them the largest connected component. Snippets are small, so
# this is strong.
#
# **With features.** For each bright pixel, a logistic regression sees the maps of the three convolutions at
# this place. It learns from 400 training scenes with masks, and predicts the probability that the pixel
# belongs to the digit. We add these probabilities minus 0.4 within each component, and take the component
# with the largest sum. These settings were chosen on scenes of 200 other test digits, which are not used
# below. The control is the same encoder, *untrained*.


# %%
def components(bright):
    return ndimage.label(bright, np.ones((3, 3)))[0]


def largest(bright):
    found = components(bright)
    return found == 1 + np.argmax(np.bincount(found.ravel())[1:])


# %%
bright, known_bright = new[:, 0].numpy() > 0.5, known[:, 0].numpy() > 0.5
median_box = np.median([box(mask) for mask in known_masks], axis=0).astype(int)
report("prior", np.repeat(filled(*median_box)[None], len(new), axis=0))
report("threshold", np.stack([largest(some) for some in bright]))


def segment(name, features):
    rows = features(known).permute(0, 2, 3, 1)[torch.from_numpy(known_bright)].numpy()
    probe = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=1000))
    probe.fit(rows[::2], known_masks[known_bright][::2])
    rows = features(new).permute(0, 2, 3, 1)[torch.from_numpy(bright)].numpy()
    p = np.zeros(new_masks.shape)
    p[bright] = probe.predict_proba(rows)[:, 1] - 0.4
    chosen = []
    for scene, light in zip(p, bright, strict=True):
        found = components(light)
        sums = ndimage.sum(scene, found, np.arange(1, found.max() + 1))
        chosen.append(found == 1 + np.argmax(sums))
    report(name, np.stack(chosen))


# %%
@torch.no_grad()
def convolutions(encoder, x):
    maps, sizes = [], {"size": (48, 48), "mode": "bilinear"}
    for number, layer in enumerate(encoder.network[:10]):
        x = layer(x)
        if number in (2, 5, 9):  # after each ReLU
            maps.append(F.interpolate(x, **sizes))
    return torch.cat(maps, dim=1)


images = ImageEncoder(turn=10, seed=0)
speech = AudioEncoder(width=48, hidden=32, seed=0)
infomax = MultimodalInfoMax({"image": images, "speech": speech}, temperature=1.0, seed=0)
segment("untrained convolutions", lambda x: convolutions(images.eval(), x))
load_trained("06_model", infomax)  # of notebook 06
segment("infomax convolutions", lambda x: convolutions(images.eval(), x))
print(pd.DataFrame(located).T.round(3).to_string())
threshold = located.pop("threshold")
best = max(row["mask IoU"] for row in located.values())
exercises.verify("the threshold is best", threshold["mask IoU"] > best)

# %% [markdown]
# The threshold is best in both metrics, because the digit is larger than every snippet. The prior is far
# worse: the place is random. Training on whole digits makes no clear difference: the intervals of the trained
# and the untrained encoder overlap. So the features contain where the digit is, but the training is not the
# reason. Without the threshold and the untrained encoder, the result would look like a success. A perfect
# result has an IoU of 1.
#
# ## 6. Does text help, or does it leak?
#
# **Question.** With few labels, a second modality could help: the picture and the English name of an emoji,
# for its category. When is such a gain real?
#
# **Idea.** Three features: 100 principal components of the pixels, the vector of the English name, and both.
# A logistic regression learns from 5, 20 or all labels of each category (five draws). Then we plant a *leak*:
# a caption made from the true label ("a picture of food & drink"), as a careless program or a language model
# with access to the label would write it. A caption of this kind has $I(\text{caption}; Y) = H(Y)$ by
# construction. The rule: text features must be made without the label, and without anything that was made
# from it.


# %%
few_pixels = make_pipeline(PCA(100, random_state=0), StandardScaler()).fit(
    data["emoji"]["train"][0].flatten(1)
)
captions = [f"a picture of {emoji['train'].categories[label]}" for label in emoji["train"].labels]
new_captions = [f"a picture of {emoji['test'].categories[label]}" for label in emoji["test"].labels]
words = TfidfVectorizer().fit(captions)
features = {
    "picture": [
        few_pixels.transform(data["emoji"][s][0].flatten(1)) / 10 for s in ("train", "test")
    ]
}
english = LANGUAGES.index("en")
features["name"] = [F.normalize(texts[s][english], dim=1).numpy() * 3 for s in ("train", "test")]
features["picture + name"] = [
    np.hstack(pair) for pair in zip(features["picture"], features["name"], strict=True)
]
leak = [words.transform(some).toarray() * 3 for some in (captions, new_captions)]
features["picture + leaking caption"] = [
    np.hstack(pair) for pair in zip(features["picture"], leak, strict=True)
]


# %%
y, new_y = emoji["train"].labels, emoji["test"].labels


def few_labels(x, new_x, count, seed):
    rows = np.random.default_rng(seed).permutation(len(y))
    chosen = np.concatenate([rows[y[rows] == label][:count] for label in range(9)])
    return LogisticRegression(C=1.0, max_iter=1000).fit(x[chosen], y[chosen]).score(new_x, new_y)


table = {}
for name, (x, new_x) in features.items():
    runs = {f"{n} labels": [few_labels(x, new_x, n, seed) for seed in range(5)] for n in (5, 20)}
    table[name] = {key: evaluation.seed_interval(values) for key, values in runs.items()}
    table[name]["all"] = few_labels(x, new_x, 2000, 0)
for name, row in table.items():
    cells = [f"{i.value:.3f} [{i.low:.3f}, {i.high:.3f}]" for i in list(row.values())[:2]]
    print(f"{name:26}", *cells, f"all {row['all']:.3f}")

# %% [markdown]
# The table shows the accuracy on 377 test emoji, with intervals over five draws of the labels. The majority
# has 0.202 (section 2). With few labels, the name alone is better than the picture alone, and both together
# are about as good as the name. With all labels, both together are best. The leaking caption has accuracy 1
# with five labels. *A perfect accuracy is a reason to look for a leak.* `find_leaks` of section 1 cannot see
# it: no item is shared. Test it by asking how the text of a *new* picture would be made. If this needs the
# label, then the text is not a feature.
#
# ## What the article gets wrong
#
# The first article (section 6.1) proposes two encoders, one of images and one of labels, and says that
# maximizing their mutual information improves the accuracy of classification. Section 2 shows that this
# training *is* classification with cross-entropy: same gradient, same accuracy, and at most $H(Y)$ nats. So
# nothing is gained. Something is gained if names replace numbers: more labels are possible (section 3). The
# article names detection and segmentation, but gives no loss for boxes or pixels. In section 5, features
# learned by infomax need masks for a probe, and a threshold is a strong baseline.
#
# ## Appendix: Candidates, languages, and a masked model
#
# **What if the candidates come from the batch?** The loss of notebook 06 would take the labels of the *other
# images of the batch* as candidates. Many of them are equal to the positive label, so a perfect critic cannot
# reach $H(Y)$. With $n$ equal candidates among the other $K - 1$, its value is $\mathbb{E} \ln \frac{K}{1 +
# n}$ (notebook 06, section 2).

# %%
frequencies = np.bincount(emoji["train"].labels) / len(emoji["train"].labels)
upper = entropy.entropy(frequencies)
ceilings = {K: bounds.class_paired_ceiling(K, frequencies) for K in (8, 64, 512)}
for K, ceiling in ceilings.items():
    print(f"K = {K}: at most {ceiling:.3f} nats on average; all labels: H(Y) = {upper:.3f}")
exercises.verify("a batch of 8 loses more than 0.5 nats", upper - ceilings[8] > 0.5)

# %% [markdown]
# **Does it work in one language only?** We use the names of one language as candidates. The network is the
# same.

# %%
by_language = {"all": hits(z["noto"], names, 10).mean()}
for number, language in enumerate(LANGUAGES):
    by_language[language] = hits(z["noto"], texts["test"][number], 10).mean()
plt.figure(figsize=(7.5, 2.8))
plt.bar(list(by_language), list(by_language.values()), color="0.6")
plt.axhline(10 / 377, label="chance, 10 of 377", **figures.TRUTH)
plt.gca().set(xlabel="language of the candidates", ylabel="recall@10")
plt.legend()
figures.show(
    "Figure 3. Names in any of the twelve languages are found far more often than by chance. All languages "
    "together are best.",
    alt="Bars of recall at 10 for all languages together and for en, de, fr, es, it, pt, ru, hi, zh, ja, ko, "
    "th. All bars are several times higher than a dashed line at 0.027, chance.",
)
print({language: round(float(value), 3) for language, value in by_language.items()})
exercises.verify("every language is above chance", min(by_language.values()) > 3 * 10 / 377)

# %% [markdown]
# **A masked model.** Notebook 14 trains a transformer to predict hidden patches. We train one for 150 steps
# on scenes without masks, and compare its tokens with those of the untrained transformer.


# %%
@torch.no_grad()
def tokens(network, x):
    encoded = torch.cat([network.encode(some) for some in x.split(100)])
    return F.interpolate(
        encoded.transpose(1, 2).unflatten(2, (12, 12)), size=(48, 48), mode="bilinear"
    )


masked = MaskedModel((1, 48, 48), patch=4, dim=48, depth=2)
segment("untrained transformer", lambda x: tokens(masked.eval(), x))
more, _ = scenes(digits["train"].images, np.arange(400, 2400), seed=3)
how = {"steps": 150, "batch_size": 16, "learning_rate": 0.03, "warmup": 10}
masked.fit(more, ratio=0.6, loss="l2", progress=False, device="cpu", **how)
segment("masked transformer", lambda x: tokens(masked.eval(), x))
print(pd.DataFrame(located).T.tail(2).round(3).to_string())

# %% [markdown]
# Both transformers are about equal, and both are below the threshold.
#
# ## Recap
#
# - With all labels as candidates, InfoNCE is $H(Y)$ minus the cross-entropy. It cannot exceed $H(Y)$.
# - Candidates from the batch repeat labels, so the ceiling is lower.
# - Names allow labels that were never seen in training. With few training names, zero-shot naming is above
#   chance, but   weak.
# - Pairs of two designs teach what stays the same. New families are matched much better than by pixels.
# - In our scenes, a threshold locates digits better than any features, and trained features are not clearly
#   better than untrained ones. Always show both comparisons.
# - Text helps with few labels only if it was made without the label.
#
# ## Exercises
#
# Each check says whether an answer is correct, and why not. `hint=1` as a last argument shows a hint. Solutions: [notebook](solutions/15_labels_as_a_modality.ipynb), [in Colab](https://colab.research.google.com/github/simmim-lite/simmim-lite/blob/main/notebooks/solutions/15_labels_as_a_modality.ipynb).
#
# ### Exercise 3 · ★★ · 4 minutes · derive
#
# A network ignores the image: its scores are $f(y)$. Start from the formula of section 2 and derive the
# InfoNCE value with all labels as candidates. Return it for scores $f$ and label probabilities $p$. (It is
# never above 0. Why?)


# %% tags=["exercise"]
def my_value(f, p):
    """Return the InfoNCE value in nats of scores f (C,) for label probabilities p (C,)."""
    # your code


exercises.check("scores without an image", my_value)

# %% [markdown]
# ### Exercise 4 · ★★ · 3 minutes · function
#
# Compute the IoU of two boxes from their corners, without making a mask. A box is (top, bottom, left, right),
# where bottom and right are the first row and column *outside* of the box.


# %% tags=["exercise"]
def my_iou(a, b):
    """Return the intersection over union of the boxes a and b, each (top, bottom, left, right)."""
    # your code


exercises.check("box overlap", my_iou)

# %% [markdown]
# ### Exercise 5 · ★★ · 2 minutes · find the bug
#
# This program should measure zero-shot naming of new kinds. Its recall is too high. Which line is wrong?
#
# ```python
# 1  some = datasets.load_emoji("all")
# 2  rng = np.random.default_rng(0)
# 3  test = rng.permutation(len(some.codes))[:377]
# 4  train = np.setdiff1d(np.arange(len(some.codes)), test)
# 5  counts.fit([some.names["en"][i] for i in train])
# 6  candidates = counts.transform([some.names["en"][i] for i in test])
# ```

# %% tags=["exercise"]
my_wrong_line = None  # the number of the line as a string, for example "6"

exercises.check("split in a wrong way", my_wrong_line)

# %% [markdown]
# ### Exercise 6 · ★ · 1 minute · choose
#
# A report says: "A language model wrote a caption of each image. It was given the file name and the class.
# With image and caption, accuracy on test images rises from 0.60 to 0.99." What is the best reply? (a) The
# text features are useful. (b) The caption can contain the class of the test image, so this is a leak. (c)
# Captions written by a model are never allowed.

# %% tags=["exercise"]
my_choice = None  # "a", "b" or "c"

exercises.check("caption from a model", my_choice)

# %% [markdown]
# ## What to try next
#
# - Add the tags (`emoji["train"].tags`) to the names of section 3. How much does naming gain?
# - Leave one language out of training in section 3, and use it for the candidates.
# - Make the snippets of section 5 as large as digits. When does the threshold fail?
# - Replace the English names of section 6 by Chinese ones.
#
# ## References
#
# - van den Oord, A., Li, Y., & Vinyals, O. (2018). Representation learning with contrastive predictive coding. https://arxiv.org/abs/1807.03748
# - Radford, A., et al. (2021). Learning transferable visual models from natural language supervision. https://arxiv.org/abs/2103.00020
# - Barber, D., & Agakov, F. (2003). The IM algorithm: a variational approach to information maximization. https://papers.nips.cc/paper/2003/hash/a6ea8471c120fe8cc35a2954c9b9c595-Abstract.html
#
# Previous: [14 · Masked image modeling](14_masked_image_modeling.ipynb)
