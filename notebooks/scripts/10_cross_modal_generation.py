# %% [markdown]
# # 10 · From any modality to any other
#
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/simmim-lite/simmim-lite/blob/main/notebooks/10_cross_modal_generation.ipynb)
#
# *Images, recordings and captions generated from one another; what a memory adds, including a class that no generator was trained on; and the numbers that reveal leak, collapse and copying.*
#
# **What you will learn**
#
# - how an embedding of one modality becomes the **condition** of a generator of another one;
# - which numbers **evaluate** generated items, and why a single number is not enough;
# - what a **memory** adds: a better generator of equal size, and a class without any training;
# - how to trace a sample to its **sources**, and what happens when a source is deleted;
# - how **class leak, collapse and copying** look, and which number reveals each.
#
# **Prerequisites**: [08](08_simulated_memory.ipynb), [09](09_generative_models.ipynb); embeddings, autoencoders, flows, and the Fréchet distance.
#
# **In the package**: `generation`, `memory`.
#
# <!-- measured -->
# About 75 minutes to work through.
# Measured: 87 s on 2 CPU cores, no GPU, Python 3.11, torch 2.14 (generated)
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
import time

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import torch

from simmim_lite import datasets, evaluation, exercises, figures, generation
from simmim_lite.encoders import AudioEncoder, ImageEncoder, TextEncoder, Tokenizer
from simmim_lite.memory import SimulatedMemory
from simmim_lite.multimodal import MultimodalInfoMax, Pairing
from simmim_lite.training import Batches, load_trained

figures.set_style()
FULL = os.environ.get("SIMMIM_FULL") == "1"  # MNIST and people's voices, and six times the steps
MORE = 6 if FULL else 1
FAST = False  # True: load stored weights; the long trainings stop after one step
ABSENT = 8  # the digit that no generator is trained on

# %% [markdown]
# ## 1. How does a query become a new item?
#
# **Question.** A recording says "three". How can a network draw a new image of a three?
#
# **Idea.** An embedder maps all modalities into one space (notebook 06). The embedding of the query is
# its *key*. The key is the *condition* of a generator (notebook 09), which was trained on the latents of an
# autoencoder. A *memory* (notebook 08) can add items that are found by the key.

# %%
figures.diagram("generation_path")
figures.show(
    "Figure 1. The path from a query to a new item. The lower row uses a memory.",
    alt="Upper row: query (recording), by an encoder to a key of 64 numbers, as a condition to a "
    "generator (flow), to a latent of 24 numbers, to a decoder and a new image. Lower row: the "
    "key searches a memory of items (image, recording, caption). Latents of found items go to the "
    "generator too, or, for a new class, the new latent is drawn around them.",
)


def take(pairs, rows):
    lists = {name: [pairs.data[name][i] for i in rows] for name in ("speech", "text")}
    return {"image": pairs.data["image"][rows]} | lists


train, test = (datasets.paired_digits(split=part, seed=0) for part in ("train", "test"))
seen, known = (np.flatnonzero(pairs.labels != ABSENT) for pairs in (train, test))
asked = test.labels[known]  # the digits of the test queries
print(f"{len(seen)} training triples, {len(known)} test triples without {ABSENT}")

# %% [markdown]
# The data are triples: an image, a recording of its digit, and a caption of the image. The test voices are
# not among the training voices. No generator is trained on the digit 8. It comes back in section 6.
#
# Three encoders make the shared space, as in notebook 06. In training, each image is paired with any
# recording of the same digit. (This is supervision at the level of classes.) Is the space good enough? For
# each test recording we take the nearest test image. *Precision@1* is the fraction in which it shows the
# spoken digit; chance is about 10 %. We measure it before and after training.

# %%
encoders = {
    "image": ImageEncoder(seed=0),
    "speech": AudioEncoder(seed=0),
    "text": TextEncoder(Tokenizer.from_texts(train.data["text"]), seed=0),
}
embedder = MultimodalInfoMax(encoders, 64, seed=0)


def precision():
    z = embedder.project(test.data)
    nearest = (z["speech"] @ z["image"].T).argmax(dim=1).numpy()
    return np.mean(test.labels[nearest] == test.labels)


before = precision()
pairing = Pairing(train.data, {"image": train.labels, "speech": train.labels})
embedder.fit(pairing, steps=1 if FAST else MORE * 180, batch_size=96, seed=0, progress=False)
if FAST:
    load_trained("10_embedder", embedder)
after = precision()
print(f"precision@1 of images for recordings: {before:.1%} before training, {after:.1%} after")
exercises.verify("training aligns the modalities", before < 0.25 and after > 0.85)

# %% [markdown]
# *Evaluation classifiers* are other networks with other seeds. They have no part in the generation. Their
# accuracy on real test items is the value of a generator whose items are as good as real ones. Items that
# are easier to recognize than real ones can exceed it.

# %%
classifiers = {
    "image": evaluation.EvaluationClassifier(ImageEncoder(seed=1001)),
    "speech": evaluation.EvaluationClassifier(AudioEncoder(width=32, hidden=32, seed=1002)),
}
for name, classifier in classifiers.items():
    classifier.fit(train.data[name], train.labels, steps=MORE * 120, progress=False)
    accuracy = classifier.coherence(test.data[name], test.labels)
    print(f"classifier of {name}: accuracy {accuracy:.1%} on real test items")

