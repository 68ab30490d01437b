# %% [markdown]
# # 06 · Multimodal information maximization
#
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/simmim-lite/simmim-lite/blob/main/notebooks/06_multimodal_infomax.ipynb)
#
# *Images, recordings and captions teach each other: encoders that maximize a bound on a mutual information whose true value is known, and what they know afterwards that nobody told them.*
#
# **What you will learn**
#
# - what pairs **share**, exactly, and what kind of supervision a pairing is;
# - the **objective**, symmetric InfoNCE, by hand, and the ceiling that a finite batch sets;
# - to read a training curve between **ceiling and truth**;
# - to judge embeddings by retrieval, probes, neighbors and clusters, each beside chance and plain
#   baselines;
# - which **controls** show that a result is no accident;
# - why training on **minus log I** destroys information, and says nothing.
#
# **In the package**: `multimodal`.
#
# <!-- measured -->
# About 50 minutes to work through.
# Measured: 97 s on 2 CPU cores, no GPU, Python 3.11, torch 2.14 (generated)
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
import torch
import torch.nn.functional as F
from sklearn.cross_decomposition import CCA
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE

from simmim_lite import bounds, datasets, entropy, evaluation, exercises, figures, multimodal
from simmim_lite.encoders import AudioEncoder, ImageEncoder, TextEncoder, Tokenizer
from simmim_lite.multimodal import InformationObjective, MultimodalInfoMax, Pairing, exact_bound

figures.set_style()
FULL = os.environ.get("SIMMIM_FULL") == "1"  # all of MNIST, and people's voices
EPOCHS = 5 if FULL else 39  # of images and speech; with all data about 2,300 steps
CAPTION_STEPS = 1500 if FULL else 200  # of images and captions
SHORT = 60  # of each control and optimizer
SOUND = {} if FULL else {"width": 48, "hidden": 32}  # synthesized voices need a small encoder only
SEED = 0
FIT = {"batch_size": 128, "seed": SEED, "progress": False}

# %% [markdown]
# ## 1. What do an image and a recording share?
#
# **Question.** A picture of a seven and a voice that says "seven" belong together. What do they know
# of each other, in nats?
#
# **Idea.** We make the pairs, so we can count. An image $X$ is drawn uniformly; then a recording $S$,
# uniformly among those of the same digit $Y$ and independent of all else.
#
# **Formula.** Three lines prove that a pair shares its digit, and nothing but its digit:
#
# 1. given $Y$, image and recording are independent, so $I(X; S) \le I(X; Y)$ (data processing);
# 2. the recording tells the digit, $Y = g(S)$, so $I(X; S) \ge I(X; g(S)) = I(X; Y)$;
# 3. the image shows it, too: $I(X; Y) = H(Y) - H(Y \mid X) = H(Y)$, which is $\ln 10$ for ten equally
#    frequent digits.
#
# `Pairing` draws such pairs, and knows the number. In the test, images and voices are new.

# %%
digits = {s: datasets.load_digits(s) for s in ("train", "test")}
speech = {s: datasets.load_speech(s) for s in digits}
labels = {s: {"image": digits[s].labels, "speech": speech[s].labels} for s in digits}
items = {s: {"image": digits[s].images, "speech": speech[s].waveforms} for s in digits}
pairs = {s: Pairing(items[s], labels[s]) for s in digits}
print({s: f"{len(digits[s])} images, {len(speech[s])} recordings" for s in digits})

# %% [markdown]
# **Check.** We write down the whole joint distribution of test images and test recordings, a table with a
# cell for each pair, and count what is in it.

# %%
population = pairs["test"].population("image", "speech")
TRUTH = pairs["test"].mutual_information["image", "speech"]
counted = entropy.mutual_information(population.joint)
print(f"{population.joint.size:,} pairs: {counted:.6f} nats; ln 10 = {np.log(10):.6f}")
assert abs(counted - TRUTH) < 1e-9
assert abs(TRUTH - entropy.sample_entropy(labels["test"]["image"])) < 1e-12

