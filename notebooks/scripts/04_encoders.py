# %% [markdown]
# # 04 · Encoders
#
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/simmim-lite/simmim-lite/blob/main/notebooks/04_encoders.ipynb)
#
# *How networks turn images, sound, words and tables into vectors: convolution, spectrogram, GRU, attention and word vectors by hand, and what training adds.*
#
# **What you will learn**
#
# - what an *encoder* is, and why an encoder can lose information but never add any;
# - *convolution*, *receptive field* and *normalization*, by hand and in PyTorch;
# - the way from a waveform to a *log-mel spectrogram*;
# - *GRU* and *attention*, two ways to read a sequence;
# - *word vectors* whose inner products approximate a *pointwise mutual information*;
# - what training, *augmentation* and *dropout* add to an untrained encoder.
#
# **Prerequisites**: [02](02_mutual_information.ipynb), derivatives, matrices, NumPy, and a first training loop in PyTorch.
#
# **In the package**: `encoders`, `datasets`.
#
# <!-- measured -->
# About 75 minutes to work through.
# Measured: 70 s on 2 CPU cores, no GPU, Python 3.11, torch 2.14 (generated)
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
import torch.nn.functional as F
from matplotlib.patches import Rectangle
from scipy import signal
from torch import nn

from simmim_lite import datasets, encoders, entropy, exercises, figures
from simmim_lite.encoders import AudioEncoder, ImageEncoder, TabularEncoder, TextEncoder, Tokenizer
from simmim_lite.evaluation import linear_probe
from simmim_lite.training import Batches

figures.set_style()
torch.set_num_threads(1)  # more threads do not make these small networks faster

# %% [markdown]
# ## 1. What is an encoder?
#
# **Question.** An image is 784 numbers, a spoken word several thousand, a caption a few words. How can we
# compare them?
#
# **Idea.** Map each item to a vector of one length, dim. An *encoder* $g$ is a function from the items of a
# *modality* (images, speech, text, tables) to such vectors. All encoders of the package keep one contract:
# `prepare` turns $N$ items into one tensor, once; `encode` is the network; `encoder(items)` does both.
#
# The simplest encoder is that of tables. It ignores units: it brings each column to mean 0 and variance
# 1, and then applies two linear layers with a ReLU after each. Our table has the thickness, slant and
# width of each digit.

# %%
digits, speech, captions = datasets.load_digits(), datasets.load_speech(), datasets.load_captions()
tokenizer = Tokenizer.from_texts(captions.texts)
image_encoder, speech_encoder = ImageEncoder(), AudioEncoder(speech.rate)
text_encoder, table_encoder = TextEncoder(tokenizer), TabularEncoder(columns=3)
examples = [
    ("images", image_encoder, digits.images[:100]),
    ("speech", speech_encoder, speech.waveforms[:100]),
    ("text", text_encoder, captions.texts[:100]),
    ("table", table_encoder, captions.measurements[:100]),
]
for name, encoder, items in examples:
    prepared, vectors = encoder.prepare(items), encoder(items)
    print(f"{name:6} prepared {tuple(prepared.shape)}, vectors {tuple(vectors.shape)}")
    assert vectors.shape == (100, encoder.dim)
figures.diagram("encoder_contract")
figures.show(
    "Figure 1. Four modalities, one contract: items are prepared once, and become vectors of one length.",
    alt="Four rows of boxes: images, waveforms, sentences and tables lead to a prepared tensor, then "
    "to a network, and all networks lead to one box, vectors of shape N by dim.",
)

# %% [markdown]
# **Can an encoder add information?** No. $g(X)$ is a function of $X$, so *data processing* applies
# ([notebook 02](02_mutual_information.ipynb)). For any $Y$, for example the digit,
#
# $$I(Y; g(X)) \le I(Y; X)$$
#
# For captions we can count both sides. Take the encoder that keeps only the first words of a caption. One
# word is a function of two, two of three, and so on. So more words never contain less information about
# the digit. Its upper bound is $H(\text{digit})$, which is $\ln 10 = 2.303$ nats for ten equally frequent
# digits.

# %%
information = []
for count in range(1, 6):
    kept = [" ".join(text.split()[:count]) for text in captions.texts]
    information.append(entropy.sample_mutual_information(digits.labels, kept))
    print(f"words kept: {count}, information about the digit: {information[-1]:.3f} nats")
exercises.verify("more words never contain less information", np.all(np.diff(information) >= 0))
complete = entropy.sample_entropy(digits.labels)
exercises.verify("five words determine the digit", abs(information[-1] - complete) < 1e-9)

# %% [markdown]
# An encoder does not create information. It makes information *easy to use*. Notebook 02 introduces *usable
# information*: what a simple predictor, such as one linear layer, can extract. Section 7 measures that.
#
# ## 2. How does a network see?
#
# **Question.** A layer that connects each pixel to each output must learn the same edge again at each
# place. What is the alternative?
#
# **Formula.** A *convolution* moves a small window over the image, and computes the same weighted sum
# everywhere. For input channels $c$ and output *feature maps* $m$,
#
# $$o_m(i, j) = b_m + \sum_c \sum_{i', j'} W_{m, c}(i', j')\; x_c(i + i', j + j')$$
#
# (Strictly, this is a cross-correlation: the window is not mirrored.) With a window of $3 \times 3$, the
# sum has nine terms for each channel. Each term is a shifted copy of the image.

# %%
image = ImageEncoder().prepare(digits.images[digits.labels == 4][:1])[0, 0]
sobel = torch.tensor([[-1.0, 0, 1], [-2, 0, 2], [-1, 0, 1]])  # brightness that rises to the right
windows = torch.stack([sobel, sobel.T])
maps = torch.zeros(2, 26, 26)
for i in range(3):
    for j in range(3):
        maps += windows[:, i, j, None, None] * image[i : i + 26, j : j + 26]
