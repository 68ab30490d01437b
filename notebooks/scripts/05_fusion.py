# %% [markdown]
# # 05 · Fusion
#
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/simmim-lite/simmim-lite/blob/main/notebooks/05_fusion.ipynb)
#
# *Seven ways to combine modalities into one vector, compared with Bayes' rule: on noisy sensors, on degraded images and speech, with a missing modality, and on a task that no single modality can solve.*
#
# **What you will learn**
#
# - to write **seven fusions** by hand, and what they do when a modality is **missing**;
# - the **best possible** accuracy, and why a plain mean can be worse than one modality alone;
# - how much fusion helps on **degraded images and speech**, and how to compare two fusions with a
#   **paired test**;
# - to distinguish **redundancy** from **synergy** in nats;
# - why **additive scores** cannot learn the sum of two digits.
#
# **Prerequisites**: [03](03_variational_bounds.ipynb), [04](04_encoders.ipynb); conditional probabilities, Bayes' rule and the normal distribution; training a small network in PyTorch.
#
# **In the package**: `fusion`.
#
# <!-- measured -->
# About 75 minutes to work through.
# Measured: 151 s on 2 CPU cores, no GPU, Python 3.11, torch 2.14 (generated)
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
import seaborn as sns
import torch
from scipy.stats import binom, binomtest, norm
from torch.nn.functional import pad

from simmim_lite import bounds, datasets, entropy, exercises, figures
from simmim_lite.encoders import AudioEncoder, ImageEncoder
from simmim_lite.fusion import FUSIONS, AverageFusion, BayesClassifier, FusedClassifier
from simmim_lite.training import Batches, fit

figures.set_style()
torch.set_num_threads(1)  # the layers are too small for two threads
FULL = os.environ.get("SIMMIM_FULL") == "1"
SEED, NAMES = 0, ("image", "speech")

# %% [markdown]
# ## 1. What is a fusion?
#
# **Question.** An encoder gives one vector $h_m$ for each modality $m = 1, \dots, M$. How do we make
# one vector $z$ of them? What if a modality is missing?
#
# **Idea.** A *fusion* is a function from the vectors $h_1, \dots, h_M$ to one vector $z$ of the same
# size. This course has seven. The formulas leave out biases and normalizations:
#
# | fusion | output $z$ | |
# |---|---|---|
# | average | $\frac{1}{M} \sum_m h_m$ | |
# | weighted | $\sum_m w_m h_m$ with $w = \text{softmax}(s)$ | one learned number $s_m$ for each modality |
# | gated | $\sum_m g_m \odot \tanh(V_m h_m)$ | gates $g = \text{softmax}(G\,[h_1; h_2])$ over the modalities, for each feature (Arevalo et al. 2017) |
# | concatenation | $W_2\, \text{ReLU}(W_1 [h_1; h_2])$ | one hidden layer |
# | bilinear | $W \prod_m (1 + U_m h_m)$ | product of each feature, low rank (Liu et al. 2018) |
# | attention | mean over $m$ of $t_m + \text{MLP}(t_m)$ | $t_m = h_m + A \sum_n a_{mn} v_n$, see [04](04_encoders.ipynb) |
# | product of experts | $\sum_m \ln p(y \mid x_m) - (M - 1) \ln p(y)$ | $h_m$ are log-probabilities of classes $y$ (Hinton 2002) |
#
# An *expert* is a classifier of one modality. It computes $p(y \mid x_m)$ from the input $x_m$. Section
# 2 derives the last line.

# %%
figures.diagram("fusions")
figures.show(
    "Figure 1. Seven fusions of two vectors. Orange parts are learned.",
    alt="Seven panels. Average: mean of h1 and h2. Weighted: learned weights, then a sum. Gated: a "
    "gate that sees both vectors weights the tanh of each. Concatenation: one hidden layer of "
    "both. Bilinear: two factors are multiplied. Attention: two tokens exchange information, then "
    "the mean. Experts: the class probabilities of each modality are multiplied.",
)

# %% [markdown]
# We write each fusion by hand, with the layers of the package's class.

# %%
generator = torch.Generator().manual_seed(SEED)
vectors = torch.randn(4, 2, 3, generator=generator)  # rows, modalities, features
image, speech = vectors.unbind(1)
joined = torch.cat([image, speech, torch.ones(4, 2)], dim=1)  # the ones: both are present
fusions = {kind: cls(NAMES, 3, seed=SEED) for kind, cls in FUSIONS.items()}
fusions["weighted"].logits.data = torch.tensor([0.0, 1.0])

by_hand = {"average": (image + speech) / 2}
w = fusions["weighted"].logits.softmax(dim=0)
by_hand["weighted"] = w[0] * image + w[1] * speech

value_1, value_2 = fusions["gated"].values
gates = fusions["gated"].gate(joined).view(4, 2, 3).softmax(dim=1)
by_hand["gated"] = gates[:, 0] * value_1(image).tanh() + gates[:, 1] * value_2(speech).tanh()

hidden, relu, output = fusions["concatenation"].layers
by_hand["concatenation"] = output(relu(hidden(joined)))

# %% [markdown]
# In the attention, each modality is a *token*, one vector of a sequence. A learned vector (`marks`) says
# which modality it is. The weights $a_{mn}$ come from queries and keys, the $v_n$ are the values.

# %%
bilinear = fusions["bilinear"]
product = (1 + bilinear.factors[0](image)) * (1 + bilinear.factors[1](speech))
by_hand["bilinear"] = bilinear.output(product)

block = fusions["attention"]
tokens = block.normalize(vectors + block.marks)
projected = tokens @ block.attention.in_proj_weight.T + block.attention.in_proj_bias
query, key, value = projected.chunk(3, dim=2)
a = (query @ key.mT / 3**0.5).softmax(dim=2)
t = vectors + block.attention.out_proj(a @ value)
by_hand["attention"] = (t + block.layers(t)).mean(dim=1)

