# %% [markdown]
# # 04 · Encoders
#
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/simmim-lite/simmim-lite/blob/main/notebooks/04_encoders.ipynb)
#
# *From pixels, sound, words and tables to vectors: convolution, spectrogram and word vectors by hand beside their exact answers, and how much an encoder is worth before it has learned anything.*
#
# **What you will learn**
#
# - what an **encoder** is, and why it can lose information but never add any;
# - **convolution** by hand, the size of its output, and the **receptive field**, by formula and measured;
# - the way from a **waveform** to a log-mel spectrogram, checked against SciPy and Parseval's identity;
# - **word vectors** whose inner products are a *pointwise mutual information*, known exactly;
# - how strong **untrained** encoders already are, and what training adds.
#
# **In the package**: `encoders`, `datasets`.
#
# <!-- measured -->
# About 50 minutes to work through.
# Measured: 54 s on 2 CPU cores, no GPU, Python 3.11, torch 2.14 (generated)
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
import seaborn as sns
import torch
import torch.nn.functional as F
from matplotlib.patches import Rectangle
from scipy import signal
from sklearn.datasets import load_wine
from torch import nn
from torchvision.models import ResNet18_Weights

from simmim_lite import datasets, encoders, entropy, exercises, figures
from simmim_lite.encoders import AudioEncoder, ImageEncoder, TabularEncoder, TextEncoder, Tokenizer
from simmim_lite.evaluation import linear_probe
from simmim_lite.training import Batches

figures.set_style()
torch.set_num_threads(1)  # these networks are too small to share

# %% [markdown]
# ## 1. What is an encoder?
#
# **Question.** An image is 784 numbers, a spoken word some thousands, a sentence a handful of words. How
# can they be compared?
#
# **Idea.** Turn each into a vector of the same length. An *encoder* is a function from one modality to
# vectors, and in this kit all of them keep one contract: $N$ items in, a matrix $(N, \text{dim})$ out.
# What does not change in training, such as checks, spectrograms or the numbers of words, is done once,
# by `prepare`.


# %%
def weights(module):
    return sum(parameter.numel() for parameter in module.parameters())


digits, speech, captions = datasets.load_digits(), datasets.load_speech(), datasets.load_captions()
wine, tokenizer = load_wine(), Tokenizer.from_texts(captions.texts)
kinds = {
    "image": (ImageEncoder(), digits.images),
    "speech": (AudioEncoder(speech.rate), speech.waveforms),
    "text": (TextEncoder(tokenizer), captions.texts),
    "table": (TabularEncoder(13), wine.data),
}
for name, (encoder, items) in kinds.items():
    prepared, vectors = encoder.prepare(items[:100]), encoder(items[:100])
    shapes = f"{tuple(prepared.shape)!s:17} -> {tuple(vectors.shape)}"
    print(f"{name:6} {shapes}, {weights(encoder):,} weights")
    assert vectors.shape == (100, encoder.dim) == (100, 128)

# %% [markdown]
# **Formula.** An encoder $f$ is a function, so *data processing* applies ([notebook 02](02_mutual_information.ipynb)):
# for any $Y$, such as the digit,
#
# $$I(Y; f(X)) \le I(Y; X)$$
#
# For captions all of it can be counted. The crudest encoder keeps the first $k$ words. It is a function
# of the one that keeps $k + 1$, so what it tells about the digit can only rise with $k$, and only up to
# $H(\text{digit})$, which is $\ln 10 = 2.303$ nats for ten equally frequent digits.

# %%
firsts = [[" ".join(text.split()[:k]) for text in captions.texts] for k in range(1, 6)]
told = [entropy.sample_mutual_information(digits.labels, first) for first in firsts]
print("1 to 5 words tell", ", ".join(f"{nats:.3f}" for nats in told), "nats about the digit")
assert np.all(np.diff(told) > 0)
assert abs(told[-1] - entropy.sample_entropy(digits.labels)) < 1e-9