torch.testing.assert_close(maps, F.conv2d(image[None, None], windows[:, None])[0])
untrained = F.conv2d(image[None, None], ImageEncoder().network[0].weight[:2].detach(), padding=2)[0]
titles = ("image", "Sobel, left to right", "Sobel, top to bottom", "untrained 1", "untrained 2")
_, panels = plt.subplots(1, 5, figsize=(10, 2.3))
for panel, picture, title in zip(panels, [image, *maps, *untrained], titles, strict=True):
    panel.imshow(picture, cmap="RdBu", vmin=-picture.abs().max(), vmax=picture.abs().max())
    panel.set(title=title, xticks=[], yticks=[])
figures.show(
    "Figure 2. Convolutions respond to edges (blue: positive, red: negative), untrained ones as well.",
    alt="A handwritten four and four feature maps: vertical edges, horizontal edges, two untrained maps.",
)

# %% [markdown]
# **How large is the output, and how much does it see?** A window of $F$ pixels that moves in steps of $s$
# (the *stride*) over $M$ pixels, with $P$ zeros on each side, has
#
# $$M' = \left\lfloor \frac{M + 2P - F}{s} \right\rfloor + 1$$
#
# positions. One output depends on a square of the image, its *receptive field*, with side $R$. Let $J$ be
# the distance between neighbors in a map, in pixels of the image. Both start at 1, and each layer makes
#
# $$R' = R + (F - 1)\, J \qquad J' = s\, J$$
#
# | layer of `ImageEncoder` | $F$ | $s$ | $P$ | map $M'$ | field $R'$ | distance $J'$ |
# |---|---|---|---|---|---|---|
# | convolution | 5 | 2 | 2 | 14 | 5 | 2 |
# | convolution | 3 | 1 | 1 | 14 | 9 | 2 |
# | max pooling | 2 | 2 | 0 | 7 | 11 | 4 |
# | convolution | 3 | 1 | 1 | 7 | 19 | 4 |
#
# To check the table without the formula, we look for the pixels where the gradient of one output, summed
# over many images of noise, is not zero.

