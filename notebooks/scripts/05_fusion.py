# %% [markdown]
# # 05 · Fusion
#
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/simmim-lite/simmim-lite/blob/main/notebooks/05_fusion.ipynb)
#
# *What several modalities say together: seven ways to fuse them, held to Bayes' rule, with damage, with a modality missing, and on a task that none can solve alone.*
#
# **What you will learn**
#
# - what a **fusion** is, and how it copes when a modality is **missing**;
# - what is the **best possible** fusion, exactly, and why a plain mean can be worse than no fusion;
# - how much fusion helps on **damaged images and noisy speech**, and how it learns **whom to trust**;
# - how to tell **redundancy** from **synergy** in nats;
# - why **no average of opinions** can add two digits.
#
# **In the package**: `fusion`.
#
# <!-- measured -->
# About 55 minutes to work through.
# Measured: 83 s on 2 CPU cores, no GPU, Python 3.11, torch 2.14 (generated)
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
from itertools import product

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
import torch
from scipy.stats import norm
from torch.nn.functional import pad

from simmim_lite import bounds, datasets, exercises, figures
from simmim_lite.encoders import AudioEncoder, ImageEncoder
from simmim_lite.entropy import sample_mutual_information
from simmim_lite.fusion import FUSIONS, AverageFusion, BayesClassifier, FusedClassifier
from simmim_lite.multimodal import Pairing
from simmim_lite.training import Batches, fit

figures.set_style()
torch.set_num_threads(1)  # these layers are too small to share
FULL = os.environ.get("SIMMIM_FULL") == "1"
SEED, NAMES = 0, ("image", "speech")

# %% [markdown]
# ## 1. What is a fusion?
#
# **Question.** Encoders give one vector a modality. Who makes one vector of them, and what does it do
# when a modality is not there?
#
# **Idea.** A fusion takes `{name: (N, dim)}` and gives `(N, dim)`. Which modalities a row has is said by
# `present`, (N, M) of true and false. The simplest fusion is a mean with learned weights.
#
# **Formula.** The weights are a softmax *over what is present*, so that they always sum up to one:
#
# $$z = \sum_m w_m h_m, \qquad w_m = \frac{p_m e^{s_m}}{\sum_k p_k e^{s_k}}, \qquad p_m \in \{0, 1\}$$
#
# First this one by hand; then all seven, which are called in the same way, with a hard test: put *not a
# number* where a vector is missing, and nothing may change.

# %%
generator = torch.Generator().manual_seed(SEED)
vectors = {name: torch.randn(4, 3, generator=generator) for name in NAMES}
present = torch.tensor([[True, True], [True, False], [False, True], [True, True]])
weighted = FUSIONS["weighted"](NAMES, 3)
weighted.logits.data = torch.tensor([0.0, 1.0])

shares = present * weighted.logits.exp()
shares = shares / shares.sum(dim=1, keepdim=True)
by_hand = shares[:, :1] * vectors["image"] + shares[:, 1:] * vectors["speech"]
assert torch.allclose(weighted(vectors, present), by_hand)

broken = {name: vectors[name].clone() for name in NAMES}
broken["speech"][1] = broken["image"][2] = torch.nan
for kind, cls in FUSIONS.items():
    fusion = cls(NAMES, 3)
    assert torch.allclose(fusion(broken, present), fusion(vectors, present)), kind
    print(f"{kind:14s} {cls.__doc__.splitlines()[0]}")

# %% [markdown]
# ## 2. What is the best that a fusion can do?
#
# **Question.** How do we know that a fusion is good, and not just better than another?
#
# **Idea.** If what the modalities say is independent *given the outcome*, Bayes' rule says it all. No
# joint training is needed, and nothing can be better:
#
# $$\ln p(y \mid x, a) = \ln p(y \mid x) + \ln p(y \mid a) - \ln p(y) + \text{const}$$
#
# This is `ProductOfExperts`. Take a case in which all is known. The outcome $y$ is $+1$ or $-1$. Two
# sensors read $y$ plus Gaussian noise, $\sigma$ is another one in each row and each sensor, and each
# sensor tells its $\sigma$. An expert's log-odds are $2 x / \sigma^2$, and the best accuracy of all is
# the mean of $\Phi\big(\sqrt{1/\sigma_1^2 + 1/\sigma_2^2}\big)$. A mean with fixed weights $w$, the best one
# included, has $\Phi\big((w_1 + w_2) / \sqrt{w_1^2 \sigma_1^2 + w_2^2 \sigma_2^2}\big)$.