# %% [markdown]
# **Say it plainly: this pairing is supervision.** Somebody knew which digit each image shows, and chose
# its company accordingly. The network will not see that as a label, but it is there. (Pairs of MNIST
# and spoken digits are usually made in this way.) Section 7 goes without: there, each image comes with a
# caption of its own, and no class decides who meets whom.
#
# ## 2. What is maximized?
#
# **Question.** Mutual information cannot be computed from samples of images. What can?
#
# **Idea.** A lower bound. Take $K$ pairs, score each image with each recording, and ask how well the
# scores tell partners from strangers, in both directions (van den Oord et al. 2018; Radford et al. 2021).
#
# **Formula.** With scores $s_{ij} = \cos(z_i, z'_j) / \tau$, a learned temperature $\tau$, and partners on
# the diagonal,
#
# $$\hat I = \ln K + \frac{1}{2K} \sum_i \left( \ln \frac{e^{s_{ii}}}{\sum_j e^{s_{ij}}} + \ln \frac{e^{s_{ii}}}{\sum_j e^{s_{ji}}} \right),$$
#
# whose expectation is at most $I$. The two sums are cross entropies with the row's number as its class:
# three lines, which must agree with the package's objective. (That one works in tiles, see notebook 10.)


# %%
def symmetric_info_nce(scores):
    partner = torch.arange(len(scores))
    rows, columns = F.cross_entropy(scores, partner), F.cross_entropy(scores.T, partner)
    return np.log(len(scores)) - (rows + columns) / 2


a, b = torch.randn(2, 64, 8, generator=torch.Generator().manual_seed(0))
a, b = F.normalize(a, dim=1), F.normalize(a + b, dim=1)
by_hand = symmetric_info_nce(a @ b.T / 0.07).item()
package = InformationObjective([("a", "b")], temperature=0.07)({"a": a, "b": b})["a-b"].item()
print(f"64 pairs of vectors: by hand {by_hand:.5f}, package {package:.5f} nats")
assert abs(by_hand - package) < 1e-5

# %% [markdown]
# **How high can it get?** Not to $\ln 10$. In a batch of 128, some 13 strangers say the same digit, and no
# critic can tell them from the partner. If $n$ of them fit as well as the partner, a perfect critic is
# left with $n + 1$ equal candidates:
#
# $$\hat I_K \le \mathbb{E} \ln \frac{K}{1 + n}, \qquad n \sim \mathrm{Binomial}\left(K - 1, \tfrac{1}{10}\right) .$$
#
# That is a second truth, one for each batch size. **Check**, without the formula: the ideal critic, which
# scores 0 for the same digit and next to nothing for others, and the exact expectation of its InfoNCE
# over all pairs of the test.

# %%
shares = np.bincount(labels["test"]["image"]) / len(digits["test"])
ceilings = {K: bounds.class_paired_ceiling(K, shares) for K in (4, 16, 64, FIT["batch_size"], 1024)}
ideal = torch.where(torch.tensor(population.joint > 0), 0.0, -60.0)
exact = exact_bound(ideal, population.joint, K=64)
print(pd.Series(ceilings).round(4).to_dict(), f"K = 64 over all pairs: {exact:.4f}")
assert abs(exact - ceilings[64]) < 1e-6

# %% [markdown]
# ## 3. How does the estimate rise?
#
# **Question.** Two encoders that know nothing (notebook 04): convolutions for the image; a log-mel
# spectrogram, convolutions and a GRU for the sound. Can they find out *from each other* that there are
# ten digits?
#
# The loss is $-\hat I$. No label enters it, and to be sure, `BlindPairing` hands out what training needs, items
# and partners, and raises an error at any other question. In each step each image meets another
# recording; images are moved and turned a little, voices stretched and muffled.
#
# The temperature $\tau$ is learned, and begins at 1: scores are plain cosines. From the usual 0.07, the loss
# is content as soon as partners are nearer than strangers; images and sounds of a digit then stay two heaps
# with a gap between them (Liang et al. 2022), and it is an odd image, astray from its heap, that comes
# nearest to the sounds.
#
# After each epoch we look at the held-out pairs, at *all* of them: for infinitely many candidates,
# InfoNCE is a sum over the whole population. No setting depends on this look.