log_p = vectors.log_softmax(dim=2)  # three classes with a uniform prior
by_hand["experts"] = (log_p.sum(dim=1) - np.log(1 / 3)).log_softmax(dim=1)

for kind, fusion in fusions.items():
    both = fusion({"image": image, "speech": speech})
    assert torch.allclose(both, by_hand[kind], atol=1e-6)
    alone = fusion({"image": image})  # the speech is missing
    print(f"{kind:14s} first number: {both[0, 0]:5.2f}, image only: {alone[0, 0]:5.2f}")

# %% [markdown]
# **Missing modalities.** Let $\delta_m = 1$ if modality $m$ is present in a row, and 0 if not. Each
# class takes $\delta$ as `present` (rows, modalities). Means and softmaxes then use the present
# modalities only:
#
# $$w_m = \frac{\delta_m e^{s_m}}{\sum_n \delta_n e^{s_n}}$$
#
# Concatenation and gates see $\delta$, and a zero vector for a missing modality. In the bilinear product
# its factor is 1. The product of experts leaves it out, and $M$ counts the present modalities.
#
# ### Exercise 1 · ★★ · 2 minutes · find the bug
#
# In our data a missing vector is filled with NaN (*not a number*). This average of the present vectors
# then returns NaN. Which line is wrong?
#
# ```python
# 1  def average(vectors, present):                    # (N, M, dim), (N, M)
# 2      count = present.sum(axis=1, keepdims=True)     # (N, 1)
# 3      masked = vectors * present[:, :, None]         # (N, M, dim)
# 4      total = masked.sum(axis=1)                     # (N, dim)
# 5      return total / count
# ```

# %% tags=["exercise"]
my_line = None  # "1" to "5"

exercises.check("average with a bug", my_line)

# %% [markdown]
# ## 2. What is the best that a fusion can do?
#
# **Question.** How do we know that a fusion is good, and not only better than another one?
#
# **Formula.** Let the modalities be independent *given the outcome* $y$:
# $p(x_1, x_2 \mid y) = p(x_1 \mid y)\, p(x_2 \mid y)$. Bayes' rule gives
# $p(y \mid x_1, x_2) \propto p(y)\, p(x_1 \mid y)\, p(x_2 \mid y)$, up to a factor without $y$. Bayes'
# rule for one modality says $p(x_m \mid y) \propto p(y \mid x_m) / p(y)$. So
#
# $$\ln p(y \mid x_1, x_2) = \ln p(y \mid x_1) + \ln p(y \mid x_2) - \ln p(y) + c(x_1, x_2)$$
#
# The constant $c$ does not depend on $y$; it makes the probabilities sum to 1. This is the product of
# experts. It needs no joint training. If the experts are correct, no fusion is better.
#
# **An example with known truth (synthetic).** The outcome is $y = +1$ or $-1$, equally likely. Two
# sensors measure $x_m = y + \sigma_m \varepsilon_m$ with Gaussian noise $\varepsilon_m$. The noise
# level $\sigma_m$ differs between rows and sensors, and is reported together with the reading. The
# *log-odds* of one sensor are
#
# $$\ln \frac{p(y{=}{+}1 \mid x_m)}{p(y{=}{-}1 \mid x_m)} = \frac{(x_m + 1)^2 - (x_m - 1)^2}{2 \sigma_m^2} = \frac{2 x_m}{\sigma_m^2}$$
#
# Bayes' rule adds the log-odds of both sensors. If $y = 1$, the sum is normal with mean
# $2 \sum_m \sigma_m^{-2}$ and variance $4 \sum_m \sigma_m^{-2}$. The accuracy is the probability that
# the sum is positive, averaged over the noise levels ($\Phi$ is the normal distribution function). Left:
# Bayes' rule. Right: a mean with fixed weights $w_m$.
#
# $$\mathbb{E}\, \Phi\Big( \sqrt{\sigma_1^{-2} + \sigma_2^{-2}} \Big) \qquad \mathbb{E}\, \Phi\Big( \frac{w_1 + w_2}{\sqrt{w_1^2 \sigma_1^2 + w_2^2 \sigma_2^2}} \Big)$$
#
# ### Exercise 2 · ★ · 2 minutes · predict
#
# Alone, sensor 1 has an accuracy of 0.794, and sensor 2 has 0.679. What is the accuracy of the sign of
# their plain mean? (a) more than 0.794, (b) between the two, (c) less than 0.679.

# %% tags=["exercise"]
my_prediction_1 = None  # "a", "b" or "c"

exercises.check("mean of two sensors", my_prediction_1)

# %%
rng = np.random.default_rng(SEED)
N = 120_000
outcome = rng.choice([-1.0, 1.0], size=N)
sigma = np.exp(rng.uniform(np.log([0.4, 0.8]), np.log([4.0, 8.0]), size=(N, 2)))
reading = outcome[:, None] + sigma * rng.normal(size=(N, 2))


def accuracy_of_weights(w):
    """Accuracy of the sign of w x_1 + (1 - w) x_2."""
    return norm.cdf(1 / np.hypot(w * sigma[:, 0], (1 - w) * sigma[:, 1])).mean()


truth = {
    "sensor 1 alone": accuracy_of_weights(1.0),
    "sensor 2 alone": accuracy_of_weights(0.0),
    "equal weights": accuracy_of_weights(0.5),
    "best fixed weights": max(accuracy_of_weights(w) for w in np.linspace(0, 1, 101)),
    "Bayes": norm.cdf(np.sqrt((1 / sigma**2).sum(axis=1))).mean(),
}
print(pd.Series(truth).round(3).to_string())