# %% [markdown]
# ## 2. How does a recording become an image?
#
# **Idea.** Two networks, as in notebook 09. An autoencoder turns images into 24 numbers and back. Its KL
# part has the weight 0.15, not 1: reconstructions get sharper, but the loss is no bound on $\ln p(x)$ any
# more. A flow learns the latents, scaled to mean 0 and variance 1, given a condition.
#
# In training, the condition of an image is the key of its own recording, of the image itself, or of its
# caption, drawn anew each time. So one generator accepts all three. `condition_batches` draws the latent
# from the encoder's Gaussian and the condition from the three keys. `make_condition` scales a unit vector
# of $d$ numbers by $\sqrt{d}$, so that its entries are of order 1.

# %%
prepare = encoders["image"].prepare
training_images = prepare(train.data["image"][seen])
test_images = prepare(test.data["image"][known])
vae = generation.image_vae(24, width=16, seed=0)
steps = 1 if FAST else MORE * 400
vae.fit(Batches({"x": training_images}, 64), steps=steps, beta=0.15, seed=0, progress=False)
if FAST:
    load_trained("10_autoencoder", vae)
space = generation.LatentSpace(vae, training_images)

triples = Pairing(take(train, seen))
keys = embedder.project(triples.items)
batches = generation.condition_batches(triples, keys, space.encode(training_images), 256)
flow = generation.RectifiedFlow(24, 64, width=192)
flow.fit(batches, steps=1 if FAST else MORE * 350, seed=0, progress=False)
if FAST:
    load_trained("10_flow", flow)

# %% [markdown]
# `CrossModalGenerator` walks along the path of Figure 1. Step by step, for recordings of new voices, it is
# four lines. We assert that both give the same images. The sampler's settings were chosen on voices and
# images held out of the *training* set: guidance of weight 4 from $t = 0.5$ on (earlier times decide about
# style), and noise of standard deviation 1.5 at the start, for more variety.

# %%
SETTINGS = {"guidance": 4.0, "guide_from": 0.5, "noise": 1.5}
speech = take(test, known)["speech"]

key = embedder.project({"speech": speech})["speech"]  # (N, 64), unit vectors
condition = key * 64**0.5
latent = flow.sample(condition, seed=0, **SETTINGS)
drawn = space.decode(latent)

image_generator = generation.LatentGenerator(space, flow, **SETTINGS)
generator = generation.CrossModalGenerator(embedder, {"image": image_generator})
assert torch.allclose(drawn, generator.generate(speech, "speech", "image", seed=0).samples)


# %%
def label_rows(axes, labels):
    for row, label in enumerate(labels):
        axes[10 * row].text(-4, 14, label, ha="right", va="center", fontsize=10)


columns = np.concatenate([np.flatnonzero(asked == digit)[:2] for digit in (1, 2, 3, 5, 9)])
image_rows = [drawn[columns, 0], test_images[columns, 0]]
axes = figures.pictures(torch.cat(image_rows), [*asked[columns], *[""] * 10])
label_rows(axes, ["generated", "real"])
figures.show(
    "Figure 2. Images from recordings of new voices, and real test images of the same digits.",
    alt="Two rows of ten images, titled by the spoken digit: two each of 1, 2, 3, 5 and 9. The "
    "generated row shows these digits in varied handwriting, similar to the real row.",
)

# %% [markdown]
# ## 3. How good are the images?
#
# **Formulas.** Let $h$ be the features of the evaluation classifier. Five numbers together:
#
# - *digit accuracy*: the fraction in which the classifier sees the digit that was asked for;
# - the *Fréchet distance* of notebook 09, $| \mu - \mu' |^2 + \text{tr}(C + C' - 2 (C C')^{1/2})$, to a
#   half of the real test images, in *units of real training images*: divided by the same distance of
#   equally many real training images;
# - *coverage* (Naeem et al. 2020): the fraction of real images that have a generated one in their ball. The
#   ball of a real image reaches to its 5th nearest real neighbor. Samples of the same distribution, equally
#   many, have a coverage of about $1 - 2^{-5} = 0.97$;
# - *diversity*: the mean distance of $h$ between two images asked for the same digit, divided by that of real
#   test images;
# - *copy distance*: the mean Euclidean distance of the pixels to those of the nearest training image,
#   divided by that of real test images. A copy has 0, and new images have about 1.
#
# One half of the real test images is the reference of the Fréchet distance and the coverage. Each row of the
# table below has as many images as the other half.

# %%
reference = evaluation.RealItems(classifiers["image"], test_images, asked, training_images)
half = reference.halves[0]
digits_seen = train.labels[seen]
counts = np.bincount(asked[half], minlength=10)
each = [np.flatnonzero(digits_seen == d)[:count] for d, count in enumerate(counts)]
unit_rows = np.concatenate(each)
unit = reference.measure(training_images[unit_rows], digits_seen[unit_rows])["frechet"]


def measure(images, digits=asked[half]):
    found = pd.Series(reference.measure(images, digits)).drop("density")
    return found.rename({"coherence": "accuracy"}) / [1, unit, 1, 1, 1]


scores = {
    "flow": measure(drawn[half]),
    "real test half": measure(test_images[half]),
    "real training": measure(training_images[unit_rows], digits_seen[unit_rows]),
}
print(pd.DataFrame(scores).T.round(2).to_string())
exercises.verify("most images show the digit", scores["flow"]["accuracy"] > 0.8)
assert FULL or 2 < scores["flow"]["frechet"] < 4
exercises.verify("they reach most real images", scores["flow"]["coverage"] > 0.6)
exercises.verify("they are no copies", scores["flow"]["copy_distance"] > 0.7)