# %%
image, sound = ImageEncoder(turn=10, seed=SEED), AudioEncoder(**SOUND, seed=SEED)
model = MultimodalInfoMax({"image": image, "speech": sound}, temperature=1.0, seed=SEED)
inputs = {s: {m: model.encoders[m].prepare(items[s][m]) for m in items[s]} for s in items}
train, test = (Pairing(inputs[s], labels[s]) for s in inputs)

# %%
look = {"evaluate": lambda model: {"held out": model.exact_information(test)["image", "speech"]}}
history = model.fit(multimodal.BlindPairing(train), epochs=EPOCHS, **FIT, **look)

# %%
K, ends = FIT["batch_size"], 1 + np.arange(len(history.epochs))
figure, panels = plt.subplots(1, 2, figsize=(10, 3.6), width_ratios=(3, 2))
for ax, bottom in zip(panels, (0, 2.1), strict=True):
    ax.axhline(TRUTH, label="truth: what the pairs share", **figures.TRUTH)
    ax.axhline(ceilings[K], color="0.5", linestyle=":", label=f"ceiling of {K} candidates")
    ax.plot(ends - 0.5, history["image-speech"], label=f"in training, {K} candidates")
    ax.plot(ends, history["held out"], label="all pairs of new images and new voices, exact")
    ax.set(xlabel="epoch", ylim=(bottom, 2.32))
panels[0].set_ylabel("mutual information, nats")
panels[0].legend(loc="lower right")
plt.show()
print(f"held out: {history['held out'][-1]:.3f} of {TRUTH:.3f} nats")
assert 2.15 <= history["held out"][-1] <= TRUTH
assert max(history["image-speech"]) < ceilings[K] + 0.01

# %% [markdown]
# (On the right, the same from 2.1 nats on.) Training rises under its ceiling, new pairs under the truth.
# The two may cross: they have different ceilings, and training looks at images that are moved and voices
# that are muffled. What is missing from $\ln 10$ is what the encoders still get wrong.
#
# **Do other bounds agree?** All on the same scores, all pairs, no sampling:

# %%
z = model.project(test.items)
scores = model.scores(z, "image", "speech")
lower = [exact_bound(scores, population.joint, name) for name in ("info_nce", "donsker_varadhan")]
smile = [exact_bound(scores, population.joint, "smile", clip=clip) for clip in (10, 5, 1)]
print(f"InfoNCE and DV {np.round(lower, 3)}, truth {TRUTH:.3f}, SMILE {np.round(smile, 3)}")
assert max(lower) <= TRUTH < smile[1] < smile[2]

# %% [markdown]
# InfoNCE and the bound of Donsker and Varadhan keep below the truth. SMILE clips scores (here at 10, 5
# and 1) in one of its two terms, to tame the variance (Song & Ermon 2020), and is no bound any more: the
# harder it clips, the more it claims. A larger number is not a better one.
#
# ## 4. Does the right thing come back?
#
# **Question.** Show an image: does the model find recordings of that digit? Say a word: does it find
# images?
#
# *Precision@k* is the share of the $k$ best candidates that are of the right digit. Beside it stand chance,
# and what one would have done before neural networks: canonical correlation analysis (CCA) of 50
# principal components of pixels and 50 of log-mel spectrograms.

# %%
flat = {s: {m: inputs[s][m].flatten(1) for m in inputs[s]} for s in inputs}
pca = {m: PCA(50, random_state=0).fit(rows) for m, rows in flat["train"].items()}
reduced = {s: {m: pca[m].transform(flat[s][m]) for m in pca} for s in flat}
partners = train.indices(torch.arange(len(train)), torch.Generator())
cca = CCA(9, max_iter=2000).fit(*(reduced["train"][m][partners[m]] for m in partners))
old = [F.normalize(torch.tensor(x), dim=1) for x in cca.transform(*reduced["test"].values())]