# %% [markdown]
# The plain mean is worse than the good sensor alone. The best fixed weights repair only a part of this.
# Bayes' rule weights each row by its own noise. Does the package's class reach this accuracy?

# %%
SENSORS = ("sensor 1", "sensor 2")
LEARNED = [kind for kind in FUSIONS if kind != "experts"]
log_odds = torch.tensor(2 * reading / sigma**2)
experts = {}
for m, sensor in enumerate(SENSORS):
    experts[sensor] = torch.stack([-log_odds[:, m] / 2, log_odds[:, m] / 2], dim=1)
answers = FUSIONS["experts"](SENSORS, 2)(experts).argmax(dim=1).numpy()
counted = np.mean(answers == (outcome > 0))
print(f"product of experts, counted: {counted:.3f}; formula: {truth['Bayes']:.3f}")
assert abs(counted - truth["Bayes"]) < 0.004  # 4 standard errors of 120,000 rows

# %% [markdown]
# Now six fusions learn the task from 20,000 labeled rows, with a linear classifier on $z$. The vector
# of a sensor holds $x_m$, $\ln \sigma_m$ and 14 zeros.


# %%
def train(model, data, steps, augment=None, rate=2e-3, seed=SEED):
    """Minimize the cross-entropy on labeled batches of 128 rows."""
    batches = Batches(data, 128, seed=seed, transform=augment)
    options = {"weight_decay": 1e-2, "warmup": steps // 20, "seed": seed, "progress": False}
    fit(model, model.loss, batches, steps=steps, learning_rate=rate, device="cpu", **options)
    return model


measured = pad(torch.tensor(np.stack([reading, np.log(sigma)], axis=2)).float(), (0, 14))
table = {"sensor 1": measured[:, 0], "sensor 2": measured[:, 1]}
table["label"] = torch.tensor(outcome > 0).long()
seen = {name: values[:20_000] for name, values in table.items()}
new = {name: values[20_000:] for name, values in table.items()}
sensor_models, accuracy = {}, pd.Series(dtype=float)
for kind in LEARNED:
    model = FusedClassifier(FUSIONS[kind](SENSORS, 16, seed=SEED), 2, seed=SEED)
    sensor_models[kind] = train(model, seen, 400, rate=5e-3)
    accuracy[kind] = (model.predict(new).argmax(dim=1) == new["label"]).double().mean().item()
print(accuracy.round(3).to_string())
close = accuracy[["gated", "concatenation", "attention"]].min() > truth["Bayes"] - 0.01
exercises.verify("three fusions come within 0.01 of Bayes' rule", close)
assert accuracy.max() < truth["Bayes"] + 0.005  # 4 standard errors of 100,000 rows

# %% [markdown]
# **Do the fusions find the ideal weights?** In Bayes' rule, the log-odds rise with slope
# $2 / \sigma_m^2$ in $x_m$. So sensor 1 has the fraction
# $\sigma_1^{-2} / (\sigma_1^{-2} + \sigma_2^{-2})$ of the two slopes: its fraction of the *precision*
# $1 / \sigma^2$. We compute the slopes of the learned log-odds with autograd.

# %%
ideal = sigma[20_000:, 1] ** 2 / (sigma[20_000:, 0] ** 2 + sigma[20_000:, 1] ** 2)
bins = (20 * ideal).round() / 20
curves = {}
for kind, model in sensor_models.items():
    inputs = {sensor: new[sensor].clone().requires_grad_() for sensor in SENSORS}
    logits = model(inputs)
    (logits[:, 1] - logits[:, 0]).sum().backward()
    slopes = pd.DataFrame({sensor: inputs[sensor].grad[:, 0] for sensor in SENSORS})
    mean_slopes = slopes.groupby(bins).mean()
    curves[kind] = mean_slopes["sensor 1"] / mean_slopes.sum(axis=1)
axes = pd.DataFrame(curves).plot(style=["o-", "s-", "^-", "v-", "D-", "x-"], markersize=4)
axes.plot([0, 1], [0, 1], label="ideal (Bayes)", **figures.TRUTH)
axes.set(xlabel="sensor 1: fraction of the precision", ylabel="sensor 1: fraction of the slopes")
axes.legend(loc="center left", bbox_to_anchor=(1.02, 0.5))
figures.show(
    "Figure 2. Only gated, concatenation and attention come close to the ideal weights (dashed).",
    alt="Fraction of sensor 1 in the slopes of the log-odds, against its fraction in the "
    "precision, 0 to 1. Gated, concatenation and attention lie near the dashed identity line. "
    "Average is flat at 0.5; weighted and bilinear at 0.8.",
)

# %% [markdown]
# Gated, concatenation and attention come close to the upper bound 0.841. They learned to use the noise
# level, one of their inputs, as a weight. The bilinear fusion multiplies features of *different* sensors,
# so it cannot form $x_1 / \sigma_1^2$. The weighted fusion stays below the best fixed weights (0.800): it
# minimizes the cross-entropy, and other weights are best for that.
#
# Bayes' rule is itself a sum: of log-odds, not of readings. If an encoder outputs log-odds, a sum is the
# ideal fusion.
#
# ## 3. How much does fusion help on degraded digits?
#
# **Question.** We have real images of digits and recordings of the same digit, both degraded. How much
# does one modality help the other? What happens if one is missing?
#
# **Idea.** `load_damaged_digits` degrades both. An image keeps its first principal components, up to a
# given fraction of the variance. A recording is mixed with three other voices at a *signal-to-noise
# ratio* $\text{SNR} = 10 \log_{10}(E_\text{digit} / E_\text{voices})$ in decibels (dB), where $E$ is
# the energy. At $-6$ dB the other voices have about four times the energy of the digit.

# %%
# Fraction of the variance of the images, and SNR of the recordings in dB:
LEVELS = {"clean": (1.0, 60), "light": (0.7, 6), "medium": (0.45, 0), "strong": (0.25, -6)}
encoders = {"image": ImageEncoder(turn=8, seed=SEED), "speech": AudioEncoder(seed=SEED)}


def load(split):
    """Items by modality (levels, N, ...), their digits (N,), and the components of each level."""
    images, sounds, components = [], [], []
    for seed, (variance, decibels) in enumerate(LEVELS.values()):
        options = {"energy": variance, "snr_db": decibels, "seed": seed}
        degraded = datasets.load_damaged_digits(split, **options)
        images.append(encoders["image"].prepare(degraded.images.images))
        sounds.append(encoders["speech"].prepare(degraded.speech.waveforms))
        components.append(degraded.components)
    digits = {"image": degraded.images.labels, "speech": degraded.speech.labels}
    return {"image": torch.stack(images), "speech": torch.stack(sounds)}, digits, components


items, digits = {}, {}
for split in ("train", "test"):
    items[split], digits[split], components = load(split)

# %%
figure, panels = plt.subplots(2, 4, figsize=(9, 4.2), sharey="row", sharex="row")
hertz = np.array([200, 500, 1000, 2000, 4000])
heights = 2595 * np.log10(1 + hertz / 700)  # the mel scale of notebook 04
for i, (level, (_, decibels)) in enumerate(LEVELS.items()):
    panels[0, i].imshow(items["test"]["image"][i, 50, 0], cmap="gray_r")
    panels[0, i].set(title=f"{level}: {components[i]} components", xticks=[], yticks=[])
    spectrogram, extent = items["test"]["speech"][i, 0], (11, 681, 78, 2146)
    panels[1, i].imshow(spectrogram, origin="lower", aspect="auto", cmap="mako", extent=extent)
    panels[1, i].set(title=f"SNR {decibels} dB", xlabel="time, ms", xticks=(200, 400, 600))
    panels[1, i].grid(visible=False)
panels[1, 0].set(ylabel="frequency, Hz", yticks=heights, yticklabels=hertz)
figures.show(
    "Figure 3. One image and one recording at the four levels (dark: little energy).",
    alt="Top: an image of a digit with 784, 25, 8 and 3 principal components; the last is only a "
    "blur. Bottom: the spectrogram of a recording at 60, 6, 0 and -6 dB, 0 to 680 ms and 50 to "
    "4000 Hz; the digit disappears among the other voices.",
)

# %% [markdown]
# Each encoder is first trained alone **with labels**, on all levels. A tenth of the images and every
# ninth speaker are held out for validation. The test data have their own speakers.

# %%
voices = datasets.load_speech("train").speakers
held_out = {"image": np.arange(len(digits["train"]["image"])) % 10 == 0}
held_out["speech"] = np.isin(voices, np.unique(voices)[::9])
items["validation"], digits["validation"] = {}, {}
for name, mask in held_out.items():
    items["validation"][name] = items["train"][name][:, mask]
    items["train"][name] = items["train"][name][:, ~mask]
    digits["validation"][name] = digits["train"][name][mask]
    digits["train"][name] = digits["train"][name][~mask]

STEPS = 1500 if FULL else 350
often_clean = [0, 0, 0, 1, 2, 3]  # half of the items are clean
readers = {}
for name, encoder in encoders.items():
    labeled = {name: items["train"][name][often_clean].flatten(0, 1)}
    labeled["label"] = torch.tensor(digits["train"][name]).repeat(len(often_clean))
    reader = FusedClassifier(AverageFusion([name], 128), 10, encoders={name: encoder}, seed=SEED)
    readers[name] = train(reader, labeled, STEPS, reader.augment, rate=4e-3)

# %% [markdown]
# Now the encoders are fixed; the fusions learn from their features. To test on *independent
# pairs*, we sort the test images so that image $i$ shows the digit of recording $i$. No item occurs in
# two pairs.

# %%
features = {}
for part in ("train", "validation", "test"):
    for name, encoder in encoders.items():
        for level, values in zip(LEVELS, items[part][name], strict=True):
            with torch.no_grad():
                encoded = [encoder.encode(chunk) for chunk in values.split(1000)]
            features[part, name, level] = torch.cat(encoded)

unused = [list(np.flatnonzero(digits["test"]["image"] == digit)) for digit in range(10)]
order = [unused[digit].pop() for digit in digits["test"]["speech"]]  # an image for each recording
order += np.concatenate(unused).tolist()  # then the images that are left
digits["test"]["image"] = digits["test"]["image"][order]
for level in LEVELS:
    features["test", "image", level] = features["test", "image", level][order]

PAIRS = len(digits["test"]["speech"])
assert (digits["test"]["image"][:PAIRS] == digits["test"]["speech"]).all()
print(f"{PAIRS} pairs for the test, and {len(order)} images")

# %% [markdown]
# A training pair is an image and a recording of the same digit, each at a random level. *Modality
# dropout* (Neverova et al. 2016) prepares a fusion for missing modalities: in training, each modality
# is dropped with probability 1/2. If both would be dropped, one of them stays. One gated fusion is
# trained without dropout. The baselines "image" and "speech" are a hidden layer on one modality.
#
# The product of experts needs no training: its experts are the two baselines. They should be
# *calibrated*: their probabilities should agree with their accuracy. *Temperature scaling* (Guo et al. 2017)
# divides the *logits* of each expert (scores before the softmax) by the $T$ with the smallest
# cross-entropy on validation data.

# %%
pool, classes = {}, {}
for name in NAMES:
    pool[name] = torch.cat([features["train", name, level] for level in LEVELS])
    classes[name] = np.tile(digits["train"][name], len(LEVELS))
pairing = datasets.Pairing(pool, classes)
queries = {"row": torch.arange(len(pairing)), "label": torch.tensor(classes["image"])}


def draw(batch, generator):
    """Add the features of an image and of a recording of its digit to each row."""
    chosen = pairing.indices(batch["row"], generator)
    return batch | {name: pool[name][chosen[name]] for name in NAMES}


runs = {kind: (kind, NAMES, 0.5) for kind in LEARNED} | {"no dropout": ("gated", NAMES, 0.0)}
runs |= {name: ("concatenation", [name], 0.5) for name in NAMES}
models = {}
for seed in range(3):
    for run, (kind, names, drop) in runs.items():
        model = FusedClassifier(FUSIONS[kind](names, 128, seed=seed), 10, drop=drop, seed=seed)
        models[run, seed] = train(model, queries, 200, draw, seed=seed)

# %% [markdown]
# The table shows the accuracy in percent, mean and standard deviation over three seeds. Chance is 10 %.
# If only the image is present, we test on all images, otherwise on the pairs.


# %%
def predict(model, image=None, speech=None):
    """Log-probabilities (N, 10) and true digits (N,) at these levels; None: missing."""
    levels = {"image": image, "speech": speech}
    given = [name for name in NAMES if levels[name] is not None]
    count = min(len(digits["test"][name]) for name in given)
    rows = {name: features["test", name, levels[name]][:count] for name in given}
    return model.predict(rows), torch.tensor(digits["test"][given[0]][:count])


for seed in range(3):
    bayes = BayesClassifier({name: models[name, seed] for name in NAMES}, 10)
    for name in NAMES:
        known = torch.cat([features["validation", name, level] for level in LEVELS])
        true = torch.tensor(np.tile(digits["validation"][name], len(LEVELS)))
        bayes.calibrate(name, known, true)
    models["experts", seed] = bayes
print("T of image and speech:", models["experts", 0].temperatures.numpy().round(2))

# %%
CASES = {"both clean": ("clean", "clean"), "both strong": ("strong", "strong")}
CASES |= {"image only": ("strong", None), "speech only": (None, "strong")}  # None: missing
scores, correct = [], {}
for (run, seed), model in models.items():
    for case, levels in CASES.items():
        if run in NAMES and levels[NAMES.index(run)] is None:
            continue  # a classifier of the other modality
        answers, true = predict(model, *levels)
        correct[run, case, seed] = (answers.argmax(dim=1) == true).numpy()
        scores.append((run, case, 100 * correct[run, case, seed].mean()))
grouped = pd.DataFrame(scores, columns=["run", "case", "accuracy"]).groupby(["run", "case"])
mean, deviation = grouped["accuracy"].mean().unstack(), grouped["accuracy"].std().unstack()
by_value = mean.sort_values("both strong", ascending=False).index
shown = (mean.map("{:.1f}".format) + " ± " + deviation.map("{:.1f}".format)).where(mean > 0, "")
print(shown.loc[by_value, list(CASES)].to_string())
gain = mean["both strong"].drop(list(NAMES)).min() - mean.loc["image", "both strong"]
exercises.verify("every fusion gains 10 points over the image", gain > 10)
for seed in range(3):
    assert (correct["experts", "image only", seed] == correct["image", "image only", seed]).all()

# %% [markdown]
# With both modalities, every fusion gains about 20 points or more over the better baseline. The fusions
# differ much less. Are these differences real?
#
# **A paired test.** An accuracy near 70 % on 480 rows has a standard error of
# $\sqrt{0.7 \cdot 0.3 / 480} = 2.1$ points. But two models are tested on the *same* rows, and mostly
# make the same mistakes. Only the rows where one model is correct and the other is wrong carry
# information about their difference: $n_1$ rows where the first is correct, and $n_2$ where the second
# is (the table shows $n_1 : n_2$). If the rows are independent and both models equally good, each of
# these rows is a fair coin. *McNemar's exact test* (1947) has the p-value
#
# $$p = \min\Big( 1,\; 2 \sum_{k=0}^{\min(n_1, n_2)} \binom{n_1 + n_2}{k} 2^{-(n_1 + n_2)} \Big)$$


# %%
def mcnemar(first, second):
    """Rows where only the first, only the second is correct; the exact p-value."""
    n_1, n_2 = (first & ~second).sum(), (~first & second).sum()
    p = min(1.0, 2 * binom.cdf(min(n_1, n_2), n_1 + n_2, 0.5))
    assert abs(p - binomtest(n_1, n_1 + n_2).pvalue) < 1e-9
    return n_1, n_2, p


comparisons = [("both strong", "experts", run) for run in (*NAMES, *LEARNED)]
comparisons += [("image only", "gated", "no dropout")]
tests = pd.DataFrame(columns=[0, 1, 2])
lead = pd.Series(0, index=[second for _, _, second in comparisons])
for case, first, second in comparisons:
    for seed in range(3):
        n_1, n_2, p = mcnemar(correct[first, case, seed], correct[second, case, seed])
        tests.loc[f"{case}: {first} : {second}", seed] = f"{n_1}:{n_2}, p = {p:.2g}"
        lead[second] += n_1 - n_2
print(tests.rename(columns="seed {}".format).to_string())
if not FULL:  # the full data have other test items
    points = lead[LEARNED].abs().max() / (3 * PAIRS)
    exercises.verify("learned fusions and experts differ by less than 5 points", points < 0.05)
    exercises.verify("without dropout the gated fusion loses", lead["no dropout"] > 0)

# %% [markdown]
# The experts are far better than each baseline. Six learned fusions with three seeds are 18 tests, so
# we demand $p < 0.05 / 18$ (Bonferroni). On one CPU the average and the weighted fusion reached this
# limit in one seed; on another CPU, which rounds differently, no fusion did. So the experts, which were
# not trained jointly, are about as good. Section 2 predicts this: the pairs are independent given the
# digit.
#
# With an image only, the gated fusion without dropout loses over the three seeds. The experts lose
# *exactly* nothing: their answers are those of the remaining expert.
#
# **Which modality does the gate use?** The heat map shows the weight of the image in the gated fusion:
# the mean of its gates over features and rows.

# %%
gate = pd.DataFrame(index=list(LEVELS), columns=list(LEVELS), dtype=float)
for image_level in LEVELS:
    for speech_level in LEVELS:
        predict(models["gated", 0], image_level, speech_level)
        weights = models["gated", 0].fusion.weights  # (N, 2), of the last call
        gate.loc[image_level, speech_level] = weights[:, 0].mean().item()
plt.figure(figsize=(5, 3.4))
axes = sns.heatmap(gate, annot=True, fmt=".2f", cmap="mako_r", cbar_kws={"label": "weight"})
axes.set(xlabel="degradation of the speech", ylabel="degradation of the image")
figures.show(
    "Figure 4. The gate gives a modality less weight where it is degraded (weight of the image).",
    alt="Heat map, four levels of the image by four of the speech. The weight of the image falls "
    "from top to bottom and rises from left to right.",
)
exercises.verify(
    "the gate gives a clean image beside noisy speech more weight than the reverse",
    gate.loc["clean", "strong"] > gate.loc["strong", "clean"] + 0.1,
)

# %% [markdown]
# ## 4. How much information do both modalities contain?
#
# **Question.** How many nats about the digit does each modality contain, and how many of them are the
# same?
#
# **Formula.** [03](03_variational_bounds.ipynb) has the lower bound of Barber and Agakov. For every
# classifier $q$,
#
# $$I(y; x) = H(y) + \mathbb{E} \ln p(y \mid x) = H(y) + \mathbb{E} \ln q(y \mid x) + \mathbb{E}\, \mathrm{KL}(p \,\|\, q) \;\ge\; H(y) + \mathbb{E} \ln q(y \mid x)$$
#
# because a divergence is never negative. We count $H(y)$ on the test pairs. Information that each
# modality contains is *redundancy*. Information that only both together contain is *synergy* (Williams
# and Beer 2010). Mutual information determines their difference:
#
# $$I(y; x_1) + I(y; x_2) - I(y; x_1, x_2) = \text{redundancy} - \text{synergy} = I(x_1; x_2) - I(x_1; x_2 \mid y)$$
#
# Our pairs are independent given the digit. So the last term is 0, and the difference is $I(x_1; x_2)$.

# %%
h_digit = entropy.sample_entropy(digits["test"]["speech"])  # of the pairs
bound_rows = []
for seed in range(3):
    for level in LEVELS:
        cases = {"image": (level, None), "speech": (None, level), "both": (level, level)}
        for given, levels in cases.items():
            answers, true = predict(models["experts", seed], *levels)
            log_q = answers[torch.arange(PAIRS), true[:PAIRS]]
            bound_rows.append((level, given, bounds.barber_agakov(log_q, h_digit).item()))
nats = pd.DataFrame(bound_rows, columns=["level", "given", "nats"])
plt.axhline(h_digit, label="H(digit)", **figures.TRUTH)
axes = sns.lineplot(nats, x="level", y="nats", hue="given", marker="o", errorbar="sd")
axes.set(xlabel="degradation", ylabel="lower bound of I, nats", xlim=(-0.3, 3.3), ylim=(0, 2.5))
figures.show(
    "Figure 5. The bound of both modalities together is above that of each (mean of 3 seeds).",
    alt="Three curves fall from clean to strong, below the dashed 2.30 nats of H(digit).",
)
bound_table = nats.pivot_table(index="level", columns="given", values="nats", sort=False)
bound_table["difference"] = bound_table["image"] + bound_table["speech"] - bound_table["both"]
print(bound_table.round(2).to_string())

# %% [markdown]
# The last column combines three lower bounds with different signs. So it bounds *nothing*: each bound
# is too low by its own divergence, and the difference can be too high or too low. For clean digits we
# know the truth. The digit is a function of each modality, so the difference is $H(\text{digit})$, and
# our estimate is too low. For degraded digits the truth is unknown. By the data processing inequality
# it is at most $H(\text{digit})$.
#
# **Pure synergy.** Take two *independent* digits $d_1, d_2$, all 100 pairs equally likely, and let
# the outcome be the last digit of their sum, $y = (d_1 + d_2) \bmod 10$. For every $d_1$, each $y$ has
# the probability 1/10. So $I(y; d_1) = 0$ and $I(y; d_2) = 0$. Both digits together determine $y$:
# $I(y; d_1, d_2) = H(y) = \ln 10$. All of it is synergy.
#
# ## 5. Can a fusion learn the sum from real digits?
#
# **Question.** The input is a clean image of $d_1$ and a clean recording of an *independent* $d_2$. The
# label is $y$. Which fusions can learn this task?
#
# **Idea.** With a linear classifier on $z$, the average gives each $y$ an *additive score*
# $f_y(x_1) + r_y(x_2)$. So do the weighted fusion and the product of experts. Additive scores fail here,
# for two reasons.
#
# 1. *An additive score is correct for at most three of four pairs.* Take images $x_1, x_1'$ of the
#    digits $d_1$ and $d_1 + 5$, and recordings $x_2, x_2'$ of $d_2$ and $d_2 + 5$, modulo 10. Let
#    $u = d_1 + d_2$. Two of the four pairs have the label $u$, and two have $u + 5$. Let
#    $F = f_u - f_{u+5}$ and $R = r_u - r_{u+5}$. If all four were classified correctly,
#
#    $$F(x_1) + R(x_2) > 0, \quad F(x_1') + R(x_2') > 0, \quad F(x_1') + R(x_2) < 0, \quad F(x_1) + R(x_2') < 0$$
#
#    The sum of the first two is positive. The sum of the last two has the same four terms, but would be
#    negative. All 100 pairs of digits, equally frequent, fall into such groups of four.
# 2. *Training does not even lead to 3/4.* Cross-entropy is convex in the scores. Where all scores are
#    equal, its derivative with respect to $f_y(x_1)$ is proportional to $1/10 - p(y \mid x_1) = 0$, and
#    the same holds for $r$. So equal scores are the minimum: a loss of $\ln 10$.
#
# ### Exercise 3 · ★★ · 2 minutes · predict
#
# Which of the six learned fusions can learn the sum? (a) all six, (b) gated, concatenation, bilinear
# and attention, (c) only the bilinear fusion, because it multiplies.

# %% tags=["exercise"]
my_prediction_2 = None  # "a", "b" or "c"

exercises.check("sum of two digits", my_prediction_2)


# %%
def pairs_for_sum(part, count):
    """Features of independent clean images and recordings, and the last digit of their sum."""
    chosen = {name: torch.randint(len(digits[part][name]), (count,)) for name in NAMES}
    pairs = {name: features[part, name, "clean"][chosen[name]] for name in NAMES}
    total = sum(torch.tensor(digits[part][name])[chosen[name]] for name in NAMES)
    return pairs | {"label": total % 10}


torch.manual_seed(SEED)
sums, new_sums = pairs_for_sum("train", 50_000), pairs_for_sum("test", 20_000)
result_rows = []
for seed in range(3):
    for run in (*NAMES, *LEARNED):
        kind, names, _ = runs[run]
        model = FusedClassifier(FUSIONS[kind](names, 128, seed=seed), 10, seed=seed)
        answers = train(model, sums, 200, seed=seed).predict(new_sums)
        hits = (answers.argmax(dim=1) == new_sums["label"]).double().mean().item()
        result_rows.append((run, hits, model.loss(answers, new_sums).item()))
results = pd.DataFrame(result_rows, columns=["run", "accuracy", "loss"]).groupby("run")
print(results.mean().sort_values("accuracy", ascending=False).round(3).to_string())

# %%
read = [readers[name].head(new_sums[name]).argmax(dim=1) for name in NAMES]
reference = (sum(read) % 10 == new_sums["label"]).double().mean().item()
bars = results["accuracy"].agg(["mean", "std"]).sort_values("mean")
axes = bars["mean"].plot.barh(xerr=bars["std"], figsize=(7.5, 3.2), xlim=(0, 1.05))
axes.axvline(0.1, color="C3", linestyle=":", label="chance level, 1/10")
axes.axvline(0.75, color="C1", linestyle="-.", label="upper bound of additive scores, 3/4")
axes.axvline(reference, label="classify both digits, add", **figures.TRUTH)
axes.set(xlabel="accuracy, mean and standard deviation of three seeds", ylabel="")
axes.legend(handles=axes.lines[-3:], loc="center left", bbox_to_anchor=(1.02, 0.5))
figures.show(
    "Figure 6. Only fusions that let the modalities interact learn the sum, with every seed.",
    alt="Bars, ordered by accuracy. Concatenation, gated, bilinear and attention reach 0.95, close "
    "to the dashed line at 0.97. Average and weighted have 0.11, image and speech 0.10, "
    "at the dotted chance level.",
)
accuracies, losses = bars["mean"], results["loss"].mean()
exercises.verify("one modality stays at chance level", accuracies[list(NAMES)].max() < 0.12)
additive, joint = ["average", "weighted"], ["gated", "concatenation", "bilinear", "attention"]
exercises.verify("additive scores keep a loss of ln 10", losses[additive].max() < np.log(10) + 0.03)
exercises.verify("the four other fusions learn the sum", accuracies[joint].min() > 0.9)

# %% [markdown]
# The additive scores keep a loss near $\ln 10$, as the proof says. Their accuracy is slightly above
# 1/10; the proof is about the loss, and the appendix explains the difference. The four other fusions
# nearly reach the dashed reference, which classifies both digits and adds them.
#
# If the modalities are independent given the outcome, adding log-probabilities is enough. If the answer
# depends on their *combination*, they must interact.
#
# ## What the article gets wrong
#
# The article computes a mean of the features, but its loss uses the features one by one. A fusion that
# no loss uses gets no gradient, so its weights are never learned.

# %%
unused_fusion = FUSIONS["weighted"](NAMES, 128, seed=SEED)
leaves = {name: sums[name][:64].clone().requires_grad_() for name in NAMES}
fused = unused_fusion(leaves)  # computed, and not used by the loss
loss = -bounds.info_nce(leaves["image"] @ leaves["speech"].T)
loss.backward()
print("gradient of the weights of the fusion:", unused_fusion.logits.grad)
assert unused_fusion.logits.grad is None

# %% [markdown]
# A mean also assumes that column 7 of one encoder means the same as column 7 of the other. Encoders
# that were trained separately have no common order of columns.

# %% [markdown]
# ## Appendix: why 11 % and not 10 %?
#
# A training sample never holds all pairs of digits equally often. Let $b(i, j)$ be the excess of the
# pair $(i, j)$ in the sample. A first gradient step from equal scores gives
# $f_y(i) \propto b(i, y - i)$ and $r_y(j) \propto b(y - j, j)$, modulo 10: digit $i$ was
# seen a little more often with the sum $y$. For a new pair $(i, j)$ the score of $y$ is
# $b(i, y - i) + b(y - j, j)$. For the correct $y = i + j$, both terms are the *same* number, so
# the score is $2\, b(i, j)$, with variance $4 v$ if each $b$ has variance $v$. A wrong $y$ has two
# different numbers, with variance $2 v$. The score with the larger spread is the maximum more often. We
# count this with random $b$, and repeat the training with shuffled labels, where the effect must
# vanish.

# %%
excess = np.random.default_rng(SEED).normal(size=(2000, 10, 10))
y = np.arange(10)
found = []
for i in range(10):
    for j in range(10):
        score = excess[:, i, (y - i) % 10] + excess[:, (y - j) % 10, j]  # (samples, outcomes)
        found.append(np.mean(score.argmax(axis=1) == (i + j) % 10))
noise_only = np.mean(found)

shuffled = sums | {"label": sums["label"][torch.randperm(50_000)]}
control = FusedClassifier(FUSIONS["average"](NAMES, 128, seed=SEED), 10, seed=SEED)
answers = train(control, shuffled, 200).predict(new_sums)
chance = (answers.argmax(dim=1) == new_sums["label"]).double().mean().item()
print(f"random excess {noise_only:.3f}, shuffled labels {chance:.3f}")
exercises.verify(
    "the average lies between chance and the simulation",
    0.105 < accuracies["average"] < noise_only and abs(chance - 0.1) < 0.01,
)

# %% [markdown]
# Such scores can be tiny: the loss stays at $\ln 10$, but the argmax ignores their size. A loss at
# chance level does not imply an accuracy at chance level.

# %% [markdown]
# ## Recap
#
# - We wrote seven fusions by hand. Each works when a modality is missing.
# - Bayes' rule is the best fusion of conditionally independent modalities. A plain mean can be worse
#   than one modality.
# - On degraded digits every fusion gained about 20 points, and a paired test found hardly any
#   difference between them. Modality dropout prepares a fusion for a missing modality.
# - Redundancy minus synergy follows from three mutual informations. A difference of lower bounds
#   bounds nothing.
# - Additive scores cannot learn a task of pure synergy.

# %% [markdown]
# ## Exercises
#
# Each check says whether an answer is correct, and why not. `hint=1` as a last argument shows a hint.
# Solutions:
# [notebook](solutions/05_fusion.ipynb), [in Colab](https://colab.research.google.com/github/simmim-lite/simmim-lite/blob/main/notebooks/solutions/05_fusion.ipynb).
#
# ### Exercise 4 · ★ · 2 minutes · choose
#
# For which task is a product of experts useless? (a) Recognize a spoken word from noisy sound and
# blurred lips. (b) Decide whether a caption belongs to an image. (c) Measure a temperature with two
# independent thermometers.

# %% tags=["exercise"]
my_choice = None  # "a", "b" or "c"

exercises.check("task for experts", my_choice)

# %% [markdown]
# ### Exercise 5 · ★★ · 2 minutes · function
#
# Write Bayes' rule for two experts and any prior, as probabilities.


# %% tags=["exercise"]
def my_product_of_experts(p_1, p_2, prior):
    """p(y | x_1, x_2) from p(y | x_1), p(y | x_2) and p(y), each (classes,)."""
    # your code


exercises.check("product of experts", my_product_of_experts)

# %% [markdown]
# ### Exercise 6 · ★★★ · 4 minutes · derive
#
# Several sensors measure the same number, with independent noise of standard deviations $\sigma_m$.
# Which weights $w_m$ with $\sum_m w_m = 1$ give the mean with the smallest variance
# $\sum_m w_m^2 \sigma_m^2$? Derive the formula, with a Lagrange multiplier for example, and return its
# values.


# %% tags=["exercise"]
def my_weights(sigma):
    """Weights (M,) of sensors with standard deviations sigma (M,)."""
    # your code


exercises.check("precision weights", my_weights)

# %% [markdown]
# ### Exercise 7 · ★★ · 3 minutes · function
#
# Compute synergy minus redundancy, $I(y; x_1, x_2) - I(y; x_1) - I(y; x_2)$, of a table
# $p(x_1, x_2, y)$. `entropy.mutual_information` takes a table of two variables.


# %% tags=["exercise"]
def my_synergy(table):
    """Nats; negative where x_1 and x_2 repeat each other. table has the axes x_1, x_2, y."""
    # your code


exercises.check("synergy", my_synergy)

# %% [markdown]
# ## What to try next
#
# - Shuffle the 128 columns of the speech features in training and test. Which fusions change, and why?
# - Test on 5,000 pairs, with five recordings for each image. Resample images and recordings separately
#   (a crossed bootstrap). Does the average now differ from the experts?
# - Replace the sum by $y = \max(d_1, d_2)$. Is an additive score now better than chance?
# - Train the gated fusion with a dropout of 0.1 and 0.9 instead of 0.5.

# %% [markdown]
# ## References
#
# - Arevalo, J., et al. (2017). Gated multimodal units for information fusion. https://arxiv.org/abs/1702.01992
# - Barber, D., & Agakov, F. (2003). The IM algorithm: a variational approach to information
#   maximization. NIPS 16. https://papers.nips.cc/paper/2003/hash/a6ea8471c120fe8cc35a2954c9b9c595-Abstract.html
# - Guo, C., et al. (2017). On calibration of modern neural networks. https://arxiv.org/abs/1706.04599
# - Hinton, G. E. (2002). Training products of experts by minimizing contrastive divergence. https://doi.org/10.1162/089976602760128018
# - Liu, Z., et al. (2018). Efficient low-rank multimodal fusion with modality-specific factors. https://arxiv.org/abs/1806.00064
# - McNemar, Q. (1947). Note on the sampling error of the difference between correlated proportions or percentages. https://doi.org/10.1007/BF02295996
# - Neverova, N., et al. (2016). ModDrop: adaptive multi-modal gesture recognition. https://arxiv.org/abs/1501.00102
# - Williams, P. L., & Beer, R. D. (2010). Nonnegative decomposition of multivariate information. https://arxiv.org/abs/1004.2515
#
# Previous: [04 · Encoders](04_encoders.ipynb) · Next: [06 · Multimodal information maximization](06_multimodal_infomax.ipynb)