# %% [markdown]
# Row "real test half" is the other half: new real images get these numbers. Row "real training" has the
# Fréchet distance 1 by definition, and the copy distance 0. The flow's images have the correct digit, reach
# most real images and are no copies. But they vary a little less than real ones, and their Fréchet distance
# is about three units.
#
# ## 4. And in the other directions?
#
# **Idea.** Recordings are generated like images: an autoencoder of log-mel spectrograms (notebook 04), and
# a flow of its latents. A spectrogram has no phases, which a waveform needs. The algorithm of Griffin and
# Lim (1984) repeats two steps until both agree: make a waveform, and replace the magnitudes of its spectrum
# by the given ones. Captions are generated word by word: a recurrent network (notebook 04) gets the key at
# each word, and is trained to give the next word a high probability.

# %%
spectrograms = encoders["speech"].prepare(triples.items["speech"])
speech_vae = generation.speech_vae(spectrograms.shape[2], 32, width=16, seed=0)
speech_vae.fit(Batches({"x": spectrograms}, 32), steps=MORE * 150, seed=0, progress=False)
speech_space = generation.LatentSpace(speech_vae, spectrograms)
latents = speech_space.encode(spectrograms)
speaker = generation.RectifiedFlow(32, 64, width=192)
batches = generation.condition_batches(triples, keys, latents, 256)
speaker.fit(batches, steps=MORE * 250, seed=0, progress=False)

words = encoders["text"].prepare(triples.items["text"])
writer = generation.CaptionDecoder(encoders["text"].tokenizer, 64, seed=0)
batches = generation.condition_batches(triples, keys, words, 128)
_ = writer.fit(batches, steps=MORE * 180, seed=0, progress=False)

# %% [markdown]
# We query every direction with 90 test triples, ten of each digit. Griffin-Lim turns a generated recording
# into a *waveform*, and the speech classifier gets the spectrogram of this waveform. In a caption, the last
# word names the digit. With 90 queries a 95 % *Wilson interval* (notebook 13 has its formula) is a few
# points wide. Chance is 1 in 9.

# %%
voice = {"guidance": 4.0, "guide_from": 0.3, "noise": 1.1}  # chosen like SETTINGS
targets = {
    "image": image_generator,
    "speech": generation.LatentGenerator(speech_space, speaker, **voice),
    "text": writer,
}
generator = generation.CrossModalGenerator(embedder, targets)
ninety = np.concatenate([known[asked == digit][:10] for digit in np.unique(asked)])
names = {
    digit: text.split()[-1] for digit, text in zip(test.labels, test.data["text"], strict=True)
}


def is_correct(samples, modality):
    if modality == "text":
        return np.array([t.split()[-1] for t in samples]) == [names[d] for d in test.labels[ninety]]
    if modality == "speech":
        samples = generation.to_waveforms(samples, encoders["speech"])
    return classifiers[modality].classify(samples) == test.labels[ninety]


# %%
queries, made, cells = take(test, ninety), {}, {}
for source in queries:
    for target in targets:
        out = generator.generate(queries[source], source, target, seed=0).samples
        interval = evaluation.wilson_interval(is_correct(out, target))
        made[source, target] = out
        cells[source, target] = "{:.2f} [{:.2f}, {:.2f}]".format(*interval)
        assert interval[0] > 0.8
print("digit accuracy with 95 % interval, query (rows) to target (columns), chance 0.11")
print(pd.Series(cells).unstack().loc[[*queries], [*targets]].to_string())

# %% [markdown]
# ### Exercise 1 · ★★ · 2 minutes · predict
#
# The *signal-to-noise ratio* (SNR) of a waveform $y$ with reference $r$, in decibels, is
#
# $$\text{SNR} = 10 \log_{10} \frac{\sum_i r_i^2}{\sum_i (y_i - r_i)^2}$$
#
# We take a *real* recording, compute its spectrogram, and turn it back into a waveform by Griffin-Lim,
# scaled to the same energy. It sounds nearly the same. Its SNR is (a) above 20 dB, (b) about 10 dB, (c) near
# 0 dB or below.

# %% tags=["exercise"]
my_prediction_1 = None  # "a", "b" or "c"

exercises.check("ratio of a phase", my_prediction_1)

# %%
real_spectrograms = encoders["speech"].prepare(queries["speech"])
waves = generation.to_waveforms(real_spectrograms, encoders["speech"])
again = encoders["speech"].prepare(list(waves.numpy()))
recording = torch.from_numpy(queries["speech"][0][: waves.shape[1]])
y = waves[0, : len(recording)] * recording.norm() / waves[0, : len(recording)].norm()
snr = 10 * torch.log10((recording**2).sum() / ((y - recording) ** 2).sum())
assert torch.isclose(snr, evaluation.snr(y[None], recording[None])[0], atol=1e-3)
recognized = classifiers["speech"].coherence(again, test.labels[ninety])
print(f"SNR {snr:.1f} dB; digit accuracy of the 90 waveforms {recognized:.2f}")
exercises.verify("the SNR is near 0 dB or below", snr < 3)
exercises.verify("the words are still recognized", recognized > 0.8)

spoken = generation.to_waveforms(made["image", "speech"][5::10], encoders["speech"])
figures.audio_player(spoken.flatten().numpy(), encoders["speech"].rate)