y, said = labels["test"].values()
names = ("image", "speech")
table = evaluation.retrieval_table(scores, y, said, names=names)
table["CCA"] = evaluation.retrieval_table(old[0] @ old[1].T, y, said, names=names)["value"]
print((100 * table).round(1).to_string())
assert table.filter(like="P@1", axis=0)["value"].min() > 0.975
assert table["CCA"].max() < 0.95

# %% [markdown]
# The images that find a wrong word: "4: 9" is a four that found a nine. (Some are hard for people, too.) And
# to be heard: the best recordings for an image of each digit, from zero to nine, all of new voices.

# %%
found = said[scores.argmax(dim=1)]
wrong = np.flatnonzero(found != y)[:20]
figures.pictures(digits["test"].images[wrong], [f"{y[i]}: {found[i]}" for i in wrong])
plt.show()
best = [scores[np.flatnonzero(y == digit)[0]].argmax() for digit in range(10)]
figures.audio_player(np.concatenate([speech["test"].waveforms[i] for i in best]), 8000)

# %% [markdown]
# ## 5. What does each encoder know?
#
# **Question.** What can be read from the images' embeddings alone, and what from the recordings'?
#
# Three readers, from the most help to the least. A *linear probe* is fitted on the labels of the
# training set, the encoder staying as it is. *Twenty nearest neighbors* vote with those labels. *k-means*
# sees no label, only new items, and is told that there are ten clusters; afterwards each is named after
# one class, in the best way (Hungarian method). Each reads the encoder's output, the shared space, and, for
# comparison, the principal components of the raw data.

# %%
features = {
    s: {"encoder": model.encode(inputs[s]), "shared": model.project(inputs[s])} for s in pairs
}
rows = {}
for name in ("encoder", "shared", "components"):
    for m in ("image", "speech"):
        train_x, test_x = (features[s].get(name, reduced[s])[m] for s in ("train", "test"))
        data = train_x, labels["train"][m], test_x, labels["test"][m]
        rows[m, name] = evaluation.probe_suite(*data)
read = pd.DataFrame(rows).T
print((100 * read).round(1).to_string())
assert read.loc[("image", "encoder"), "linear probe"] > 0.98
assert read.loc[("speech", "encoder"), "linear probe"] > 0.985
assert read.loc[["image", "speech"], "k-means"].xs("shared", level=1).min() > 0.95

# %% [markdown]
# Nobody named a digit, and yet ten heaps of the shared space are the ten digits, those of new images as
# those of new voices. (It was the pairing that chose their company, remember.) To see it, the 64 columns
# are drawn in two, neighbors near neighbors (t-SNE, van der Maaten & Hinton 2008):

# %%
points = np.concatenate([z["image"], z["speech"]])
chosen = np.random.default_rng(0).permutation(len(points))[:800]
plane = TSNE(init="pca", random_state=0).fit_transform(points[chosen])
kinds = np.repeat(["image", "speech"], [len(y), len(said)])
figures.class_map(plane, np.concatenate([y, said])[chosen], kinds[chosen])
plt.show()

# %% [markdown]
# ## 6. Could it be an accident?
#
# **Question.** Would the numbers be good if something were broken?
#
# **First control: shuffle.** The recordings' classes are shuffled before pairs are made, so that partners
# share nothing; all else is as before. A small model must then show nothing, and much with the right
# pairs.


# %%
def small_model(seed=SEED):
    image, sound = ImageEncoder(width=8, seed=seed), AudioEncoder(width=32, hidden=32, seed=seed)
    return MultimodalInfoMax({"image": image, "speech": sound}, seed=seed)