# %% [markdown]
# So an encoder is not there to make information. It makes information *easy to read*, by a straight line
# or a distance, and throws away what does not matter. What matters has to be learned; that is what the
# next notebooks are about. First, the machines.
#
# ## 2. How does a network see?
#
# **Question.** A layer that joins each pixel to each output needs a weight for every pair, and would
# have to learn an edge anew at each place. What is the alternative?
#
# **Formula.** A *convolution* slides a small window over the image and takes the same weighted sum
# everywhere. With channels $c$ in, and one map for each $k$ out,
#
# $$y_k(i, j) = b_k + \sum_c \sum_{a, b} w_{k, c}(a, b)\; x_c(i + a, j + b)$$
#
# (strictly a cross-correlation: the window is not flipped). By hand, it is a sum over the window's nine
# places, each a shifted copy of the image:

# %%
image = kinds["image"][0].prepare(digits.images[digits.labels == 4][:1])[0, 0]
edge = torch.tensor([[-1.0, 0, 1], [-2, 0, 2], [-1, 0, 1]])  # Sobel's window: bright on the right?
windows = torch.stack([edge, edge.T])
places = [(a, b) for a in range(3) for b in range(3)]
maps = sum(windows[:, a, b, None, None] * image[a : a + 26, b : b + 26] for a, b in places)
assert torch.allclose(maps, F.conv2d(image[None, None], windows[:, None])[0], atol=1e-5)

untrained = kinds["image"][0].network[0].weight[:2].detach()
pictures = [image, *maps, *F.conv2d(image[None, None], untrained, padding=2)[0]]
titles = ("image", "left to right", "top to bottom", "untrained", "untrained")
figure, panels = plt.subplots(1, 5, figsize=(10, 2.3))
for panel, picture, title in zip(panels, pictures, titles, strict=True):
    panel.imshow(picture, cmap="RdBu", vmin=-picture.abs().max(), vmax=picture.abs().max())
    panel.set(title=title, xticks=[], yticks=[])
plt.show()

# %% [markdown]
# Blue is positive, red negative. Sobel's windows answer where brightness rises to the right, or
# downwards. The two on the right belong to the untrained encoder, and even they answer to edges.
#
# **How large is what comes out, and how far does it see?** A window of $k$ pixels that moves by $s$ over
# $n$ pixels with $p$ zeros on each side finds
#
# $$n' = \left\lfloor \frac{n + 2p - k}{s} \right\rfloor + 1$$
#
# places. One output depends on a square of the input, its *receptive field*. Each layer makes the field
# $r$ larger by $k - 1$ steps, and multiplies the step $j$ between neighbors by its stride:
#
# $$r' = r + (k - 1)\, j \qquad j' = s\, j$$
#
# We follow both through `ImageEncoder`, and *measure* the field, too: it is where the gradient of one
# output in the middle of the map, over 256 images of noise, is not zero.