# %% [markdown]
# The SNR compares sample by sample, and other phases give other samples. SNR measures reconstruction,
# where a single output is correct. For a query in another modality many outputs are correct. The player
# plays recordings that were generated from nine images, one of each digit but 8.
#
# ## 5. What does a memory add?
#
# **Question.** Two networks have equally many weights, steps and queries. The condition of the first one is
# the key of the query. The condition of the second one also contains what the query found in a memory.
# Which network is better?
#
# **Idea.** A memory item is a triple. Items are found by keys of the *query's own* modality, and the image of
# the found triple is used (notebook 08). The search finds 64 items. Their weights are a softmax of their
# cosines $u_i$ with the key of the query, with inverse temperature $\beta = 32$:
#
# $$p_i = \frac{e^{\beta u_i}}{\sum_j e^{\beta u_j}}$$
#
# We draw one of the 64 by weight, and take the four found items whose latents are nearest to it, itself
# included. The network receives the mean of these four latents. In training it receives the mean of the four
# nearest neighbors of the target, *without the target itself*; otherwise it would learn to copy. The network
# without memory gets zeros in the same 24 columns. Both are conditional autoencoders (`image_vae` with a
# condition), trained briefly, with three seeds each.


# %%
def remember(memory, rows):
    values = take(train, rows)
    latents = space.encode(prepare(values["image"]))[0]
    return memory.write(embedder.project(values), values, instance={"image": latents})


memory = SimulatedMemory(64)
remember(memory, seen)
hits = memory.read(key, "speech", 64, mode="attend", beta=32.0)
four = memory.style_neighbors(hits, "image", 4, generator=torch.Generator().manual_seed(0))
retrieved = torch.tensor(np.array(four.values("image")))[:, :, None] / 255

cosines = key[0] @ memory.keys(hits.ids[0], "speech").T
assert torch.allclose((32 * cosines).softmax(dim=0), hits.weights[0], atol=1e-5)

# %%
found_latents = memory.keys(four.ids, "image", by="instance").mean(dim=1)
neighbors = generation.neighbor_means(space.encode(training_images)[0], 4)
runs, arms = [], {}
for seed in range(3):
    for arm, factor in (("no memory", 0), ("memory", 1)):
        network = generation.image_vae(24, 64 + 24, width=16, seed=seed)
        batches = generation.condition_batches(
            triples, keys, training_images, 64, latents=factor * neighbors, seed=seed
        )
        network.fit(batches, steps=MORE * 60, seed=seed, progress=False)
        condition_both = generation.make_condition(key, factor * found_latents)
        arms[arm] = network.sample(condition_both, seed=seed)
        runs.append((seed, arm, measure(arms[arm][half])["frechet"]))
frechet = pd.DataFrame(runs, columns=["seed", "arm", "frechet"]).pivot(
    index="seed", columns="arm", values="frechet"
)
print(frechet.round(1).to_string())
lower = 1 - frechet["memory"] / frechet["no memory"]
print(f"memory lowers the Fréchet distance by {lower.mean():.0%}, at least by {lower.min():.0%}")
exercises.verify("memory helps with every seed", lower.min() > 0.25)

# %% [markdown]
# Memory helps this network a lot. But does it make the network *good*? Three controls belong beside it: a
# *retrieved* image itself, the *pixel mean* of the four retrieved images, and the flow, which has no
# memory. Memory also costs time for the search; the next cell compares it with the time of the flow.
#
# ### Exercise 2 · ★ · 1 minute · predict
#
# Which number reveals that a retrieved image is no generated one? (a) digit accuracy, (b) diversity, (c) copy
# distance.

# %% tags=["exercise"]
my_prediction_2 = None  # "a", "b" or "c"

exercises.check("a retrieved image", my_prediction_2)

# %%
candidates = {"flow": drawn} | arms
candidates |= {"retrieved": retrieved[:, 0], "pixel mean": retrieved.mean(dim=1)}
controls = pd.DataFrame({name: measure(images[half]) for name, images in candidates.items()}).T
controls.loc["real training"] = scores["real training"]
print(controls.round(2).to_string())
blurred = controls.loc["pixel mean", "frechet"] < controls.loc["memory", "frechet"]
exercises.verify("the pixel mean is nearer than the small network", FULL or blurred)
exercises.verify("retrieval copies", controls.loc["retrieved", "copy_distance"] < 1e-3)

started = time.process_time()  # CPU seconds
flow.sample(condition, seed=0, **SETTINGS)
sampled = time.process_time()
memory.read(key, "speech", 64, mode="attend", beta=32.0)
search_seconds, flow_seconds = time.process_time() - sampled, sampled - started
print(f"the flow takes {flow_seconds / search_seconds:.0f} times as long as the search")

# %% [markdown]
# Rows "no memory" and "memory" are the networks of the last seed. A retrieved image is as correct and as
# diverse as a real one, because it *is* a real one: its copy distance is 0. The mean of four retrieved
# images needs no training. It is nearer to real images than the output of the small network that received
# the latents of the same four. So "memory helps" is true and is not enough: compare with simple controls
# too. The flow gives new images that are neither copies nor blurred.
#
# ## 6. Can it draw a digit that it was never trained on?
#
# **Question.** No generator has seen an 8. Now 8s are written to memory, with recordings and captions. How
# many are needed? There is no gradient step from here on.
#
# **Idea.** If most of the weight of the found items is on items written *after training*, the sample is
# drawn *around these new items* (Figure 1, lower row). One of them, with latent $a$, is drawn by weight. Let
# $m$ be the mean of the four latents $z_j$ of new items nearest to $a$ (itself included). `sample_around`
# returns
#
# $$z = m + \frac{0.3}{\sqrt{3}} \sum_{j=1}^{4} \varepsilon_j (z_j - m), \qquad \varepsilon_j \sim N(0, 1)$$
#
# With a single new item, $z = a$. The autoencoder never saw an 8, so it reconstructs one poorly. Its error
# on the found image $x$, times 0.8, is added:
# $x_{\text{new}} = \text{decode}(z) + 0.8\, (x - \text{decode}(a))$.
#
# Which keys find the first 8? A key of an image or a caption also contains slant and thickness, so old
# images that look alike can be nearer than a few 8s. A recording shares only the digit with the image. So
# we search by the keys of the *recordings*, for all queries.