# %%
network = ImageEncoder().eval().network
noise = torch.rand(256, 1, 28, 28, generator=torch.Generator().manual_seed(0), requires_grad=True)
layers = [(0, 14, 5), (3, 14, 9), (6, 7, 11), (7, 7, 19)]  # index, size of the map, field
_, panels = plt.subplots(1, 4, figsize=(10, 2.7))
for panel, (layer, size, field) in zip(panels, layers, strict=True):
    maps = network[: layer + 1](noise)  # (256, channels, size, size)
    gradient = torch.autograd.grad(maps[:, :, size // 2, size // 2].sum(), noise)[0]
    gradient = gradient.abs().sum(dim=(0, 1))
    seen = gradient.nonzero()
    assert (seen.amax(dim=0) - seen.amin(dim=0) + 1).tolist() == [field, field]
    picture = panel.imshow(gradient / gradient.max(), cmap="mako_r")
    corner = seen.amin(dim=0).flip(0) - 0.5
    panel.add_patch(Rectangle(corner, field, field, fill=False, **figures.TRUTH))
    panel.set(title=f"field {field} x {field}", xticks=[], yticks=[])
plt.colorbar(picture, ax=panels, shrink=0.8, label="gradient / largest")
figures.show(
    "Figure 3. The receptive field grows from layer to layer, exactly as the formula says (dashed).",
    alt="Four squares of 28 by 28 pixels. The area with a gradient is 5, 9, 11 and 19 pixels wide and "
    "fills the dashed square of the formula. It fades towards its border in the last panel.",
)

# %% [markdown]
# In the last panel the gradient fades towards the border, because fewer paths lead there. Luo et al. (2016)
# call the part that remains the *effective* receptive field.
#
# **Normalization.** Between each convolution and its ReLU, `ImageEncoder` has a *batch normalization*
# (Ioffe and Szegedy 2015). It keeps the outputs on one scale, whatever the scale of the weights, and this
# makes training faster. For each map $m$, the mean and the variance go over all images of the batch and all
# positions:
#
# $$\hat{o}_m(i, j) = \gamma_m\, \frac{o_m(i, j) - \text{mean}_m}{\sqrt{\text{var}_m + \epsilon}} + \beta_m$$
#
# $\gamma_m$ and $\beta_m$ are learned, and start at 1 and 0. In *evaluation mode*, after `encoder.eval()`,
# the mean and the variance are running averages from training. *Layer normalization* (Ba et al. 2016) has
# the same formula, but the mean and the variance go over the components of one item, in both modes.
#
# In the package, the encoders of images, speech and tables use batch normalization. The text encoder uses
# no normalization. Layer normalization is part of the attention fusion in notebook 05.
#
# ### Exercise 1 · ★ · 2 minutes · predict
#
# We encode one image twice. The other 31 images of the batch differ. When does the vector of our image
# differ? **a**: never. **b**: in training mode only. **c**: in training mode and in evaluation mode.

# %% tags=["exercise"]
my_prediction_1 = None  # "a", "b" or "c"

exercises.check("batch matters", my_prediction_1)

# %%
convolution, normalization = ImageEncoder().network[:2]
maps = convolution(image_encoder.prepare(digits.images[:32])).detach()  # (32, 16, 14, 14)
batch_mean = maps.mean(dim=(0, 2, 3), keepdim=True)
batch_var = maps.var(dim=(0, 2, 3), correction=0, keepdim=True)
by_hand, package = (maps - batch_mean) / (batch_var + 1e-5).sqrt(), normalization(maps)
exercises.verify("batch norm by hand = PyTorch", torch.allclose(by_hand, package, atol=1e-3))

items = maps.flatten(start_dim=1)  # (32, 3136)
item_mean = items.mean(dim=1, keepdim=True)
item_var = items.var(dim=1, correction=0, keepdim=True)
by_hand, package = (
    (items - item_mean) / (item_var + 1e-5).sqrt(),
    F.layer_norm(items, items.shape[1:]),
)
exercises.verify("layer norm by hand = PyTorch", torch.allclose(by_hand, package, atol=1e-3))

for mode in ("training", "evaluation"):
    encoder = ImageEncoder().train(mode == "training")
    first = encoder(digits.images[range(32)])[0]
    second = encoder(digits.images[[0, *range(1000, 1031)]])[0]
    print(f"{mode} mode: the two vectors of the image are {torch.dist(first, second):.3f} apart")
exercises.verify("in evaluation mode the batch is irrelevant", torch.dist(first, second) < 1e-4)

# %% [markdown]
# ## 3. How does a network hear?
#
# **Question.** A spoken word is a long row of air pressures. When the same person says the word again,
# hardly any of these numbers is the same. What does not change?
#
# **Idea.** The same frequencies sound, in the same order. We cut the waveform into short *frames* of $L$
# samples, fade each frame in and out with a window $w$, and take the Fourier transform. The squared
# absolute values form the *power spectrogram*. For frame $t$ and frequency number $\nu$,
#
# $$S(t, \nu) = \Big| \sum_{l=0}^{L-1} w_l\, x_{t \cdot \text{hop} + l}\, e^{-2\pi \mathrm{i} \nu l / L} \Big|^2
# \qquad w_l = \frac{1 - \cos(2\pi l / L)}{2}$$
#
# **Check.** SciPy computes the same. And *Parseval's identity* holds: in each frame, the powers of all $L$
# frequencies add up to $L$ times the energy $\sum_l (w_l\, x_{t \cdot \text{hop} + l})^2$. (Half of the
# frequencies mirror the other half, so we count them twice.)

# %%
clip = speech.waveforms[np.flatnonzero(speech.labels == 7)[0]]
L, hop = 256, 80  # 32 and 10 milliseconds
starts = np.arange(0, len(clip) - L + 1, hop)
window = (1 - np.cos(2 * np.pi * np.arange(L) / L)) / 2
frames = window * np.stack([clip[start : start + L] for start in starts])
power = np.abs(np.fft.rfft(frames)) ** 2

options = {"nperseg": L, "noverlap": L - hop, "detrend": False, "scaling": "spectrum"}
spectra = signal.spectrogram(clip, speech.rate, "hann", mode="complex", **options)[2]
package = encoders.power_spectrogram(torch.from_numpy(clip)[None], window=L, hop=hop)[0]
np.testing.assert_allclose(power.T, np.abs(spectra * window.sum()) ** 2, rtol=1e-3, atol=1e-6)
np.testing.assert_allclose(power.T, package, rtol=1e-3, atol=1e-6)
all_powers = power[:, 0] + 2 * power[:, 1:-1].sum(axis=1) + power[:, -1]
energy = (frames**2).sum(axis=1)
print(f"loudest frame: sum of powers {all_powers.max():.4f}, {L} x energy {L * energy.max():.4f}")
exercises.verify("Parseval's identity holds in each frame", np.allclose(all_powers, L * energy))
figures.audio_player(clip, speech.rate)

# %% [markdown]
# Two more steps imitate the ear. First, the ear separates 200 from 300 hertz more easily than 3,200 from
# 3,300. So triangular filters sum the powers, evenly spaced on the *mel scale* (formula of O'Shaughnessy
# 1987):
#
# $$\text{mel} = 2595 \log_{10}\left(1 + \frac{\text{hertz}}{700}\right)$$
#
# Second, the ear hears ratios of loudness, so we take the logarithm: the *log-mel spectrogram*. (The package
# first adds 0.01, because of silence.) A sound with a tenth of the amplitude has a hundredth of each power,
# and so loses about $2 \ln 10 = 4.6$ nats in each loud cell. The distance to the microphone should not
# matter, so `AudioEncoder.prepare` divides each clip by its peak.

# %%
filters = encoders.mel_filters(speech.rate)  # (40, 129)
log_mel = encoders.log_mel(torch.from_numpy(clip)[None], filters)[0]
end, view = len(clip) / 8, {"aspect": "auto", "origin": "lower", "cmap": "mako"}
_, ((wave, spectrum), (triangles, mel)) = plt.subplots(2, 2, figsize=(10, 5.4))
wave.plot(np.arange(len(clip)) / 8, clip, linewidth=0.4)  # 8 samples a millisecond
wave.set(title="waveform", xlabel="ms", ylabel="amplitude")
spectrum.imshow(10 * np.log10(power.T + 1e-6), extent=(0, end, 0, 4000), **view)
spectrum.set(title="power spectrogram", xlabel="ms", ylabel="Hz")
triangles.plot(np.linspace(0, 4000, L // 2 + 1), filters[::3].T, linewidth=1)
triangles.set(title="every third mel filter", xlabel="Hz", ylabel="weight")
mel.imshow(log_mel, extent=(0, end, -0.5, 39.5), **view)
mel.set(title="log-mel spectrogram", xlabel="ms", ylabel="Hz (peak of filter)")
mel.set_yticks(range(0, 40, 13), (filters[::13].argmax(dim=1) * 8000 // L).tolist())
for panel, unit in ((spectrum, "dB"), (mel, "nats")):
    panel.grid(visible=False)
    plt.colorbar(panel.images[0], ax=panel, label=unit)
figures.show(
    "Figure 4. A spoken seven: a waveform becomes a small picture with most rows at low frequencies.",
    alt="Waveform, power spectrogram with bands, mel filters, and log-mel spectrogram of 40 rows.",
)

# %% [markdown]
# `AudioEncoder` applies convolutions along the time axis of this picture. Then it reads the columns in
# order. How?
#
# ## 4. How does a network read a sequence?
#
# **Question.** Spectrograms and sentences are *sequences* of vectors $x_1, x_2, \ldots$ of any length. (The
# vector of a word is learned, and is called its *embedding*.) How do we get one vector that depends on the
# order?
#
# **Idea 1: a state.** A *recurrent network* updates a state $h_t$ at each step. The *gated recurrent unit*
# (GRU, Cho et al. 2014) has two *gates* with values between 0 and 1. The reset gate $r_t$ decides how much
# of the old state enters a candidate $n_t$ for the new state. The update gate $z_t$ decides how much of the
# old state stays. $\sigma(a) = 1 / (1 + e^{-a})$, and $\odot$ multiplies component by component:
#
# $$r_t = \sigma(W_{ir} x_t + b_{ir} + W_{hr} h_{t-1} + b_{hr})$$
#
# $$z_t = \sigma(W_{iz} x_t + b_{iz} + W_{hz} h_{t-1} + b_{hz})$$
#
# $$n_t = \tanh(W_{in} x_t + b_{in} + r_t \odot (W_{hn} h_{t-1} + b_{hn}))$$
#
# $$h_t = (1 - z_t) \odot n_t + z_t \odot h_{t-1}$$
#
# These are PyTorch's formulas. (The final version of the paper has $W_{hn} (r_t \odot h_{t-1})$ in $n_t$.)

# %%
figures.diagram("gru")
figures.show(
    "Figure 5. One step of a GRU: the new state is a weighted mean of the old state and a candidate.",
    alt="Boxes: old state and input lead to an update gate and a reset gate. The reset gate multiplies "
    "the old state in the candidate. Candidate and old state, weighted by the update gate, give the new state.",
)
with encoders.seeded(0):
    cell, (x_t, h_old) = nn.GRUCell(64, 64), torch.randn(2, 5, 64)  # 5 inputs, 5 old states
W_ir, W_iz, W_in = cell.weight_ih.chunk(3)
W_hr, W_hz, W_hn = cell.weight_hh.chunk(3)
b_ir, b_iz, b_in = cell.bias_ih.chunk(3)
b_hr, b_hz, b_hn = cell.bias_hh.chunk(3)
r_t = torch.sigmoid(x_t @ W_ir.T + b_ir + h_old @ W_hr.T + b_hr)
z_t = torch.sigmoid(x_t @ W_iz.T + b_iz + h_old @ W_hz.T + b_hz)
n_t = torch.tanh(x_t @ W_in.T + b_in + r_t * (h_old @ W_hn.T + b_hn))
by_hand = (1 - z_t) * n_t + z_t * h_old
exercises.verify("one step by hand = GRUCell", torch.allclose(by_hand, cell(x_t, h_old), atol=1e-6))

# %% [markdown]
# `TextEncoder` and `AudioEncoder` run one GRU forwards and one backwards, and average the states over time
# (`AudioEncoder` also takes the maximum).
#
# **Idea 2: attention.** Every position looks at all positions at once (Vaswani et al. 2017). Each position
# has a *query*, a *key* and a *value*: three linear functions of its vector. The inner product of a query
# and a key is a score. A softmax turns the scores of one query into positive weights with sum 1. The output
# is the weighted sum of the values. With the queries, keys and values as rows of $Q$, $K$ and $V$,
#
# $$\text{attention}(Q, K, V) = \text{softmax}\left(\frac{Q K^\top}{\sqrt{d}}\right) V$$
#
# where $d$ is the length of a key, and the softmax goes over each row. Why $\sqrt{d}$? If the components of
# queries and keys are independent, with mean 0 and variance 1, then the inner product has variance $d$. The
# division brings it back to 1. Otherwise the softmax would put almost all weight on one position. No
# encoder of the package uses attention. Fusion (05) and memory (08) do.

# %%
figures.diagram("attention")
figures.show(
    "Figure 6. Attention of one query: scores become weights, and the output is a weighted sum of values.",
    alt="A query leads to three keys. Each key leads with a score to a box called softmax, from which "
    "three weights lead to three values. The values lead to the output, their weighted sum.",
)
sentences = ["a thick one, a thin eight", "a thin one, a thick eight"]
words = text_encoder.embedding(tokenizer.encode(sentences)).detach()  # (2, 6 words, 64)
with encoders.seeded(0):
    linear = torch.randn(3, 64, 64) / 8  # three random linear functions
Q, K, V = words[0] @ linear
weights = (Q @ K.T / 64**0.5).softmax(dim=1)  # (6 queries, 6 keys)
by_hand = weights @ V
torch.testing.assert_close(by_hand, F.scaled_dot_product_attention(Q, K, V))
print("weights of the query of the last word:", weights[-1].numpy().round(2))

bags, vectors = words.mean(dim=1), text_encoder(sentences)
attended = [F.scaled_dot_product_attention(*(sentence @ linear)).mean(dim=0) for sentence in words]
for name, both in (("bag of words", bags), ("attention", attended), ("GRU", vectors)):
    print(f"{name}: the vectors of the two sentences are {torch.dist(*both):.3f} apart")
exercises.verify("only the GRU sees the order", torch.dist(*attended) < 1e-5 < torch.dist(*vectors))

# %% [markdown]
# The last lines compare two sentences with the same words in another order. The mean of the word vectors,
# a *bag of words*, cannot distinguish them. Attention alone cannot either: if words change places, their
# outputs change places too, and the mean stays. (So Vaswani et al. add a vector for each position.) A GRU
# can.
#
# ## 5. What does a word vector contain?
#
# **Idea.** Words that occur together carry information about each other. *Skip-gram with negative
# sampling* (Mikolov et al. 2013) gives each word $x$ a vector $v_x$, and each *neighbor* $y$, a word of
# the same sentence, a vector $u_y$. The critic $f(x, y) = v_x \cdot u_y$ learns to separate *positive*
# pairs, which occur in one sentence, from *negative* pairs, whose words are drawn independently. For $k$
# negative pairs per positive pair, the objective is
#
# $$\max_f\; \mathbb{E}_{p(x, y)} \ln \sigma(f(x, y)) + k\; \mathbb{E}_{p(x)\, p(y)} \ln \sigma(-f(x, y))$$
#
# For $k = 1$ this is the *Jensen-Shannon objective*, which notebook 03 uses for mutual information. Its
# maximum is $2\, \text{JS} - \ln 4$, with the Jensen-Shannon divergence
#
# $$\text{JS} = \frac{1}{2} \text{KL}(p(x, y) \,\|\, \bar{p}) + \frac{1}{2} \text{KL}(p(x)\, p(y) \,\|\, \bar{p})
# \qquad \bar{p} = \frac{p(x, y) + p(x)\, p(y)}{2}$$
#
# For any $k$, and vectors that are long enough, the best critic is known (Levy and Goldberg 2014):
#
# $$f(x, y) = \text{PMI}(x, y) - \ln k \qquad \text{PMI}(x, y) = \ln \frac{p(x, y)}{p(x)\, p(y)}$$
#
# PMI is the *pointwise mutual information*. Its mean over positive pairs is the mutual information
# $I(X; Y)$.
#
# ### Exercise 2 · ★★ · 4 minutes · derive
#
# Put the steps of the proof in order. A pair contributes
# $p(x, y) \ln \sigma(f) + k\, p(x)\, p(y) \ln \sigma(-f)$.
#
# - **a**: Hence $e^f = p(x, y) \,/\, (k\, p(x)\, p(y))$.
# - **b**: At the maximum the derivative is 0: $p(x, y)\, \sigma(-f) = k\, p(x)\, p(y)\, \sigma(f)$.
# - **c**: Take the logarithm: $f = \text{PMI}(x, y) - \ln k$.
# - **d**: Differentiate in $f$, with $(\ln \sigma(f))' = \sigma(-f)$ and $(\ln \sigma(-f))' = -\sigma(f)$.
# - **e**: Divide by $\sigma(-f)$, and use $\sigma(f) / \sigma(-f) = e^f$.

# %% tags=["exercise"]
my_proof = None  # five letters, such as "abcde"

exercises.check("best critic", my_proof)

# %% [markdown]
# To know the truth, we count. We caption the 4,000 images again, now with one scale for all digits: "wide"
# means wide among all digits, not "wide for a one". All pairs of words in one caption are positive pairs.

# %%
cuts = np.quantile(captions.measurements, [1 / 3, 2 / 3], axis=0)
levels = sum((captions.measurements > cut).astype(int) for cut in cuts)  # 0, 1 or 2
texts = datasets.describe(np.column_stack([digits.labels, levels]))
vocabulary = Tokenizer.from_texts(texts)
pairs = []
for numbers in vocabulary.encode(texts):
    pairs.append(torch.combinations(numbers[numbers > 0] - 2))  # 0 is padding, words start at 2
pairs = torch.cat(pairs)
pairs = torch.cat([pairs, pairs.flip(1)])  # each pair in both orders
joint = entropy.counts(pairs[:, 0].numpy(), pairs[:, 1].numpy()) / len(pairs)
product = np.outer(joint.sum(axis=1), joint.sum(axis=0))
met = joint > 0  # words that occur in one caption
pmi = np.full_like(joint, -np.inf)
pmi[met] = np.log(joint[met] / product[met])
truth = (joint[met] * pmi[met]).sum()
print(f"{len(pairs):,} pairs of {len(joint)} words, I(word; neighbor) = {truth:.4f} nats")
print("captions of a wide one:", sum(text.endswith("wide one") for text in texts))
assert abs(truth - entropy.mutual_information(joint)) < 1e-12

# %% [markdown]
# The training sees pairs, never the table. The words of negative pairs are drawn as often as they occur.
# (Mikolov et al. drew rare words more often.)

# %%
k, generator = 5, torch.Generator().manual_seed(0)
v = nn.Parameter(0.1 * torch.randn(len(joint), 16, generator=generator))
u = nn.Parameter(0.1 * torch.randn(len(joint), 16, generator=generator))
optimizer = torch.optim.Adam([v, u], lr=0.05)
schedule = torch.optim.lr_scheduler.LinearLR(optimizer, 1, 0.01, total_iters=1500)  # to 0.0005
for _ in range(1500):
    word, neighbor = pairs[torch.randint(len(pairs), (2048,), generator=generator)].T
    negative = pairs[torch.randint(len(pairs), (2048, k), generator=generator), 1]
    scores = (v[word] * u[neighbor]).sum(dim=1)  # (2048,)
    negative_scores = (v[word][:, None] * u[negative]).sum(dim=2)  # (2048, k)
    value = F.logsigmoid(scores).mean() + k * F.logsigmoid(-negative_scores).mean()
    optimizer.zero_grad()
    (-value).backward()
    optimizer.step()
    schedule.step()
learned = (v @ u.T).detach().numpy() + np.log(k)
estimate = (joint[met] * learned[met]).sum()
print(f"mean over positive pairs: learned {estimate:.3f} nats, exact I {truth:.3f} nats")
exercises.verify("the estimate is within 0.01 nats of the truth", abs(estimate - truth) < 0.01)

# %%
names = vocabulary.vocabulary
frame = pd.DataFrame(learned, names, names)
adjectives = ["narrow", "wide", "thin", "thick", "upright", "slanted"]
numerals = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
_, (scatter, heat) = plt.subplots(1, 2, figsize=(11, 4.2), width_ratios=(1, 1.6))
scatter.scatter(pmi[met], learned[met], s=12)
scatter.axline((0, 0), slope=1, **figures.TRUTH)
scatter.text(-1.6, -2.6, "truth (dashed):\nlearned = exact")
scatter.text(-5.1, -3.75, "wide, one", fontsize=8)
scatter.set(xlabel="exact PMI, nats", ylabel="learned: v · u + ln k, nats")
look = {"annot": True, "fmt": ".1f", "cmap": "RdBu", "vmin": -4.5, "vmax": 4.5}
sns.heatmap(frame.loc[adjectives, numerals], ax=heat, cbar_kws={"label": "nats"}, **look)
heat.set(title="learned: v · u + ln k")
heat.tick_params(axis="y", rotation=0)
figures.show(
    "Figure 7. Inner products of word vectors, plus ln k, are close to the PMI except for the rarest pair.",
    alt="Left: learned against exact PMI, on the diagonal except one pair near minus five. Right: "
    "heat map of adjectives and digits; narrow one is 1.1, wide one about minus four.",
)

# %% [markdown]
# Ones are narrow and zeros are wide. The pair (wide, one) occurs in a single caption, so training hardly
# ever sees it.
#
# ## 6. How do we train an encoder?
#
# Here we train with labels. A linear layer maps the vector $g(x)$ to ten scores, and a softmax turns them
# into probabilities $q(y \,|\, x)$. An optimizer decreases the *cross-entropy*
# $-\frac{1}{B} \sum_i \ln q(y_i \,|\, x_i)$ of a batch of $B$ images. With few labels the network memorizes
# the training images and fails on new ones: it *overfits*. Two remedies:
#
# **Augmentation** makes new training examples: a random change of each item that keeps its label. We must
# know which changes keep the label. `ImageEncoder.augment` shifts images by up to 2 pixels.
# `AudioEncoder.augment` changes speed, pitch, position and loudness, adds noise, and blanks out some rows
# and columns.


# %%
def random_mirror(images, generator):
    chosen = torch.rand(len(images), 1, 1, 1, generator=generator) < 0.5
    return torch.where(chosen, images.flip(-1), images)


generator = torch.Generator().manual_seed(1)
two = image_encoder.prepare(digits.images[digits.labels == 2][[0] * 6])
seven = speech_encoder.prepare([clip] * 6)
examples = [
    ("shifted", two[:, 0], image_encoder.augment(two, generator)[:, 0]),
    ("maybe mirrored", two[:, 0], random_mirror(two, generator)[:, 0]),
    ("varied", seven.flip(1), speech_encoder.augment(seven, generator).flip(1)),
]
_, panels = plt.subplots(3, 6, figsize=(10, 4.8))
for row, (name, originals, changed) in zip(panels, examples, strict=True):
    for column, panel in enumerate(row):
        panel.imshow(changed[column] if column else originals[0], cmap="gray_r")
        panel.set(xticks=[], yticks=[], title=name if column else "original")
figures.show(
    "Figure 8. Shifts keep the digit, mirror images do not. The varied spectrograms are still a seven.",
    alt="Rows of a two that is shifted, a two that is mirrored in some copies, and a varied spectrogram.",
)

# %% [markdown]
# **Dropout** (Srivastava et al. 2014) sets each component of a vector to 0 with probability $\rho$ in each
# training step:
#
# $$\text{dropout}(a)_i = \frac{\text{keep}_i}{1 - \rho}\; a_i \qquad \text{keep}_i = 0 \text{ with probability } \rho, \text{ else } 1$$
#
# The mean of $\text{keep}_i$ is $1 - \rho$, so the scale $1 / (1 - \rho)$ keeps the mean of each component.
# In evaluation mode dropout does nothing. No network of the package contains dropout. We put it in front of
# the linear layer.

# %%
a, rate = torch.ones(100_000), 0.5
with encoders.seeded(0):
    keep = torch.empty_like(a).bernoulli_(1 - rate)
with encoders.seeded(0):
    torch.testing.assert_close(keep * a / (1 - rate), F.dropout(a, rate))
dropped = keep * a / (1 - rate)
print(f"values {dropped.unique().tolist()}, mean {dropped.mean():.3f} where the input is 1")
exercises.verify("dropout keeps the mean", abs(dropped.mean() - 1) < 0.01)
exercises.verify("in evaluation mode nothing changes", F.dropout(a, rate, training=False).equal(a))


# %% [markdown]
# The measure of success: a *linear probe* freezes the encoder, fits a softmax regression to the vectors
# of the training items, and reports the *accuracy*: the fraction of test items with the correct answer
# (Alain and Bengio 2016).


# %%
def train(encoder, data, *, steps=160, batch=50, augment=None, dropout=0.0, seed=0):
    """Train the encoder with labels, and return it; data are training and test items, see probe."""
    with encoders.seeded(seed):  # of the new layer, and of dropout
        head = nn.Sequential(nn.Dropout(dropout), nn.Linear(encoder.dim, 10))
        optimizer = torch.optim.AdamW([*encoder.parameters(), *head.parameters()], lr=2e-3)
        batches = Batches(data[:2], batch, seed=seed)
        generator = torch.Generator().manual_seed(seed)
        for step in range(steps):
            x, y = batches[step]
            if augment is not None:
                x = augment(x, generator)
            loss = F.cross_entropy(head(encoder(x)), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    return encoder


# %%
def probe(encoder, data):
    """Test accuracy of a linear probe; data are training items, labels, test items, labels."""
    encoder.eval()
    train_items, train_labels, test_items, test_labels = data
    with torch.no_grad():
        train_vectors = torch.cat([encoder(part) for part in train_items.split(500)])
        test_vectors = torch.cat([encoder(part) for part in test_items.split(500)])
    return linear_probe(train_vectors, train_labels, test_vectors, test_labels)


test_digits = datasets.load_digits("test")
image_data = (
    image_encoder.prepare(digits.images),
    digits.labels,
    image_encoder.prepare(test_digits.images),
    test_digits.labels,
)
every = len(digits) // 400  # 400 images, equally spaced
few_data = (image_data[0][::every], image_data[1][::every], *image_data[2:])
ways = {"nothing added": {}, "dropout": {"dropout": 0.5}}
ways["shifts"] = {"augment": ImageEncoder().augment}
ways["mirror images"] = {"augment": random_mirror}

# %% [markdown]
# ### Exercise 3 · ★ · 2 minutes · predict
#
# We train with 400 labels in four ways. Which way gives the *lowest* accuracy? **a**: nothing added. **b**:
# dropout with $\rho = 0.5$. **c**: shifts. **d**: mirror images, each with probability 1/2.

# %% tags=["exercise"]
my_prediction_2 = None  # "a", "b", "c" or "d"

exercises.check("worst remedy", my_prediction_2)

# %%
few_rows = []
for seed in range(3):
    few_rows.append(("untrained", probe(ImageEncoder(seed=seed), few_data)))
    for way, options in ways.items():
        encoder = train(ImageEncoder(seed=seed), few_data, seed=seed, **options)
        few_rows.append((way, probe(encoder, few_data)))
results = pd.DataFrame(few_rows, columns=["training", "accuracy"])
axes = sns.stripplot(results, x="accuracy", y="training", jitter=False, size=7)
means = results.groupby("training", sort=False)["accuracy"].mean()
for height, mean in enumerate(means):
    axes.text(mean, height - 0.2, f"mean {mean:.3f}", ha="center", fontsize=9)
axes.set(xlabel="accuracy on 1,000 test images (chance level 0.1)", ylabel="", ylim=(4.5, -0.6))
figures.show(
    "Figure 9. With 400 labels, shifts help and mirror images harm. Each dot is one seed.",
    alt="Accuracies of three seeds; means: untrained 0.82, nothing added 0.94, dropout 0.95, "
    "shifts 0.96, mirror images 0.90.",
)
ordered = means["mirror images"] + 0.01 < means["nothing added"] < means["shifts"] - 0.01
exercises.verify("shifts help and mirror images harm, by more than a standard error", ordered)

# %% [markdown]
# The standard error of an accuracy $A$ on $N$ test images is $\sqrt{A (1 - A) / N}$, here about 0.007.
# For a difference of two independent accuracies it is $\sqrt{2}$ times as large, 0.01. The gain of shifts
# and the loss of mirror images are larger. The gain of dropout is about as large as this error, so we
# cannot conclude that it helps.
#
# ## 7. How good is an encoder that has learned nothing?
#
# **Question.** How much does training add? We compare probes without an encoder (the *baseline*), of
# untrained encoders, and of encoders trained with all labels. The 480 test clips come from 12 voices that
# do not occur in training.

# %%
test_speech = datasets.load_speech("test")
speech_data = (speech_encoder.prepare(speech.waveforms), speech.labels)
speech_data += (speech_encoder.prepare(test_speech.waveforms), test_speech.labels)
waveforms, test_waveforms = (torch.from_numpy(part.padded(0.7)) for part in (speech, test_speech))
waveform_data = (waveforms, speech.labels, test_waveforms, test_speech.labels)
rows = [("speech", "waveform, no encoder", probe(nn.Flatten(), waveform_data))]
tasks = [("image", ImageEncoder, image_data), ("speech", AudioEncoder, speech_data)]
for name, kind, data in tasks:
    rows.append((name, "prepared, no encoder", probe(nn.Flatten(), data)))
    for dim in (8, 32, 128, 512):
        for seed in range(3):
            encoder = kind(dim=dim, seed=seed)
            rows.append((name, f"untrained, dim {dim}", probe(encoder, data)))
    encoder = train(kind(), data, steps=250, batch=128, augment=kind().augment)
    rows.append((name, "trained, dim 128", probe(encoder, data)))
table = pd.DataFrame(rows, columns=["modality", "encoder", "accuracy"])
accuracy = table.groupby(["modality", "encoder"], sort=False)["accuracy"].mean()
print(accuracy.unstack("modality")[["image", "speech"]].round(3).to_string())

# %%
table["error"] = 100 * (1 - table["accuracy"])
_, panels = plt.subplots(1, 2, figsize=(10, 3.6), sharex=True, sharey=True)
for panel, name in zip(panels, ("image", "speech"), strict=True):
    chosen = table["error"].where(table["modality"] == name)
    sns.stripplot(x=chosen, y=table["encoder"], jitter=False, size=7, color="C0", ax=panel)
    panel.axvline(90, **figures.TRUTH)
    panel.text(82, 5.9, "chance level, 90 %", ha="right")
    panel.set_xscale("symlog", linthresh=1)
    panel.set_xticks([0, 1, 3, 10, 30, 90], [0, 1, 3, 10, 30, 90])
    panel.set(title=name, xlabel="error of the probe, %", ylabel="", xlim=(-0.2, 120))
figures.show(
    "Figure 10. Untrained encoders are far better than chance; trained encoders are best.",
    alt="Errors in percent. Images: prepared 11, untrained 53 to 6, trained 1. Speech: waveform 76, "
    "prepared 2, untrained 60 to 7, trained 0. Chance is 90.",
)
best = accuracy["image", "trained, dim 128"] > accuracy["image", "untrained, dim 512"]
best &= accuracy["speech", "trained, dim 128"] > accuracy["speech", "untrained, dim 512"]
exercises.verify("trained encoders beat untrained ones of four times the length", best)

# %% [markdown]
# Untrained encoders are far better than chance. For images, 128 untrained components are about as good as
# all 784 pixels, and 512 are better. They contain no more information, but a linear layer can use more of
# it. (Jarrett et al. 2009 noticed how strong random filters are.) So an accuracy of 90 % says little
# unless we also report the untrained encoder.
#
# For speech, the probe is wrong in three of four clips on the raw waveform, and in 2 % on the log-mel
# spectrogram, a fixed formula without a learned number. *All untrained encoders are worse.* (These clips
# come from a speech synthesizer. On the human recordings that `SIMMIM_FULL=1` loads, untrained vectors of
# 512 components overtake the spectrogram.) Training gives the smallest errors, with only 128 components.
# But we used labels. Notebook 06 shows how to train without labels, from pairs.

# %% [markdown]
# ## What the article gets wrong
#
# The first article's network has two convolutions with windows of 3 and one zero on each side, and no
# pooling. By the formula of section 2, images of $32 \times 32$ keep their size (exercise 6 checks this).
# But the next layer expects maps of $6 \times 6$, so the program stops with an error. There is also no
# ReLU between the two convolutions. Each convolution is an affine map, so both together are one affine
# map. Away from the border, a single convolution with a window of 5 would do the same.
#
# The second article's formula for sound gives the waveform to a recurrent network, although its text asks
# for a spectrogram. Figure 10 shows how much the spectrogram is worth.

# %% [markdown]
# ## Recap
#
# - An encoder cannot add information. It makes information easy to use.
# - Convolutions use the same weights everywhere.
# - Batch normalization depends on the batch in training mode. Layer normalization never does.
# - A log-mel spectrogram makes a waveform usable without any learning.
# - A GRU reads in order. Attention is a weighted sum of values, and does not know the order.
# - Inner products of word vectors estimate the pointwise mutual information minus $\ln k$.
# - Augmentation helps if it keeps the label. Compare each encoder with chance, baseline and an untrained
#   encoder.

# %% [markdown]
# ## Exercises
#
# Each check says whether an answer is correct, and why not. `hint=1` as a last argument shows a hint. Solutions: [notebook](solutions/04_encoders.ipynb), [in Colab](https://colab.research.google.com/github/simmim-lite/simmim-lite/blob/main/notebooks/solutions/04_encoders.ipynb).
#
# ### Exercise 4 · ★ · 2 minutes · choose
#
# Your images are so large that only two fit into a batch. You want vectors that do not depend on the other
# image of the batch. Which normalization do you choose? **a**: batch normalization. **b**: layer
# normalization. **c**: none, dropout does the same.

# %% tags=["exercise"]
my_normalization = None  # "a", "b" or "c"

exercises.check("small batches", my_normalization)

# %% [markdown]
# ### Exercise 5 · ★★ · 3 minutes · find the bug
#
# This code should compute dropout as in section 6. Which line is wrong?
#
# ```python
# 1  def dropout(a, rate, training):
# 2      if not training:
# 3          return a * (1 - rate)
# 4      keep = torch.rand_like(a) > rate
# 5      return keep * a / (1 - rate)
# ```

# %% tags=["exercise"]
my_bug = None  # the number of the wrong line, such as "1"

exercises.check("wrong dropout", my_bug)

# %% [markdown]
# ### Exercise 6 · ★★ · 5 minutes · function
#
# A row of `size` pixels goes through layers with these windows $F$, strides $s$ and zeros $P$ on each side.
# How long is the last map, and how many pixels in a row does one of its positions see?


# %% tags=["exercise"]
def my_layers(size, windows, strides, paddings):
    """Whole number, and three tuples with one entry per layer -> (size, field)."""
    ...  # your code


exercises.check("layers", my_layers)

# %% [markdown]
# ## What to try next
#
# - Give `ImageEncoder` a `turn` of 15 degrees, and train with 400 labels again. Which rotation is too much?
# - Plot the error against the number of labels, with and without shifts.
# - Train word vectors with `k = 1` and `k = 20`. What happens to the pair (wide, one)?
# - Add a different random vector to each position before attention. Does the mean notice the order now?

# %% [markdown]
# ## References
#
# - Luo, W., et al. (2016). Understanding the effective receptive field in deep convolutional neural networks. https://arxiv.org/abs/1701.04128
# - Ioffe, S., & Szegedy, C. (2015). Batch normalization: accelerating deep network training by reducing internal covariate shift. https://arxiv.org/abs/1502.03167
# - Ba, J. L., Kiros, J. R., & Hinton, G. E. (2016). Layer normalization. https://arxiv.org/abs/1607.06450
# - O'Shaughnessy, D. (1987). Speech communication: human and machine. Addison-Wesley (the formula of the mel scale).
# - Cho, K., et al. (2014). Learning phrase representations using RNN encoder-decoder for statistical machine translation. https://arxiv.org/abs/1406.1078
# - Vaswani, A., et al. (2017). Attention is all you need. https://arxiv.org/abs/1706.03762
# - Mikolov, T., et al. (2013). Distributed representations of words and phrases and their compositionality. https://arxiv.org/abs/1310.4546
# - Levy, O., & Goldberg, Y. (2014). Neural word embedding as implicit matrix factorization. NeurIPS 27. https://papers.nips.cc/paper_files/paper/2014/hash/feab05aa91085b7a8012516bc3533958-Abstract.html
# - Park, D. S., et al. (2019). SpecAugment (the blank rows and columns of `AudioEncoder.augment`). https://arxiv.org/abs/1904.08779
# - Srivastava, N., et al. (2014). Dropout: a simple way to prevent neural networks from overfitting. https://jmlr.org/papers/v15/srivastava14a.html
# - Alain, G., & Bengio, Y. (2016). Understanding intermediate layers using linear classifier probes. https://arxiv.org/abs/1610.01644
# - Jarrett, K., et al. (2009). What is the best multi-stage architecture for object recognition? https://doi.org/10.1109/ICCV.2009.5459469
#
# Previous: [03 · Variational bounds](03_variational_bounds.ipynb) · Next: [05 · Fusion](05_fusion.ipynb)