shown, mixed = [], labels["train"].copy()
mixed["speech"] = np.random.default_rng(0).permutation(mixed["speech"])
for classes in (labels["train"], mixed):
    control = small_model()
    control.fit(Pairing(inputs["train"], classes), steps=SHORT, **FIT)
    shown.append(control.exact_information(test)["image", "speech"])
print(f"after {SHORT} steps: right pairs {shown[0]:.3f} nats, shuffled pairs {shown[1]:.3f}")
assert shown[0] > 1 > 0.05 >= shown[1]

# %% [markdown]
# **Second control: gradients.** Each part must receive one: both encoders, both projections, the
# temperature. Nobody would notice a missing one, as the others make up for it.

# %%
rows = torch.linspace(0, len(train) - 1, 256).long()
batch = {m: train.items[m][i] for m, i in train.indices(rows, torch.Generator()).items()}
model.train().information(model(batch))["loss"].backward()
gradients = pd.Series({name: p.grad.norm().item() for name, p in model.named_parameters()})
print(f"{len(gradients)} gradients, the smallest is {gradients.idxmin()}'s, {gradients.min():.2g}")
assert gradients.min() > 0

# %% [markdown]
# **Third control: classes.** If `BlindPairing` let them through, it would prove nothing. To count what pairs share
# one must know their classes:

# %%
try:
    multimodal.BlindPairing(train).mutual_information
    raise RuntimeError("the classes can be seen")
except PermissionError as error:
    print("PermissionError:", error)

# %% [markdown]
# ## 7. And if no class decides who meets whom?
#
# **Question.** Photographs come with captions of their own. What can be learned from such pairs?
#
# Each digit here has a caption that was computed from the image: the digit, and where its stroke is
# unusually thick or thin, slanted or upright, wide or narrow. Image and caption belong together one by one.
# The caption is a function of the image, so they share all that it says, $H(\text{caption})$, found by
# counting. (That the sentence names the digit is knowledge, too; but that is what captions do.)
#
# Images are not turned here: a turned digit would have another caption.

# %%
captions = {split: datasets.load_captions(split).texts for split in pairs}
told = {s: Pairing({"image": inputs[s]["image"], "text": captions[s]}) for s in pairs}
text = TextEncoder(Tokenizer.from_texts(captions["train"]), seed=SEED)
reader = MultimodalInfoMax({"image": ImageEncoder(seed=SEED), "text": text}, seed=SEED)
reader.fit(told["train"], steps=CAPTION_STEPS, **FIT)
shown = reader.exact_information(told["test"])["image", "text"]
truth = told["test"].mutual_information["image", "text"]
print(f"{shown:.2f} nats of H(caption) = {truth:.2f}, after {CAPTION_STEPS} steps")
assert abs(truth - entropy.sample_entropy(captions["test"])) < 1e-9
assert 3 < shown <= truth

# %% [markdown]
# Given an image, where does its caption stand among all captions of the test? (*Recall@k*: among the best
# $k$.) Given a sentence, which images come? One row for each of three sentences below. And words and
# sounds, which never met? Images connect them: a recording finds an image in the first model, the image a
# caption in the second.

# %%
different = told["test"].population("image", "text")
z_text = reader.project(told["test"].items)
z_text["text"] = z_text["text"][different.second]
matrix, own = reader.scores(z_text, "image", "text"), different.joint.argmax(axis=1)
for k in (1, 5):
    found = evaluation.recall_at_k(matrix, own, range(matrix.shape[1]), k)
    print(f"image to caption, recall@{k}: {found.value:.1%}, chance {found.chance:.1%}")
assert found.value > 0.9

queries = ["a thick, slanted seven", "a thin, upright zero", "a thick, wide three"]
z_text["text"] = reader.project({"text": queries})["text"]
best = reader.scores(z_text, "image", "text").topk(10, dim=0).indices.T.flatten()
figures.pictures(digits["test"].images[best])
plt.show()