# %%
rng = np.random.default_rng(0)
eights = rng.permutation(np.flatnonzero(train.labels == ABSENT))
new_queries = take(test, np.flatnonzero(test.labels == ABSENT))
search = {"image": "speech", "text": "speech"}
able = generation.CrossModalGenerator(embedder, targets, memory, search=search)
by_count, outs, written = {}, {}, 0
for count in (0, 1, 10, 100):
    if count > written:
        remember(memory, eights[written:count])
    written, row = count, {}
    for source, items in new_queries.items():
        outs[count, source] = able.generate(items, source, "image", n=2, seed=0)
        shown = classifiers["image"].classify(outs[count, source].samples)
        row[source] = (shown == ABSENT).mean()
    others = able.generate(speech[::3], "speech", "image", seed=0).samples
    row["other digits"] = classifiers["image"].coherence(others, asked[::3])
    by_count[count] = row
table = pd.DataFrame(by_count).T.rename_axis("8s in memory")
print(table.round(3).to_string())

# %%
few, most = table.loc[0, [*search]].max() < 0.2, table.loc[1:, [*search]].min(axis=None) > 0.7
exercises.verify("without 8s in memory hardly any is drawn", FULL or few)
exercises.verify("one example is enough for most", FULL or most)
exercises.verify("100 examples are enough", table.loc[100, [*search]].min() > 0.9)
losses = table.loc[0, "other digits"] - table["other digits"]
exercises.verify("other digits lose at most 3 points", losses.max() < 0.03)

first_ten = [outs[count, "speech"].samples[:10, 0] for count in (0, 1, 10, 100)]
sources = outs[100, "speech"].ids[:10, 0]
source_images = torch.tensor(np.array(memory.values(sources, "image"))) / 255
axes = figures.pictures(torch.cat([*first_ten, source_images]))
label_rows(axes, ["no 8 in memory", "1 example", "10 examples", "100 examples", "their sources"])
figures.show(
    "Figure 3. Images for recordings of 'eight'. From one example most look like it.",
    alt="Five rows of ten images. No 8 in memory: other digits. 1 example: mostly equal 8s. 10 "
    "examples: 8s with some variety. 100 examples: 8s that differ. Last row: the remembered 8s "
    "from which the fourth row was drawn; each is similar to the image above it.",
)

# %% [markdown]
# With all of MNIST this is weaker: one example is rarely found, and without any 8, up to three fifths of the
# images already look like 8s to the classifier.
#
# A limit: the *embedder* knew 8s. The class is new to the generators and the memory, not to the encoders.
# If the embedder has never seen a class, images of it lie near recordings of other digits. Then only keys
# of the query's own modality help: `WhitenedKeys` of the encoders' outputs, or of features that were not
# learned (experiment `new-digits`).
#
# **Sources.** Each sample names its items in `ids`, the most important one first. To test this, we *delete*
# the most frequent first source, and generate again with the same seed. Then the samples that named it must
# change most. Finally we delete everything that was written after training. Then the 8s must disappear.

# %%
with_sources = able.generate(new_queries["speech"], "speech", "image", seed=0)
deleted = with_sources.ids[with_sources.remembered, 0].mode().values.item()  # most frequent first
uses = with_sources.ids[:, 0] == deleted
memory.forget([deleted])
without_source = able.generate(new_queries["speech"], "speech", "image", seed=0)
change = (without_source.samples - with_sources.samples).flatten(1).abs().mean(dim=1)
print(f"{int(uses.sum())} of {len(uses)} samples had the deleted item as first source")
print(f"change per pixel: {change[uses].mean():.3f}, of other samples {change[~uses].mean():.3f}")
exercises.verify("no sample names the deleted item", not (without_source.ids == deleted).any())
exercises.verify("its samples change most", change[uses].mean() > change[~uses].mean())

memory.forget(memory.ids[memory.ids > able.known])
without_eights = able.generate(new_queries["speech"], "speech", "image", seed=0)
still = (classifiers["image"].classify(without_eights.samples) == ABSENT).mean()
print(f"fraction of 8s after all 8s are deleted: {still:.1%}")
exercises.verify("as few 8s as before are left", still < table.loc[0, "speech"] + 0.1)