# %%
network = ImageEncoder().eval().network
noise = torch.rand(256, 1, 28, 28, generator=torch.Generator().manual_seed(0), requires_grad=True)
size, field, step, seen = 28, 1, 1, []
for depth, layer in enumerate(network):
    if isinstance(layer, nn.Conv2d | nn.MaxPool2d):
        k, s, p = (np.ravel(part)[0] for part in (layer.kernel_size, layer.stride, layer.padding))
        size, field, step = (size + 2 * p - k) // s + 1, field + (k - 1) * step, step * s
        maps = network[: depth + 1](noise)
        middle = maps[:, :, size // 2, size // 2].sum()
        gradient = torch.autograd.grad(middle, noise)[0].abs().sum(dim=(0, 1))
        touched, title = gradient.nonzero(), f"{type(layer).__name__} {k} x {k}, stride {s}"
        seen.append((title, touched.min() - 0.5, field, gradient))
        measured = touched.amax(dim=0) - touched.amin(dim=0) + 1
        print(f"{title}: map of {size} x {size}, field {field}, measured {measured.tolist()}")
        assert maps.shape[2:] == (size, size)
        assert measured.tolist() == [field, field]

# %%
figure, panels = plt.subplots(1, 4, figsize=(10, 2.9))
for panel, (title, corner, field, gradient) in zip(panels, seen, strict=True):
    panel.imshow(gradient / gradient.max(), cmap="mako_r")
    panel.add_patch(Rectangle((corner, corner), field, field, fill=False, **figures.TRUTH))
    panel.set(title=title, xticks=[], yticks=[])
plt.show()

# %% [markdown]
# Dashed is the size by the formula. Not all of the field counts alike: the gradient fades towards the
# border, where fewer paths lead (Luo et al. 2016 call what is left the *effective* receptive field).
#
# Nothing in a convolution depends on the size of the image. `ImageEncoder` averages its last maps to
# $4 \times 4$ before the linear layer, so that the number of weights does not depend on it, either.
# A larger network behind the same contract is ResNet-18 (He et al. 2016), here torchvision's, with
# random weights. Its truth is the count that torchvision publishes, less what we exchange: the first
# layer, $3 \times 3$ for small images, and the last one.

# %%
for shape in ((28, 28), (40, 25), (32, 32, 3), (96, 96, 3)):
    encoder = ImageEncoder(channels=3 if len(shape) == 3 else 1)
    print(shape, "->", tuple(encoder(np.zeros((2, *shape), np.uint8)).shape), weights(encoder))
expected = ResNet18_Weights.DEFAULT.meta["num_params"] - 64 * 3 * (7**2 - 3**2) - 513 * (1000 - 128)
print(f"resnet18_encoder: {weights(encoders.resnet18_encoder()):,} weights, expected {expected:,}")
assert weights(encoders.resnet18_encoder()) == expected

# %% [markdown]
# ## 3. How does a network hear?
#
# **Question.** A spoken word is a long row of air pressures. Said again by the same person, hardly one
# of them is the same. What stays?
#
# **Idea.** Which frequencies sound, and when. Cut the waveform into short frames, fade each one in and
# out with a window $w$, and take its Fourier transform: the *power spectrogram*.
#
# **Formula.** For frame $t$, which begins at sample $t h$, and frequency $k$ of $n$
#
# $$P(k, t) = \Big| \sum_{m=0}^{n-1} w_m\, x_{th + m}\, e^{-2\pi i k m / n} \Big|^2
# \qquad w_m = \frac{1 - \cos(2\pi m / n)}{2}$$
#
# **Check.** SciPy computes the same, and *Parseval's identity* holds: in each frame the powers of all
# $n$ frequencies sum up to $n$ times the energy of the windowed samples. (Half of the frequencies are
# mirror images of the other half, and are counted twice.)

# %%
clip = speech.waveforms[np.flatnonzero(speech.labels == 7)[0]]
n, hop = 256, 80  # 32 and 10 milliseconds
starts = np.arange(0, len(clip) - n + 1, hop)
window = (1 - np.cos(2 * np.pi * np.arange(n) / n)) / 2
framed = window * np.stack([clip[start : start + n] for start in starts])
power = np.abs(np.fft.rfft(framed)) ** 2

options = {"nperseg": n, "noverlap": n - hop, "detrend": False, "scaling": "spectrum"}
spectra = signal.spectrogram(clip, speech.rate, "hann", mode="complex", **options)[2]
ours = encoders.power_spectrogram(torch.from_numpy(clip)[None], window=n, hop=hop)[0]
both_halves = power[:, 0] + 2 * power[:, 1:-1].sum(axis=1) + power[:, -1]
energy = (framed**2).sum(axis=1)
print(f"loudest frame: {both_halves.max():.6f} by Parseval, {n * energy.max():.6f} by the samples")
np.testing.assert_allclose(power.T, np.abs(spectra * window.sum()) ** 2, rtol=1e-3, atol=1e-6)
np.testing.assert_allclose(power.T, ours, rtol=1e-3, atol=1e-6)
np.testing.assert_allclose(both_halves, n * energy, rtol=1e-9)

# %% [markdown]
# Two more steps bring it closer to the ear, which tells 200 from 300 hertz more easily than 3,200 from
# 3,300, and hears ratios of loudness. The *mel scale* (O'Shaughnessy 1987) stretches the low frequencies;
# 40 triangles, evenly spaced on it, gather the powers; then comes the logarithm.
#
# $$\text{mel}(f) = 2595 \log_{10}\left(1 + \frac{f}{700}\right)$$

# %%
filters = encoders.mel_filters(speech.rate)
log_mel = encoders.log_mel(torch.from_numpy(clip)[None], filters)[0]
figure, panels = plt.subplots(2, 2, figsize=(10, 5))
end, high = 1000 * len(clip) / speech.rate, speech.rate / 2
panels[0, 0].plot(1000 * np.arange(len(clip)) / speech.rate, clip, linewidth=0.4)
panels[0, 0].set(title="waveform", xlabel="ms", xlim=(0, end))
decibels, view = 10 * np.log10(power.T + 1e-6), {"aspect": "auto", "origin": "lower"}
panels[0, 1].imshow(decibels, extent=(0, end, 0, high), cmap="mako", **view)
panels[0, 1].set(title="power spectrogram", xlabel="ms", ylabel="Hz")
panels[1, 0].plot(np.linspace(0, high, n // 2 + 1), filters[::3].T, linewidth=1)
panels[1, 0].set(title="every third mel filter", xlabel="Hz")
panels[1, 1].imshow(log_mel, extent=(0, end, 0, 40), cmap="mako", **view)
panels[1, 1].set(title="log-mel spectrogram", xlabel="ms", ylabel="filter")
for panel in panels[:, 1]:
    panel.grid(visible=False)
plt.show()
figures.audio_player(clip, speech.rate)

# %% [markdown]
# That is "seven", spoken by a synthesizer (with `SIMMIM_FULL=1`, by a human). The waveform has become a
# small picture, and `AudioEncoder` reads it from left to right, with convolutions and then a recurrent
# network over time.
#
# **Loudness.** Ten times softer is $2 \ln 10$ nats lower in every cell that is not silent. The distance
# to the microphone should not matter; so `prepare` divides each clip by its peak first.

# %%
both = torch.from_numpy(np.stack([clip, clip / 10]))
loud, soft = encoders.log_mel(both, filters, floor=1e-12)
one, other = AudioEncoder(speech.rate).prepare(both)
print(f"before: {(loud - soft).median():.4f} nats apart, prepared: {(one - other).abs().max():.6f}")
assert abs((loud - soft).median() - 2 * np.log(10)) < 1e-3
assert torch.allclose(one, other, atol=1e-4)

# %% [markdown]
# ## 4. How does a network read?
#
# **Question.** Words have no size and no distance. How does a sentence become a vector?
#
# **Idea.** Give each word a number, each number a vector that is learned (an *embedding*), and read the
# vectors in order with a recurrent network (a GRU, Cho et al. 2014), forwards and backwards. The plain mean
# of the word vectors, a *bag of words*, would be simpler. It cannot tell who is thick and who is thin:

# %%
sentences = ["a thick one, a thin eight", "a thin one, a thick eight"]
text, numbers = kinds["text"][0], tokenizer.encode(sentences)
bags, in_order = text.embedding(numbers).mean(dim=1), text(sentences)
print(numbers.tolist(), f"bags {torch.dist(*bags):.6f} apart, in order {torch.dist(*in_order):.3f}")
assert torch.dist(*bags) < 1e-5 < 0.1 < torch.dist(*in_order)

# %% [markdown]
# **What should a word's vector say?** Which company the word keeps. *Skip-gram* with negative sampling
# (Mikolov et al. 2013) gives each word $a$ a vector $v_a$, and each word $b$ another one, $u_b$, for its part
# as a neighbor. It trains $v_a \cdot u_b$ to tell pairs that stand in one sentence from $k$ times as many
# that were thrown together at random:
#
# $$\max\; \mathbb{E}_{p(a, b)} \ln \sigma(v_a \cdot u_b)
# + k\, \mathbb{E}_{p(a)\, p(b)} \ln \sigma(-v_a \cdot u_b)$$
#
# You have met this: with $k = 1$ it is the Jensen-Shannon objective of notebook 03. So the best answer is
# known, the log-ratio, here called *pointwise mutual information* (Levy and Goldberg 2014), less $\ln k$,
# as the strangers are $k$ times as many:
#
# $$v_a \cdot u_b = \text{PMI}(a, b) - \ln k \qquad
# \text{PMI}(a, b) = \ln \frac{p(a, b)}{p(a)\, p(b)}$$
#
# and its mean over the pairs is the mutual information of a word and its neighbor. To let the digits
# keep different company, we caption the 4,000 images once more, with one measure for all digits: "wide"
# now means wide, and not wide *for a one*. Then we count.

# %%
cuts = np.quantile(captions.measurements, [1 / 3, 2 / 3], axis=0)
terciles = (captions.measurements[:, :, None] > cuts.T).sum(axis=2)
texts = datasets.describe(np.column_stack([captions.cells[:, 0], terciles]))
words = Tokenizer.from_texts(texts)
met = torch.cat([torch.combinations(row[row > 0] - 2) for row in words.encode(texts)])
pairs = torch.cat([met, met.flip(1)])
joint = entropy.counts(*pairs.T.numpy()) / len(pairs)
met_at_all, alone = joint > 0, joint.sum(axis=0)
pmi = np.full_like(joint, -np.inf)
pmi[met_at_all] = np.log((joint / np.outer(alone, alone))[met_at_all])
truth = joint[met_at_all] @ pmi[met_at_all]
print(f"{len(pairs):,} pairs of {len(alone)} words; I(word; neighbor) = {truth:.4f} nats")
print("captions of a wide one:", sum(text.endswith("wide one") for text in texts))
assert abs(entropy.mutual_information(joint) - truth) < 1e-12

# %% [markdown]
# Now the training, which sees pairs, and no table. Strangers are drawn as often as they occur, as the
# formula wants (Mikolov et al. drew rare words more often).

# %%
k, generator = 5, torch.Generator().manual_seed(0)
v, u = (nn.Parameter(0.1 * torch.randn(len(alone), 16, generator=generator)) for _ in range(2))
optimizer = torch.optim.Adam([v, u], lr=0.05)
schedule = torch.optim.lr_scheduler.LinearLR(optimizer, 1, 0.01, total_iters=1500)
for _ in range(1500):
    a, b = pairs[torch.randint(len(pairs), (2048,), generator=generator)].T
    strangers = pairs[torch.randint(len(pairs), (2048, k), generator=generator), 1]
    near, far = (v[a] * u[b]).sum(dim=1), torch.einsum("id,ikd->ik", v[a], u[strangers])
    loss = -F.logsigmoid(near).mean() - F.logsigmoid(-far).sum(dim=1).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    schedule.step()
learned = (v @ u.T).detach().numpy() + np.log(k)

# %%
figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4), width_ratios=(1, 1.5))
left.scatter(pmi[met_at_all], learned[met_at_all], s=12)
left.axline((0, 0), slope=1, label="truth", **figures.TRUTH)
left.set(xlabel="exact PMI, nats", ylabel="v · u + ln k, nats")
left.legend()
table = pd.DataFrame(learned, words.vocabulary, words.vocabulary)
numerals = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
table = table.loc[["narrow", "wide", "thin", "thick", "upright", "slanted"], numerals]
sns.heatmap(table, annot=True, fmt=".1f", cmap="RdBu", center=0, cbar=False, ax=right)
right.set(title="v · u + ln k of an adjective and a digit")
right.tick_params(axis="y", rotation=0)
plt.show()

error, never = (learned - pmi)[met_at_all], learned[~met_at_all].max()
typical, estimate = np.sqrt(joint[met_at_all] @ error**2), joint[met_at_all] @ learned[met_at_all]
print(f"root mean square error {typical:.3f} nats; where the truth is -inf {never:.1f} at most")
print(f"mean of v · u + ln k over pairs {estimate:.4f}, exact mutual information {truth:.4f} nats")
assert typical < 0.06
assert abs(estimate - truth) < 0.01
assert never < -3

# %% [markdown]
# The vectors know that ones are narrow and zeros are wide, and the mean of what they know is the mutual
# information, to within a hundredth of a nat. The one pair that strays is the rarest, a "wide one", which
# training hardly ever met. Two digits never stand in one caption; their inner products keep falling
# as long as one trains.
#
# ## 5. What about tables?
#
# **Question.** Chemists measured 13 properties of 178 wines of three growers. One is below 1 in all of them,
# another goes up to 1,680, for no better reason than its unit. What should an encoder make of that?
#
# **Idea.** Nothing: it brings each column to mean 0 and deviation 1, by what it sees in training, and
# then two layers follow. A change of units must not change the vectors. (The encoder learns the means and
# variances in double precision, so that offsets and units change nothing.)

# %%
table, encoder = torch.tensor(wine.data).float(), TabularEncoder(13)
gap = (encoder(table) - encoder(table * 10.0 ** (torch.arange(13) % 4))).abs().max()
vectors, even = encoder.eval()(table).detach(), np.arange(178) % 2 == 0
right = linear_probe(vectors[even], wine.target[even], vectors[~even], wine.target[~even])
print(f"units: {gap:.4f}; grower {right:.3f}, guessing {np.mean(wine.target[~even] == 1):.3f}")
assert gap < 0.01 < 0.9 < right

# %% [markdown]
# ## 6. How good is an encoder that has learned nothing?
#
# **Question.** The vectors of the wines came from random weights, and still a straight line finds the
# grower. How much of what a trained network does is training?
#
# **Measure.** A *linear probe*: freeze the encoder, fit a softmax regression on its vectors of the
# training set, and count what is right on the test set, here 1,000 other images, and 480 clips of 12
# voices that the training set does not have. Beside the random encoders, three for each length of the
# vector, stand the same probe without any encoder, and encoders that saw labels in 250 steps of training.


# %%
def probe(name, encoder):
    with torch.no_grad():
        parts = [[encoder.eval()(rows) for rows in part.split(500)] for part in ready[name]]
    (train, test), (known, asked) = map(torch.cat, parts), labels[name]
    return linear_probe(train, known, test, asked)


pictures, clips = [digits, datasets.load_digits("test")], [speech, datasets.load_speech("test")]
networks = {"image": ImageEncoder, "speech": AudioEncoder}
labels = {"image": [part.labels for part in pictures], "speech": [part.labels for part in clips]}
ready = {"image": [ImageEncoder().prepare(part.images) for part in pictures]}
ready["speech"] = [AudioEncoder().prepare(part.waveforms) for part in clips]
rows = []
for name, network in networks.items():
    rows.append((name, ready[name][0][0].numel(), "none", probe(name, nn.Flatten())))
    for dim in (8, 32, 128, 512, 2048):
        for seed in range(3):
            right = probe(name, network(dim=dim, seed=seed))
            rows.append((name, dim, "untrained", right))


# %%
def train(name, encoder, steps=250):
    with encoders.seeded(0):
        head = nn.Linear(encoder.dim, 10)
    data = (ready[name][0], labels[name][0])
    batches = Batches(data, 128, transform=lambda b, g: (encoder.augment(b[0], g), b[1]))
    optimizer = torch.optim.AdamW([*encoder.parameters(), *head.parameters()], lr=2e-3)
    for x, y in map(batches.__getitem__, range(steps)):
        loss = F.cross_entropy(head(encoder(x)), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return encoder


for name, network in networks.items():
    rows.append((name, 128, "trained", probe(name, train(name, network()))))
ready["waveform"] = [torch.from_numpy(part.padded(0.7)) for part in clips]
labels["waveform"] = labels["speech"]
rows.append(("speech", 5600, "none, waveform", probe("waveform", nn.Flatten())))
found = pd.DataFrame(rows, columns=["modality", "numbers", "encoder", "right"])
found["wrong, %"] = 100 * (1 - found["right"])

# %%
look = {"hue": "modality", "style": "encoder", "markers": True, "dashes": False, "markersize": 9}
axes = sns.lineplot(found, x="numbers", y="wrong, %", errorbar=("pi", 100), **look)
axes.axhline(90, label="guessing", **figures.TRUTH)
axes.set(xscale="log", yscale="log", xlabel="numbers that the probe sees")
axes.legend(loc="center left", bbox_to_anchor=(1, 0.5))
plt.show()

# %%
mean = found.groupby(["modality", "encoder", "numbers"])["right"].mean()
print(mean.round(3).to_string())
assert mean["image", "untrained", 128] > 0.8
assert mean["image", "none", 784] < mean["image", "untrained", 2048] < mean["image", "trained", 128]
assert mean["speech", "none, waveform", 5600] + 0.5 < mean["speech", "none", 2680]
assert mean["speech", "untrained"].max() < mean["speech", "trained", 128]

# %% [markdown]
# Three random encoders stand at each length; lines join their means, and bands reach from the worst to the
# best. Guessing is dashed. Random weights are *far* above it: at 128 numbers they are about as good as the 784
# pixels, and longer random vectors are better still. None of them knows more than the pixels do; what
# they know is easier to read. (That random filters are hard to beat was noticed by Jarrett et al. 2009.)
# So "our encoder reaches 90 %" says nothing as long as the untrained one is not beside it.
#
# For speech the lesson is harsher. On the raw waveform three answers in four are wrong. On the log-mel
# spectrogram, a fixed formula without a single learned number, nearly all are right, and *every random
# network behind it makes that worse*. (These clips are a synthesizer's. On the human recordings that
# `SIMMIM_FULL=1` takes, random vectors of 512 numbers or more overtake the spectrogram.) Training pays in
# both cases, and with 128 numbers. But it used labels. How to get there without them, from pairs, is the
# subject of notebook 06.

# %% [markdown]
# ## What the article's version does
#
# The first article's network has two convolutions with windows of 3 and one zero on each side, and no pooling.
# By the formula of section 2, images of $32 \times 32$ stay that large. Its next layer expects
# $6 \times 6$.

# %%
f = nn.Sequential(nn.Conv2d(3, 64, 3, padding=1), nn.Conv2d(64, 128, 3, padding=1))
a, b = torch.rand(2, 2, 3, 32, 32)
try:
    nn.Linear(128 * 6 * 6, 1024)(f(a).flatten(1))
except RuntimeError as error:
    print(error)

# %% [markdown]
# With the size put right it runs, and nearly all of its weights sit in one layer. And as nothing bends
# between its two convolutions, together they are one linear map, which a single convolution could do:
# $f(a) + f(b) = f(a + b) + f(0)$.

# %%
with torch.device("meta"):  # to be counted, not filled
    linear = [nn.Linear(128 * 32 * 32, 1024), nn.Linear(1024, 512), nn.Linear(512, 10)]
total = weights(f) + sum(map(weights, linear))
print(f"{total:,}, {weights(linear[0]) / total:.1%} in one; ours {weights(ImageEncoder(3)):,}")
assert total == 134_824_330
assert torch.allclose(f(a) + f(b), f(a + b) + f(0 * a), atol=1e-5)

# %% [markdown]
# There is no second modality: both "views" are the same images through the same network (notebook 02
# shows what that makes of the information). The second article encodes three. Its formula for a
# convolution adds up all windows, which gives one map instead of one for each; and its formula for
# sound feeds the waveform to a recurrent network, though its text asks for a spectrogram. Section 6 shows
# what the spectrogram is worth.

# %% [markdown]
# ## Recap
#
# - We gave four kinds of things one contract, $(N, \ldots) \to (N, \text{dim})$, and counted what a shortened
#   caption still tells.
# - We convolved by hand, and measured receptive fields of 5, 9, 11 and 19 pixels where the formula says so.
# - We took a spoken word apart, in agreement with SciPy and with Parseval.
# - We trained word vectors, and found the pointwise mutual information in their inner products.
# - We saw random encoders far above chance, a fixed spectrogram worth more than the network behind it, and
#   training above both.

# %% [markdown]
# ## Exercises
#
# [Solutions](solutions/04_encoders.py).
#
# 1. A line of `n` pixels goes through layers with these windows, strides and zeros on each side. How long
#    is it in the end, and how many pixels in a row does one of its places see?


# %% tags=["exercise"]
def my_layers(n, kernels, strides, paddings):
    """Whole number, then three tuples with an entry a layer -> (size, field)."""
    # your code


exercises.check("layers", my_layers)

# %% [markdown]
# 2. At which frequencies do the mel filters peak? The first one begins at `low`, the last one ends at `high`,
#    and each reaches from the peak of the one before to the peak of the one after.


# %% tags=["exercise"]
def my_mel_peaks(low, high, mels):
    """Hertz, as an array (mels,)."""
    # your code


exercises.check("mel peaks", my_mel_peaks)

# %% [markdown]
# 3. What the word vectors of section 4 learn, from counts. Words that never meet get `-np.inf`.


# %% tags=["exercise"]
def my_pointwise_information(counts):
    """ln p(a, b) / (p(a) p(b)) in nats of an array of counts (A, B)."""
    # your code


exercises.check("pointwise information", my_pointwise_information)

# %% [markdown]
# ## References
#
# - He, K., et al. (2016). Deep residual learning for image recognition. https://arxiv.org/abs/1512.03385
# - Luo, W., et al. (2016). Understanding the effective receptive field in deep convolutional neural networks. https://arxiv.org/abs/1701.04128
# - Stevens, S. S., Volkmann, J., & Newman, E. B. (1937). A scale for the measurement of the psychological magnitude pitch. https://doi.org/10.1121/1.1915893
# - O'Shaughnessy, D. (1987). Speech communication: human and machine. Addison-Wesley (the formula of the mel scale).
# - Cho, K., et al. (2014). Learning phrase representations using RNN encoder-decoder for statistical machine translation. https://arxiv.org/abs/1406.1078
# - Mikolov, T., et al. (2013). Distributed representations of words and phrases and their compositionality. https://arxiv.org/abs/1310.4546
# - Levy, O., & Goldberg, Y. (2014). Neural word embedding as implicit matrix factorization. NeurIPS 27. https://papers.nips.cc/paper_files/paper/2014/hash/feab05aa91085b7a8012516bc3533958-Abstract.html
# - Jarrett, K., et al. (2009). What is the best multi-stage architecture for object recognition? https://doi.org/10.1109/ICCV.2009.5459469
# - Alain, G., & Bengio, Y. (2016). Understanding intermediate layers using linear classifier probes. https://arxiv.org/abs/1610.01644
#
# Previous: [03 · Variational bounds](03_variational_bounds.ipynb) · Next: [05 · Fusion](05_fusion.ipynb)