# %%
rng = np.random.default_rng(SEED)
y = rng.choice([-1.0, 1.0], size=120_000)
sigma = np.exp(rng.uniform(np.log([0.4, 0.8]), np.log([4.0, 8.0]), size=(len(y), 2)))
read = y[:, None] + sigma * rng.normal(size=sigma.shape)
sensors = pad(torch.tensor(np.stack([read, np.log(sigma)], axis=2)).float(), (0, 14)).unbind(1)
rows = dict(zip(NAMES, sensors, strict=True)) | {"label": torch.tensor(y > 0).long()}

shares = np.linspace(0, 1, 101)  # of sensor 1
fixed = [norm.cdf(1 / np.hypot(w * sigma[:, 0], (1 - w) * sigma[:, 1])).mean() for w in shares]
truth = {"sensor 1 alone": fixed[-1], "sensor 2 alone": fixed[0], "equal weights": fixed[50]}
truth["best fixed weights"] = max(fixed)
truth["Bayes"] = norm.cdf(np.sqrt((1 / sigma**2).sum(axis=1))).mean()

halves = torch.tensor(read / sigma**2).T  # of the log-odds
experts = {n: torch.stack([-half, half], dim=1) for n, half in zip(NAMES, halves, strict=True)}
answers = FUSIONS["experts"](NAMES, 2)(experts).argmax(dim=1)
reached = (answers == rows["label"]).double().mean().item()
print(pd.Series(truth | {"product of experts, counted": reached}).round(3).to_string())
assert abs(reached - truth["Bayes"]) < 0.004  # 4 standard errors of 120,000 rows

# %% [markdown]
# Look at the third line: the mean of a good and a bad sensor is *worse than the good one alone*. Fixed
# weights mend some of it. What is missing is a weight for each row. Which of the learned fusions find
# that out from 20,000 labeled rows? A linear layer stands behind each of them.