# %% [markdown]
# ## 7. How do failures look?
#
# **Question.** Each of three failures has a number that looks good. Which number reveals the failure?
#
# - **Class leak.** A conditional autoencoder with a small KL weight (0.05) stores the digit in its
#   *latent*, and uses the condition less. It reconstructs better. But a latent from the prior can contain
#   another digit than the condition.
# - **Collapse.** One image for all queries of a digit: here the mean key of the digit, and a flow that starts
#   at 0 instead of noise.
# - **Copying.** A retrieved training image.
#
# **Formulas.** Reconstruction has a single correct output, so it can be compared pixel by pixel. For images
# $y$ and reference $r$ in $0 \dots 1$ with $n$ pixels, the *peak signal-to-noise ratio* (PSNR) in decibels
# is
#
# $$\text{PSNR} = 10 \log_{10} \frac{1}{\frac{1}{n} \sum_i (y_i - r_i)^2}$$
#
# The *structural similarity* (SSIM, Wang et al. 2004) compares means $\mu$, variances $\sigma^2$ and the
# covariance $\sigma_{yr}$ in a small window, and averages over all windows. With $c_1 = 0.01^2$ and
# $c_2 = 0.03^2$,
#
# $$\text{SSIM} = \frac{(2 \mu_y \mu_r + c_1)(2 \sigma_{yr} + c_2)}{(\mu_y^2 + \mu_r^2 + c_1)(\sigma_y^2 + \sigma_r^2 + c_2)}$$
#
# It is 1 for equal images and can be negative, down to -1. The comparison for the leak is the same network
# with KL weight 1.

# %%
own_key = generation.make_condition(embedder.project(take(test, known))["image"])
rebuilt, failures = {}, {"flow": drawn}
for name, beta in (("KL weight 1", 1.0), ("class leak", 0.05)):
    network = generation.image_vae(24, 64, width=16, seed=0)
    batches = generation.condition_batches(triples, keys, training_images, 64)
    network.fit(batches, steps=MORE * 150, beta=beta, seed=0, progress=False)
    rebuilt[name] = network.reconstruct(test_images, own_key)
    failures[name] = network.sample(condition, seed=0)
mean_keys = torch.stack([condition[asked == digit].mean(dim=0) for digit in asked])
failures["collapse"] = space.decode(flow.sample(mean_keys, guidance=2.0, noise=0.0))
failures["copy"] = retrieved[:, 0]

failed = pd.DataFrame({name: measure(images[half]) for name, images in failures.items()}).T
failed.loc["real test half"] = scores["real test half"]
print(failed.round(2).to_string())
exercises.verify("the leak has the lowest accuracy", failed["accuracy"].idxmin() == "class leak")
exercises.verify("collapse has the lowest diversity", failed["diversity"].idxmin() == "collapse")
exercises.verify("the copy has the lowest distance", failed["copy_distance"].idxmin() == "copy")

# %%
psnr = {}
for name, images in rebuilt.items():
    mean_squares = ((images - test_images) ** 2).mean(dim=(1, 2, 3))
    psnr[name] = (10 * torch.log10(1 / mean_squares)).mean()
    assert torch.isclose(psnr[name], evaluation.psnr(images, test_images).mean(), atol=1e-3)
    structure = evaluation.ssim(images[::3], test_images[::3]).mean()  # a third: it is slow
    print(f"{name}: reconstructs with PSNR {psnr[name]:.1f} dB, SSIM {structure:.2f}")
exercises.verify("the leak reconstructs better", psnr["class leak"] > psnr["KL weight 1"])

gallery = [test_images[columns, 0], rebuilt["class leak"][columns, 0]]
gallery += [images[columns, 0] for images in failures.values()]
axes = figures.pictures(torch.cat(gallery), [*asked[columns], *[""] * 60])
label_rows(axes, ["real", "leak, rebuilt", *failures])
figures.show(
    "Figure 4. A gallery of failures. Titles are the digits that were asked for.",
    alt="Seven rows of ten images, two each of 1, 2, 3, 5, 9: real; rebuilt by the leaky "
    "autoencoder; flow; samples with KL weight 1, blurred; samples of the leaky autoencoder, "
    "blurred and partly of other digits; collapse: equal images of each digit; copies.",
)

# %% [markdown]
# Each failure looks good by one number. The leaky autoencoder reconstructs better than the same network with
# KL weight 1. This says nothing about what it *generates*: there it has the lowest accuracy. The collapsed
# flow is always correct, but has diversity 0 and a small coverage. The copy is real, with copy distance 0.
# So report accuracy, coverage, diversity and copy distance together.
#
# ## What the article gets wrong
#
# The second article gives ranges for its measures of quality: SSIM from 0 to 1, and SNR and PSNR above 0.
# SSIM can be negative: for an image and its photographic negative. SNR is negative if the error is louder
# than the signal. So is PSNR if an output of a network leaves the range of the image far enough. (The
# appendix shows an example of each.)
#
# And its code cannot lead from speech to images at all. It trains a linear layer with a mean squared error,
# without noise, and each output depends on the input of its own modality only.

# %% [markdown]
# ## Appendix: captions, word by word
#
# A recording contains no information about handwriting, so a caption from a recording can be correct about
# the digit only. A caption from an image can also describe its stroke. Two stricter numbers compare with
# the caption of the query's triple: *exact match* is the fraction of captions with the same words. *Word
# error rate* is the smallest number of inserted, deleted and replaced words (the *edit distance*), divided
# by the number of words of the true caption.


# %%
def edit_distance(first, second):
    row = list(range(len(second) + 1))  # distance of no words to each beginning of `second`
    for i, word in enumerate(first, start=1):
        previous, row = row, [i]
        for j, other in enumerate(second, start=1):
            replaced = previous[j - 1] + (word != other)
            row.append(min(previous[j] + 1, row[j - 1] + 1, replaced))
    return row[-1]


def word_list(text):
    return text.replace(",", "").split()