through = different.second[matrix[scores.argmax(dim=0)].argmax(dim=1)]
print(
    f"{said[0]} is heard as {captions['test'][through[0]]!r}; right: {np.mean(y[through] == said):.1%}"
)
assert np.mean(y[through] == said) > 0.95

# %% [markdown]
# Each of these is many times chance. The last nats are hard: captions cut continuous strokes at terciles, and an image near a
# cut could go either way.
#
# ## 8. Which optimizer?
#
# **Question.** Does it matter how the bound is climbed?
#
# Four optimizers, 60 steps each, on 1,024 images. A step costs the same CPU time with each of them. Each
# has its own learning rate, the best of three to five that were tried on a part of the training set.

# %%
few = np.random.default_rng(0).permutation(len(digits["train"]))[:1024]
fewer, classes = inputs["train"].copy(), labels["train"].copy()
fewer["image"], classes["image"] = fewer["image"][few], classes["image"][few]
for name, rate in {"adamw": 4e-3, "adam": 4e-3, "rmsprop": 2e-3, "sgd": 0.01}.items():
    climber = small_model()
    options = FIT | {"optimizer": name, "learning_rate": rate, "warmup": 0}
    climb = climber.fit(Pairing(fewer, classes), steps=SHORT, **options)
    value = climber.exact_information(test)["image", "speech"]
    plt.plot(climb["image-speech"], label=f"{name}: {value:.2f} nats on new pairs")
    assert value > 0.5
plt.axhline(ceilings[K], color="C3", linewidth=1.2)
plt.gca().set(xlabel="epoch of 1,024 images", ylabel="nats, in training")
plt.legend()
plt.show()

# %% [markdown]
# All of them climb, and none gets near the ceiling in so few steps. Who leads here need not lead in the
# end.
#
# ## What the article's version does
#
# The article writes the same idea down, and its program cannot learn, for reasons that are worth
# knowing. Its layers do not fit (a linear layer expects 4,608 numbers where 131,072 arrive), and names
# are undefined; that can be mended. Three things cannot:
#
# - **One modality, twice.** Both "views" are the same network's output for the same image. They are equal,
#   and an *untrained* network finds each image's own copy: nothing is left to learn.
# - **No joint distribution.** The "mutual information" is a difference of two mean log-probabilities, which
#   shuffled pairs do not change (notebook 00).
# - **The loss is $-\ln I$.** That we look at. Its gradient is that of $-I$, divided by $I$. Where $I$ is
#   positive, that is a matter of step size. But an untrained critic (at the usual temperature of 0.07)
#   shows *less than nothing*:

# %%
twice = F.normalize(ImageEncoder()(batch["image"]), dim=1)
untrained = symmetric_info_nce(twice @ twice.T / 0.01)
print(f"one image twice, untrained: {untrained:.3f} nats of ln 256 = {np.log(256):.3f}")
starts = []
for seed in range(10):
    start = small_model(seed)
    nats = start.information(start(batch))["image-speech"]
    weight = start.projections["image"].weight
    up, article = (
        torch.autograd.grad(i, weight, retain_graph=True)[0] for i in (-nats, -nats.log())
    )
    starts.append((nats.item(), F.cosine_similarity(up.flatten(), article.flatten(), dim=0).item()))
starts = pd.DataFrame(starts, columns=["nats at the start", "cosine of the gradients"])
print(starts.agg(["min", "max"]).round(3).to_string())
assert starts["nats at the start"].max() < 0
assert starts["cosine of the gradients"].max() < -0.999

# %% [markdown]
# Below zero in ten of ten seeds. The loss is then `nan`, the logarithm of a negative number, but nothing
# stops: the *gradient* is finite, with the sign turned (cosine $-1$). Descent goes down the hill that it
# should climb:

# %%
for name, loss in {"minus I": torch.neg, "minus ln I": lambda nats: -nats.log()}.items():
    victim, seen, generator = small_model(), [], torch.Generator().manual_seed(SEED)
    optimizer = torch.optim.AdamW(victim.parameters(), lr=2e-3)
    for _ in range(30):
        drawn = train.indices(torch.randint(len(train), (256,), generator=generator), generator)
        nats = victim.information(victim({m: train.items[m][i] for m, i in drawn.items()}))
        optimizer.zero_grad()
        loss(nats["image-speech"]).backward()
        optimizer.step()
        seen.append(nats["image-speech"].item())
    plt.plot(seen, label=name)
    assert seen[-1] > 1 if name == "minus I" else seen[-1] < -5
plt.gca().set(xlabel="step", ylabel="mutual information, nats", title="what the logarithm does")
plt.legend()
plt.show()
try:
    multimodal.minus_log(nats["image-speech"])
    raise RuntimeError("minus_log should have refused")
except ValueError as error:
    print(f"minus_log: {error}")

# %% [markdown]
# No error, no warning: the mutual information is *minimized*. The package's `minus_log` refuses where it
# would happen; `fit` stops at a loss that is not finite. The remedy is to leave the logarithm out: $-I$
# has the same optimum and no forbidden region.
#
# ## Recap
#
# - We made pairs whose information is known exactly, and said what kind of supervision that is.
# - We wrote the objective in three lines, and computed its ceiling for each batch size, two ways.
# - We trained two encoders from each other: the estimate rose under the ceiling, the exact value on new
#   images and new voices under the truth.
# - We read the embeddings by retrieval, a probe, neighbors and clusters, beside chance and plain
#   baselines, and drew them.
# - Shuffled pairs gave nothing, each part had its gradient, and no class was seen.
# - Where no class made the pairs, captions taught the images.
# - Minus the logarithm of the information destroyed it, without an error.
#
# ## Exercises
#
# Each check says what your function should do. [Solutions](solutions/06_multimodal_infomax.py).
#
# 1. The objective in NumPy, for any scores, without an overflow.


# %% tags=["exercise"]
def symmetric_information(scores): ...


exercises.check("symmetric info nce", symmetric_information)

# %% [markdown]
# 2. The truth: what do an image and a recording of its class share, given the classes of all images?
#    They need not be equally frequent.


# %% tags=["exercise"]
def paired_information(classes): ...


exercises.check("paired information", paired_information)

# %% [markdown]
# 3. The clusters' accuracy: each cluster is named after one class, each class names one cluster, in the best
#    way. (`scipy.optimize.linear_sum_assignment` knows how.)


# %% tags=["exercise"]
def named_clusters(labels, clusters): ...


exercises.check("clusters", named_clusters)

# %% [markdown]
# ## References
#
# - van den Oord, Li, Vinyals (2018). Representation learning with contrastive predictive coding. https://arxiv.org/abs/1807.03748
# - Radford et al. (2021). Learning transferable visual models from natural language supervision. https://arxiv.org/abs/2103.00020
# - Tian, Krishnan, Isola (2020). Contrastive multiview coding. https://arxiv.org/abs/1906.05849
# - Poole, Ozair, van den Oord, Alemi, Tucker (2019). On variational bounds of mutual information. https://arxiv.org/abs/1905.06922
# - McAllester, Stratos (2020). Formal limitations on the measurement of mutual information. https://arxiv.org/abs/1811.04251
# - Song, Ermon (2020). Understanding the limitations of variational mutual information estimators. https://arxiv.org/abs/1910.06222
# - Donsker, Varadhan (1983). Asymptotic evaluation of certain Markov process expectations for large time, IV. https://doi.org/10.1002/cpa.3160360204
# - Liang, Zhang, Kwon, Yeung, Zou (2022). Mind the gap: understanding the modality gap in multi-modal contrastive representation learning. https://arxiv.org/abs/2203.02053
# - van der Maaten, Hinton (2008). Visualizing data using t-SNE. https://jmlr.org/papers/v9/vandermaaten08a.html
#
# Previous: [05 · Fusion](05_fusion.ipynb) · Next: [07 · Manifold information maximization](07_manifold_infomax.ipynb)