# %%
def train(model, data, steps, augment=None, rate=2e-3, seed=SEED):
    batches = Batches(data, 128, seed=seed, transform=augment)
    options = {"weight_decay": 1e-2, "warmup": steps // 20, "seed": seed, "progress": False}
    fit(model, model.loss, batches, steps=steps, learning_rate=rate, device="cpu", **options)
    return model


LEARNED = [kind for kind in FUSIONS if kind != "experts"]
seen = {name: values[:20_000] for name, values in rows.items()}
new = {name: values[20_000:] for name, values in rows.items()}
learned, accuracy = {}, pd.Series()
for kind in LEARNED:
    model = FusedClassifier(FUSIONS[kind](NAMES, 16, seed=SEED), 2, seed=SEED)
    learned[kind] = train(model, seen, 400, rate=5e-3)
    accuracy[kind] = (model.predict(new).argmax(dim=1) == new["label"]).double().mean().item()
print(accuracy.round(3).to_string())

assert abs(accuracy["average"] - truth["equal weights"]) < 0.01
assert accuracy["weighted"] < truth["best fixed weights"] + 0.005
assert accuracy[["gated", "concatenation", "attention"]].min() > truth["Bayes"] - 0.01
assert accuracy.max() < truth["Bayes"] + 0.004

# %%
best = 1 / (1 + (sigma[20_000:, 0] / sigma[20_000:, 1]) ** 2)
given = {kind: learned[kind].fusion.weights[:, 0] for kind in ("weighted", "gated")}
given = pd.DataFrame(given).groupby((best * 20).round() / 20).mean()
axes = given.plot(marker="o", figsize=(6, 3), ylabel="weight of sensor 1")
axes.set_xlabel("share of sensor 1 in the precision, 1 / sigma squared")
plt.show()

# %% [markdown]
# Gated, concatenation and attention all but reach the bound, and none passes it. The gate was told
# nothing about precision, and yet its weights rise with it. The mean ends where its formula says.
# Bilinear is linear in each sensor alone, and $x / \sigma^2$ is not.
#
# Mind what this shows. Bayes' rule is itself a *sum*: of log-odds $x / \sigma^2$, and not of readings
# $x$. An encoder with layers of its own can learn to give log-odds, and then adding up is all it takes.
#
# ## 3. How much does fusion help on damaged digits?
#
# **Question.** Real images of digits, and recordings of the same digit. Damage both. How much does one
# make up for the other, and what if one is gone?
#
# **Idea.** `load_damaged_digits` has a dial for both. An image keeps its first principal components, up to a
# share of the variance; speech gets three other voices, at a signal-to-noise ratio in dB. (AV-MNIST is made
# in a similar way, but by a generator that was not published.) At "strong", three numbers are left of an
# image, and the other voices have four times the energy of the digit.

# %%
LEVELS = {"clean": (1.0, 60), "light": (0.7, 6), "medium": (0.45, 0), "strong": (0.25, -6)}
encoders = {"image": ImageEncoder(turn=8, seed=SEED), "speech": AudioEncoder(seed=SEED)}
items, labels = {}, {}
for split in ("train", "test"):
    damaged = [
        datasets.load_damaged_digits(split, energy=energy, snr_db=decibels, seed=seed)
        for seed, (energy, decibels) in enumerate(LEVELS.values())
    ]
    raw = {"image": [each.images.images for each in damaged]}
    raw["speech"] = [each.speech.waveforms for each in damaged]
    for name, encoder in encoders.items():
        items[name, split] = torch.stack([encoder.prepare(level) for level in raw[name]])
    labels["image", split] = torch.tensor(np.stack([each.images.labels for each in damaged]))
    labels["speech", split] = torch.tensor(np.stack([each.speech.labels for each in damaged]))
assert damaged[-1].components == 3  # what is left of an image at "strong"

# %%
figure, panels = plt.subplots(2, 4, figsize=(9, 4), subplot_kw={"xticks": [], "yticks": []})
for at, (level, (top, bottom)) in enumerate(zip(LEVELS, panels.T, strict=True)):
    top.imshow(items["image", "test"][at, 50, 0], cmap="gray_r")
    bottom.imshow(items["speech", "test"][at, 0], origin="lower", aspect="auto", cmap="mako")
    top.set_title(level)
plt.show()

# %% [markdown]
# Above is an image at the four levels, below the spectrogram of a recording, high tones on top.
#
# Each encoder is first trained alone, **with labels**, on all levels at once; so are the fusions after them.
# (How to do with less is the subject of notebook 06.) A tenth of the images and every ninth voice are set
# aside for validation: whatever is chosen is chosen there. The test data have voices of their own.

# %%
voices = datasets.load_speech("train").speakers
held_out = {"image": np.arange(len(items["image", "train"][0])) % 10 == 0}
held_out["speech"] = np.isin(voices, np.unique(voices)[::9])
for values, (name, rows) in product((items, labels), held_out.items()):
    values[name, "validation"] = values[name, "train"][:, rows]
    values[name, "train"] = values[name, "train"][:, ~rows]

# %%
STEPS = 1500 if FULL else 350
usual = torch.tensor([0, 0, 0, 1, 2, 3])  # half of what an encoder meets is clean
readers, features = {}, {}
for name, encoder in encoders.items():
    rows = {name: items[name, "train"][usual].flatten(0, 1)}
    rows["label"] = labels[name, "train"][usual].flatten()
    reader = FusedClassifier(AverageFusion([name], 128), 10, encoders={name: encoder}, seed=SEED)
    readers[name] = train(reader, rows, STEPS, reader.augment, rate=4e-3)
    clean = items[name, "train"][0]
    varied = [encoder.augment(clean, generator) for _ in LEVELS]  # for section 5
    items[name, "varied"], labels[name, "varied"] = torch.stack(varied), labels[name, "train"]
for (name, part), values in items.items():
    with torch.no_grad():
        chunks = [encoders[name].encode(chunk) for chunk in values.flatten(0, 1).split(1000)]
    features[name, part] = torch.cat(chunks).unflatten(0, values.shape[:2])

# %% [markdown]
# Now the fusions. A pair is an image and a recording of one digit, each at a level drawn at random. The
# encoders stay as they are, and the fusions learn from what they give. In training, each modality is left
# out with probability 1/2 (`drop`), but never both: a modality that is missing is only the worst damage of
# all, and what was never met cannot be learned. "Never missing" is a gated fusion that was spared this.
# "Image" and "speech" are a hidden layer that sees one modality only. Three seeds each.
#
# Bayes' rule needs no more training: its experts are the two that see one modality each. It takes them at
# their word, so they should not be too sure. One number for each, its *temperature*, is found on validation
# data (Guo et al. 2017); 1 would mean that it is to be believed as it is.

# %%
flat = {name: features[name, "train"].flatten(0, 1) for name in NAMES}
classes = {name: labels[name, "train"].flatten() for name in NAMES}
pairs, models = Pairing(flat, classes), {}
rows = {"row": torch.arange(len(pairs)), "label": classes["image"]}
like = {"image": "concatenation", "speech": "concatenation", "never missing": "gated"}


def draw(batch, generator):
    chosen = pairs.indices(batch["row"], generator)
    return batch | {name: flat[name][at] for name, at in chosen.items()}


for seed, kind in product(range(3), (*NAMES, "never missing", *LEARNED)):
    fusion = FUSIONS[like.get(kind, kind)]([kind] if kind in NAMES else NAMES, 128, seed=seed)
    model = FusedClassifier(fusion, 10, drop=0.5 * (kind != "never missing"), seed=seed)
    models[kind, seed] = train(model, rows, 200, draw, seed=seed)
for seed in range(3):
    bayes = BayesClassifier({name: models[name, seed] for name in NAMES}, 10)
    for name in NAMES:
        known = features[name, "validation"], labels[name, "validation"]
        bayes.calibrate(name, *(values.flatten(0, 1) for values in known))
    models["experts", seed] = bayes
print("temperatures of image and speech:", models["experts", 0].temperatures)

# %% [markdown]
# Each test image meets five test recordings of its digit, the same ones for all fusions.


# %%
meetings = {}
for part in ("validation", "test"):
    known = {name: labels[name, part][0] for name in NAMES}
    five = torch.arange(len(known["image"])).repeat(5)
    meetings[part] = Pairing(known, known).indices(five, torch.Generator().manual_seed(SEED))


def judge(model, levels, part="test"):
    at = {name: level for name, level in zip(NAMES, levels, strict=True) if level != "missing"}
    steps = {name: list(LEVELS).index(level) for name, level in at.items()}
    rows = {n: features[n, part][step][meetings[part][n]] for n, step in steps.items()}
    known = labels["image", part][0, meetings[part]["image"]]
    answers = model.predict(rows)
    right = 100 * (answers.argmax(dim=1) == known).double().mean().item()
    return right, bounds.barber_agakov(answers[range(len(known)), known], np.log(10)).item()


# %%
CASES = {
    "both clean": ("clean", "clean"),
    "both damaged": ("strong", "strong"),
    "image only": ("strong", "missing"),
    "speech only": ("missing", "strong"),
}
scores = []
for ((kind, seed), model), (case, levels) in product(models.items(), CASES.items()):
    if kind not in NAMES or levels[NAMES.index(kind)] != "missing":
        scores += [(part, kind, case, seed, judge(model, levels, part)[0]) for part in meetings]
columns = ["part", "fusion", "case", "seed", "percent"]
grouped = pd.DataFrame(scores, columns=columns).groupby(columns[:3], sort=False)["percent"]
mean, spread = (table.unstack()[list(CASES)].round(1) for table in (grouped.mean(), grouped.std()))
print("percent right on test data, mean and deviation of three seeds")
test, chosen = mean.loc["test"], mean.loc["validation", "both damaged"].idxmax()
print((test.astype(str) + " ± " + spread.loc["test"].astype(str)).to_string())

# %%
gain = test.loc[chosen, "both damaged"] - test.loc[list(NAMES), "both damaged"].max()
lost = {n: test.loc[n, f"{n} only"] - test[f"{n} only"].drop([*NAMES]) for n in NAMES}
print(f"{chosen}, chosen on validation data: {gain:.1f} points over the better modality")
print("points lost where only that one is left\n" + pd.DataFrame(lost).round(1).to_string())
assert gain > 8
assert max(abs(lost[name]["experts"]) for name in NAMES) < 0.05

# %% [markdown]
# Every fusion gains far more than the kinds differ. Bayes' rule, whose fusion is not learned at all, is the
# one chosen on validation data: these pairs are independent given the digit, so that joint training has
# nothing to find.
#
# Now look at the losses. The fusion that never met a missing modality loses most; met in training, a missing
# one costs about a point or nothing. An accuracy of 50 % on 1,000 images has a standard error of 1.6 points,
# on 480 recordings of 2.3, so that smaller differences mean little. Bayes' rule loses *exactly* nothing:
# what is left is the other expert, untouched. The means do worst with both, as one linear layer has to read
# both modalities from the same columns.
#
# **Whom do they trust?** Left, the image is at "strong" or missing, and the speech gets better from left to
# right. In the middle, the weight that the gated fusion gives to the image. Right is what the experts tell
# about the digit, in nats, image and speech at the same level: the bound of Barber and Agakov, which is
# $\ln 10$ plus the mean of $\ln q(y \mid \cdot)$ on test data.

# %%
gated, heard = models["gated", 0], ["missing", *reversed(LEVELS)]
curve, trust, nats = (pd.DataFrame(index=list(steps)) for steps in (heard, LEVELS, LEVELS))
for speech in heard:
    curve.loc[speech, "with an image at strong"] = judge(gated, ("strong", speech))[0]
for image, speech in product(LEVELS, LEVELS):
    judge(gated, (image, speech))
    trust.loc[image, speech] = gated.fusion.weights[:, 0].mean().item()
for level in LEVELS:
    curve.loc[level, "alone"] = judge(gated, ("missing", level))[0]
    cases = {"image": (level, "missing"), "speech": ("missing", level), "both": (level, level)}
    for who, levels in cases.items():
        nats.loc[level, who] = judge(models["experts", 0], levels)[1]
figure, (left, middle, right) = plt.subplots(1, 3, figsize=(12, 3.5))
curve.plot(ax=left, marker="o", xlabel="speech", ylabel="percent right")
sns.heatmap(trust, ax=middle, annot=True, fmt=".2f", cmap="mako_r", cbar=False)
middle.set(xlabel="speech", ylabel="image", title="weight of the image")
nats.plot(ax=right, marker="o", ylabel="nats about the digit, at least")
right.axhline(np.log(10), **figures.TRUTH)
plt.show()
assert trust.loc["clean", "strong"] > trust.loc["strong", "clean"] + 0.1

# %% [markdown]
# ## 4. How much of it do both know?
#
# **Question.** The right panel shows information: $\ln 10$ plus the mean of $\ln q(y \mid \cdot)$ on test data,
# the bound of Barber and Agakov. What is told by both is counted twice when the two are added up. How much
# is that?
#
# **Formula.** What both know is *redundancy*; what only both *together* know is *synergy*. Information can
# measure their difference:
#
# $$I(y; x) + I(y; a) - I(y; x, a) = \text{redundancy} - \text{synergy} = I(x; a) - I(x; a \mid y)$$
#
# For pairs made within a digit the last term is zero, and what is counted twice is what image and speech
# share. Now take two *different* digits, and let the outcome be $(x + a) \bmod 10$.

# %%
nats["counted twice"] = nats["image"] + nats["speech"] - nats["both"]
print(nats.round(2).to_string())
x, a = np.divmod(np.arange(100), 10)  # all pairs of digits, each as likely
alone = [sample_mutual_information(digit, (x + a) % 10) for digit in (x, a)]
both = sample_mutual_information(10 * x + a, (x + a) % 10)
print(f"the sum: I(y; x) {alone[0]:.3f}, I(y; a) {alone[1]:.3f}, I(y; x, a) {both:.3f}")

# %% [markdown]
# For the sum, each digit alone tells *nothing*, and both together tell all: pure synergy, $\ln 10$ nats.
#
# ## 5. Can it be learned from real digits?
#
# **Question.** A clean image of one digit and a clean recording of *another one*. The label is the last
# digit of their sum. Which fusions can learn that?
#
# **Idea.** With a linear layer behind it, a mean only adds up what each modality says: the score of $y$ is
# $f_y(x) + g_y(a)$. Such scores fail here, for two reasons that need no experiment.
#
# 1. *None is right for more than three of four pairs.* Take digits $x$, $x + 5$ and $a$, $a + 5$. Of the four
#    sums two are $s$ and two are $s + 5$. If all four were right, adding up their four inequalities would say
#    that a number is greater than itself. All pairs fall into such groups of four.
# 2. *Training does not even get there.* Cross-entropy is convex in these scores. Where they are all equal,
#    its slope is $p(y \mid x) - 1/10 = 0$, so that is the best that there is: chance, and a loss of $\ln 10$.
#
# First we count, over all pairs of the test data, that one modality alone is at chance exactly. Then the
# fusions learn from 50,000 pairs, of items varied as the encoders met them (moved, turned, stretched), so that
# they see how unsure an encoder can be.

# %%
sums = (labels["image", "test"][0][:, None] + labels["speech", "test"][0]) % 10
for axis in (0, 1):
    often = np.apply_along_axis(np.bincount, axis, sums.numpy(), minlength=10)
    assert FULL or (often == sums.shape[axis] / 10).all()  # all of MNIST is not balanced

# %%
pool, results = {}, pd.DataFrame()
for part, count, copies in (("varied", 50_000, len(LEVELS)), ("test", 20_000, 1)):
    known = {n: labels[n, part][:copies].flatten() for n in NAMES}
    at = {n: torch.randint(len(known[n]), (count,), generator=generator) for n in NAMES}
    pool[part] = {n: features[n, part][:copies].flatten(0, 1)[at[n]] for n in NAMES}
    pool[part]["label"] = sum(known[n][at[n]] for n in NAMES) % 10
for kind in (*NAMES, *LEARNED):
    fusion = FUSIONS[like.get(kind, kind)]([kind] if kind in NAMES else NAMES, 128, seed=SEED)
    model = train(FusedClassifier(fusion, 10, seed=SEED), pool["varied"], 400)
    answers = model.predict(pool["test"])
    right = (answers.argmax(dim=1) == pool["test"]["label"]).double().mean().item()
    results.loc[kind, ["right", "loss"]] = right, model.loss(answers, pool["test"]).item()

digits = sum(readers[name].head(pool["test"][name]).argmax(dim=1) for name in NAMES) % 10
ceiling = (digits == pool["test"]["label"]).double().mean().item()
print(results.round(3).to_string(), f"\nto read both digits, and add: {ceiling:.3f}")
assert results.loc[[*NAMES], "right"].max() < 0.12
assert results.loc[["average", "weighted"], "right"].max() < 0.2
assert abs(results.loc[["average", "weighted"], "loss"] - np.log(10)).max() < 0.02
assert results.loc[["gated", "concatenation", "bilinear", "attention"], "right"].min() > 0.93

# %%
axes = results["right"].plot.barh(figsize=(7, 2.8), xlabel="right")
axes.axvline(0.1, color="C3", label="chance")
axes.axvline(ceiling, label="to read both digits, and add", **figures.TRUTH)
axes.invert_yaxis()
axes.legend(loc=(0.3, 0.55))
plt.show()

# %% [markdown]
# Sums of opinions stay at a loss of $\ln 10$, as the proof says, and their guesses are little better than
# blind. Joint fusions get about as far as reading both digits and adding does, which is limited by what the
# encoders misread; with `SEED` 1 and 2 instead of 0, too. The product of experts is no way out: it is a sum of
# opinions, too, and here the opinions are empty.
#
# So the choice of a fusion is a statement about the task. Where modalities repeat or complete each other, a
# sum is enough, and it is robust. Where the answer lies *between* them, only a joint fusion can find it.

# %% [markdown]
# ## What the article's version does
#
# It computes a mean of the features, calls it fused, and then never uses it: the loss looks at the features
# one by one. A fusion that no loss sees gets no gradient, and whatever weights it has stay as they are.

# %%
fusion = FUSIONS["weighted"](NAMES, 128, seed=SEED)
rows = {name: pool["varied"][name][:64].clone().requires_grad_() for name in NAMES}
fused = fusion(rows)  # and now the loss of what was not fused
(-bounds.info_nce(rows["image"] @ rows["speech"].T)).backward()
print("gradient of the fusion's weights:", fusion.logits.grad)
assert fusion.logits.grad is None

# %% [markdown]
# A mean has two more conditions that it does not mention. Vectors must have one shape; and where shapes only
# *nearly* agree, no error says so: a single column is added to all. And column 7 of one encoder must mean
# the same as column 7 of the other. Encoders that were trained apart share no order of columns, so that we may
# shuffle those of one, which takes nothing away. The mean is another one then:

# %%
image, speech = (features[name, "test"][0][:100] for name in NAMES)
print("(100, 128) + (100, 1) gives", tuple((image + speech[:, :1]).shape))
shuffled = image + speech[:, torch.randperm(128, generator=generator)]
change = ((shuffled - image - speech).norm() / (image + speech).norm()).item()
print(f"other columns of speech change the sum by {100 * change:.0f} %")
assert change > 0.3

# %% [markdown]
# ## Recap
#
# - We made one vector of several, by hand and by seven fusions, also where some were missing.
# - We computed the best that any fusion can reach, and saw which kinds come up to it and why some cannot.
# - We damaged real digits and speech, and fused them for a large gain; the gate's weights followed quality.
# - We lost nothing to a missing modality with Bayes' rule, and little with fusions that had met it in training.
# - We told redundancy from synergy in nats, and saw that no sum of opinions can add two digits.

# %% [markdown]
# ## Exercises
#
# [Solutions](solutions/05_fusion.py).
#
# 1. The mean of what is there.


# %% tags=["exercise"]
def my_mean_of_present(vectors, present):
    """vectors is (N, M, dim), present (N, M) of 0 and 1; give (N, dim)."""
    # your code


exercises.check("mean of present", my_mean_of_present)

# %% [markdown]
# 2. Bayes' rule for two experts and a prior that need not be uniform.


# %% tags=["exercise"]
def my_product_of_experts(p, q, prior):
    """p and q are probabilities of the classes given one modality each; give those given both."""
    # your code


exercises.check("product of experts", my_product_of_experts)

# %% [markdown]
# 3. Two sensors of noise $\sigma_1$ and $\sigma_2$ read the same number. What weights, of sum one, give the mean
#    of smallest variance?


# %% tags=["exercise"]
def my_weights(sigma):
    """Weights of sensors with these standard deviations."""
    # your code


exercises.check("precision weights", my_weights)

# %% [markdown]
# 4. Synergy minus redundancy, $I(y; x, a) - I(y; x) - I(y; a)$, of a table $p(x, a, y)$.


# %% tags=["exercise"]
def my_synergy(table):
    """Nats; negative where x and a repeat each other. table is (X, A, Y)."""
    # your code


exercises.check("synergy", my_synergy)

# %% [markdown]
# ## References
#
# - Hinton, G. E. (2002). Training products of experts by minimizing contrastive divergence. https://doi.org/10.1162/089976602760128018
# - Arevalo, J., et al. (2017). Gated multimodal units for information fusion. https://arxiv.org/abs/1702.01992
# - Liu, Z., et al. (2018). Efficient low-rank multimodal fusion with modality-specific factors. https://arxiv.org/abs/1806.00064
# - Neverova, N., et al. (2016). ModDrop: adaptive multi-modal gesture recognition. https://arxiv.org/abs/1501.00102
# - Guo, C., et al. (2017). On calibration of modern neural networks. https://arxiv.org/abs/1706.04599
# - Vielzeuf, V., et al. (2018). CentralNet: a multilayer approach for multimodal fusion. https://arxiv.org/abs/1808.07275
# - Liang, P. P., et al. (2021). MultiBench: multiscale benchmarks for multimodal representation learning. https://arxiv.org/abs/2107.07502
# - Williams, P. L., & Beer, R. D. (2010). Nonnegative decomposition of multivariate information. https://arxiv.org/abs/1004.2515
#
# Previous: [04 · Encoders](04_encoders.ipynb) · Next: [06 · Multimodal information maximization](06_multimodal_infomax.ipynb)