for source in queries:
    errors = []
    for text, true_text in zip(made[source, "text"], queries["text"], strict=True):
        true_words = word_list(true_text)
        errors.append(edit_distance(word_list(text), true_words) / len(true_words))
    match = np.mean(np.array(errors) == 0)
    assert match == evaluation.caption_match(made[source, "text"], queries["text"]).mean()
    print(f"from {source:6}: exact match {match:.2f}, word error rate {np.mean(errors):.2f}")
print("from an image:", made["image", "text"][5], "| true:", queries["text"][5])

# %% [markdown]
# ## Appendix: damaged queries
#
# **Question.** How often does the flow still draw the correct digit if the query is damaged? Images:
# Gaussian noise of standard deviation 0.1, 0.25 and 0.5; 5, 10 and 20 % of the pixels black or white; a
# square over 10, 20 and 40 % of the pixels; a blur of 1, 2 and 3 pixels. Recordings: other voices
# ("babble") at an SNR of 20, 10 and 0 dB. Captions: 1, 2 and 3 wrong letters.

# %%
quarter = known[::4]
some = take(test, quarter) | {"image": test_images[::4].numpy()}
levels = {
    "Gaussian noise": ("standard deviation", [0, 0.1, 0.25, 0.5]),
    "salt and pepper": ("pixels, %", [0, 5, 10, 20]),
    "occlusion": ("pixels, %", [0, 10, 20, 40]),
    "blur": ("pixels", [0, 1, 2, 3]),
    "babble": ("SNR, dB", ["none", "20", "10", "0"]),
    "typing errors": ("letters", [0, 1, 2, 3]),
}


def digit_accuracy(damaged, source):
    images = generator.generate(damaged, source, "image", seed=0).samples
    return classifiers["image"].coherence(images, test.labels[quarter])


curves = evaluation.robustness_table(digit_accuracy, some, voices=train.data["speech"])
print(curves.round(2).T.to_string())
exercises.verify("without damage most digits are correct", (curves.loc[0] > 0.8).all())

# %%
_, axes = plt.subplots(2, 3, figsize=(8.5, 4.2), sharey=True)
for ax, (kind, (unit_name, ticks)) in zip(axes.flat, levels.items(), strict=True):
    correct = np.rint(curves[kind].to_numpy() * len(quarter)).astype(int)
    bounds = [evaluation.wilson_interval(np.arange(len(quarter)) < n) for n in correct]
    low, high = np.array([b[1:3] for b in bounds]).T
    middle = curves[kind].to_numpy()
    ax.errorbar(range(4), middle, [middle - low, high - middle], fmt="o-", capsize=3)
    ax.axhline(1 / 9, **figures.TRUTH)
    ax.set(title=kind, xlabel=unit_name, xticks=range(4), xticklabels=ticks, ylim=(0, 1.02))
axes[0, 0].text(0, 1 / 9 + 0.03, "chance, 1 in 9")
axes[0, 0].set_ylabel("digit accuracy")
axes[1, 0].set_ylabel("digit accuracy")
figures.show(
    "Figure 5. Digit accuracy of images for damaged queries, with 95 % Wilson intervals.",
    alt="Six panels of digit accuracy against the strength of a damage, with a dashed line at "
    "chance, 1 in 9. Accuracy falls from about 0.9 or more to 0.2 (occlusion) to 0.5 "
    "(typing errors).",
)

# %% [markdown]
# Each damage lowers the accuracy. With a square over 40 % of the pixels little more than chance is left.
# The embedder was never trained on damaged queries, and a misspelled word is an unknown word to it. The
# generator draws what the condition contains, so the embedder has to be improved first.

# %% [markdown]
# ## Appendix: negative values of SSIM, SNR and PSNR
#
# A photographic negative, noise that is louder than the signal, and an output far out of range:

# %%
image = test_images[:1]
wave = recording[None]
generator_of_noise = torch.Generator().manual_seed(0)
noise = 2 * wave.std() * torch.randn(wave.shape, generator=generator_of_noise)
print(f"SSIM of an image and its negative: {evaluation.ssim(1 - image, image).item():.2f}")
print(f"SNR with loud noise: {evaluation.snr(wave + noise, wave).item():.1f} dB")
print(f"PSNR of an output out of range: {evaluation.psnr(3 * image + 1, image).item():.1f} dB")
assert evaluation.ssim(1 - image, image) < 0
assert evaluation.snr(wave + noise, wave) < 0
assert evaluation.psnr(3 * image + 1, image) < 0

# %% [markdown]
# ## Appendix: consistency, and between two latents
#
# *Consistency*: one query, sixteen seeds. *Agreement* is the fraction of the samples of a query with its
# most frequent digit, and *variety* is the mean distance of their features, divided by that of real images
# of one digit. A good generator has both near 1.

# %%
sixteen = [space.decode(flow.sample(condition[::20], seed=s, **SETTINGS)) for s in range(16)]
consistency = reference.consistency(torch.stack(sixteen, dim=1))
print({name: round(value, 2) for name, value in consistency.items()})
exercises.verify("seeds agree on the digit", consistency["agreement"] > 0.9)
exercises.verify("seeds vary the style", consistency["variety"] > 0.6)

# %%
ends = drawn[columns[3:5]]
steps = torch.linspace(0, 1, 10)[:, None]
start, end = space.encode(ends)[0]
between = space.decode(start + steps * (end - start))[:, 0]
fade = ends[0] + steps[:, :, None] * (ends[1] - ends[0])
axes = figures.pictures(torch.cat([between, fade]))
label_rows(axes, ["latents", "pixels"])
figures.show(
    "Figure 6. A mixture of latents stays a digit, a mixture of pixels shows two digits.",
    alt="Two rows of ten images between two generated digits. Row latents: one stroke changes its "
    "form step by step. Row pixels: the first digit fades out while the second fades in.",
)

# %% [markdown]
# ## Recap
#
# - The key of a query in any modality conditions a generator of latents. Each direction was measured
#   against chance.
# - Accuracy, Fréchet distance, coverage, diversity and copy distance belong together, beside rows of real
#   images.
# - A memory improved a small generator with every seed. But two controls, retrieval and a mean of pixels,
#   were nearer to real images.
# - A digit that was absent from training was drawn from a memory, and disappeared when its items were
#   deleted.
# - SNR, PSNR and SSIM measure reconstruction. They do not apply where many outputs are correct.
# - Class leak, collapse and copying each look good by one number, and are revealed by another.

# %% [markdown]
# ## Exercises
#
# Each check says whether an answer is correct, and why not. `hint=1` as a last argument shows a hint. Solutions: [notebook](solutions/10_cross_modal_generation.ipynb), [in Colab](https://colab.research.google.com/github/simmim-lite/simmim-lite/blob/main/notebooks/solutions/10_cross_modal_generation.ipynb).
#
# ### Exercise 3 · ★★ · 4 minutes · function
#
# Write the coverage of section 3 for single numbers as features, with the $k$-th nearest real neighbor.


# %% tags=["exercise"]
def my_coverage(real, made, k):
    """Return the coverage, 0 to 1, of numbers real (N,) by numbers made (M,)."""
    ...  # your code


exercises.check("coverage", my_coverage)

# %% [markdown]
# ### Exercise 4 · ★ · 2 minutes · function
#
# Write the PSNR of one image.


# %% tags=["exercise"]
def my_psnr(image, reference):
    """Return the PSNR in dB of an image and its reference, arrays in 0..1."""
    ...  # your code


exercises.check("psnr", my_psnr)

# %% [markdown]
# ### Exercise 5 · ★★ · 3 minutes · find the bug
#
# This code makes the memory part of the training condition: the mean latent of the four nearest
# neighbors. The trained network copies what it finds. Which line is wrong?
#
# ```python
# 1  latents = space.encode(training_images)[0]
# 2  distances = torch.cdist(latents, latents)
# 3  nearest = distances.topk(4, dim=1, largest=False).indices
# 4  means = latents[nearest].mean(dim=1)
# 5  batches = generation.condition_batches(triples, keys, training_images, 64, latents=means)
# ```

# %% tags=["exercise"]
my_wrong_line = None  # the number of the line as a string, for example "2"

exercises.check("neighbors with a bug", my_wrong_line)

# %% [markdown]
# ### Exercise 6 · ★★★ · 5 minutes · derive
#
# Why is a mean of images bad? Suppose that the features of one class are $N(\mu, s^2)$ in each of $d$
# independent coordinates, and the features of generated items are means of $k$ independent real ones.
# Derive their Fréchet distance to real ones. Start: what are the mean and the covariance of such a mean?
# Goal: a closed form in $s$, $d$ and $k$.


# %% tags=["exercise"]
def my_distance_of_means(s, d, k):
    """Return the Fréchet distance of means of k feature vectors to single ones."""
    ...  # your code


exercises.check("frechet distance of means", my_distance_of_means)

# %% [markdown]
# ### Exercise 7 · ★★ · 2 minutes · choose
#
# A report shows digit accuracy 1.00 and Fréchet distance 0.9 units for a new generator. Which control do
# you ask for first? (a) Accuracy of a larger classifier. (b) Copy distance, beside a row of retrieved
# images. (c) PSNR to a real image of the same digit.

# %% tags=["exercise"]
my_control = None  # "a", "b" or "c"

exercises.check("too good a generator", my_control)

# %% [markdown]
# ## What to try next
#
# - Vary the guidance of the flow from 1 to 8, and draw accuracy against diversity.
# - Write 20 images of your own handwriting to the memory, and generate from them.
# - Train the flow on 300, 1,000 and all triples. Which of the five numbers needs most data?
# - Train the embedder with damaged images (`simmim_lite.augment`), and repeat the appendix on
#   damaged queries.

# %% [markdown]
# ## References
#
# - Rombach, R., et al. (2022). High-resolution image synthesis with latent diffusion models. https://arxiv.org/abs/2112.10752
# - Liu, X., Gong, C., & Liu, Q. (2022). Flow straight and fast: learning to generate and transfer data with rectified flow. https://arxiv.org/abs/2209.03003
# - Ho, J., & Salimans, T. (2022). Classifier-free diffusion guidance. https://arxiv.org/abs/2207.12598
# - Blattmann, A., et al. (2022). Retrieval-augmented diffusion models. https://arxiv.org/abs/2204.11824
# - Su, J., et al. (2021). Whitening sentence representations for better semantics and faster retrieval. https://arxiv.org/abs/2103.15316
# - Naeem, M. F., et al. (2020). Reliable fidelity and diversity metrics for generative models. https://arxiv.org/abs/2002.09797
# - Wang, Z., et al. (2004). Image quality assessment: from error visibility to structural similarity. https://doi.org/10.1109/TIP.2003.819861
# - Griffin, D., & Lim, J. (1984). Signal estimation from modified short-time Fourier transform. https://doi.org/10.1109/TASSP.1984.1164317
#
# Previous: [09 · Generative models](09_generative_models.ipynb) · Next: [11 · Training on a GPU](11_gpu_training.ipynb)
