# %% [markdown]
# # 00 · Start here
#
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/simmim-lite/simmim-lite/blob/main/notebooks/00_start_here.ipynb)
#
# *One name and four ideas, the map of the notebooks, the real data they use, and a first measurement of mutual information whose result can be checked.*
#
# **What you will learn**
#
# - which four different things are called **SimMIM**, and which of them has a published paper;
# - **where to go**: the map of the notebooks, and what your machine will use;
# - what the **data** look like: real digits, spoken digits, captions, and how much they share;
# - how to **measure mutual information** by counting, step by step, beside a known truth.
#
# **In the package**: `environment`, `datasets`.
#
# <!-- measured -->
# About 35 minutes to work through.
# Measured: 10 s on 2 CPU cores, no GPU, Python 3.11, torch 2.14 (generated)
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
from sklearn.metrics import mutual_info_score

from simmim_lite import datasets, entropy, environment, exercises, figures

figures.set_style()

# %% [markdown]
# ## 1. What is SimMIM?
#
# **Question.** You have read an article about "SimMIM". Which one?
#
# | | what the letters stand for | the idea | here |
# |---|---|---|---|
# | 1 | Simulated Multi-Modal Information Maximization | train encoders so that what an image and a sound share is as large as it can be | notebooks 04-06 |
# | 2 | Simulated Memory Mechanism-based Multi-Modal Image Generation | store what was seen in several modalities, find it again from any of them, generate from it | notebooks 08-09 |
# | 3 | Simplified Manifold Information Maximization | sort unlabeled data so that a code says as much as it can about its neighborhood | notebook 07 |
# | 4 | a simple framework for **m**asked **i**mage **m**odeling | hide patches of an image, predict their pixels | published: Xie et al., CVPR 2022 |
#
# Only the fourth is in the literature: it masks random patches, predicts raw pixels with a linear
# head, and measures them with an L1 loss. There is no mutual information in it, no memory and no
# second modality.
#
# The first three come from popular articles. Each names an original paper; we searched for the three
# titles and found none of them, nor any paper of the year 2020 by that name. Their code does not
# run, and several of their formulas are wrong. Yet each idea is a good one, with real literature
# under other names, and each can be made to work. That is what this kit is for. Each notebook also
# says what went wrong in the article's version, and shows it.
#
# ## 2. Where to go?
#
# Each notebook stands alone; the numbers give an order. The time was measured, on two cores and
# without a GPU.
#
# <!-- map -->
#
# | | notebook | in the package | what you learn | minutes | runs in |
# |---|---|---|---|---:|---:|
# | 00 | [Start here](00_start_here.ipynb) | `environment`, `datasets` | One name and four ideas, the map of the notebooks, the real data they use, and a first measurement of mutual information whose result can be checked. | 35 | 10 s |
# | 01 | [Entropy](01_entropy.ipynb) | `entropy` | Entropy, conditional entropy, the chain rule and KL divergence on real captions; why entropy estimated from a sample is too small, and what repairs it. | 40 | 7 s |
# | 02 | [Mutual information](02_mutual_information.ipynb) | `mutual_information`, `ground_truth` | Mutual information three ways, the data processing inequality on real digits, the Gaussian closed form, nearest-neighbor estimates and where they collapse, and why an estimate is never put into a logarithm. | 45 | 12 s |
# | 03 | [Variational bounds](03_variational_bounds.ipynb) | `bounds`, `critics` | Bounds on mutual information that a trained critic can reach: which hold, which stop at ln K, which scatter like e to the I, which overshoot, and what the default estimator does instead. | 50 | 130 s |
# | 04 | [Encoders](04_encoders.ipynb) | `encoders`, `datasets` | From pixels, sound, words and tables to vectors: convolution, spectrogram and word vectors by hand beside their exact answers, and how much an encoder is worth before it has learned anything. | 50 | 54 s |
# | 05 | [Fusion](05_fusion.ipynb) | `fusion` | What several modalities say together: seven ways to fuse them, held to Bayes' rule, with damage, with a modality missing, and on a task that none can solve alone. | 55 | 83 s |
# | 06 | [Multimodal information maximization](06_multimodal_infomax.ipynb) | `multimodal` | Images, recordings and captions teach each other: encoders that maximize a bound on a mutual information whose true value is known, and what they know afterwards that nobody told them. | 50 | 97 s |
# | 07 | [Manifold information maximization](07_manifold_infomax.ipynb) | `manifold`, `augment` | Sorting handwritten digits without a label, by maximizing what a code keeps when a point moves along its manifold: neighbors, warps, a bound of three lines, and how few labels it takes to name what was found. | 55 | 88 s |
# | 08 | [Simulated memory](08_simulated_memory.ipynb) | `memory` | From a running sum to slots: what a memory can hold, how it is searched, what it should forget, and how it survives being killed. | 50 | 46 s |
# | 09 | [From any modality to any other](09_cross_modal_generation.ipynb) | `generation` | Autoencoders, GANs and flows by hand and from the package; images, speech and captions from one another; what a memory adds, a class never trained on among it; and the numbers that find a generator out. | 55 | 110 s |
# | 10 | [Training on a GPU, and without one](10_gpu_training.ipynb) | `training`, `contrastive` | From a laptop to a GPU to several: the limits of your own machine, a contrastive loss without the square of the batch, mixed precision, a run that survives being killed, and two processes that agree. | 50 | 48 s |
# | 11 | [Evaluation: numbers that a skeptic believes](11_evaluation.ipynb) | `evaluation` | Intervals, floors, ceilings and controls for the three systems of this course; and the mistakes that give good numbers for nothing, each caught by a check. | 55 | 93 s |
#
# <!-- /map -->
#
# What each one needs is in the package `simmim_lite`, in a module of the same name. Everything runs
# without a network on small real data that come with it; `SIMMIM_FULL=1` switches to the full sets.
# This is what the machine that runs these lines would use:

# %%
print("machine:", environment.hardware())
for name, place in datasets.available().items():
    print(f"{name:>8}: {'comes with the package' if place == 'embedded' else place or 'not here'}")

# %% [markdown]
# ## 3. What do the data look like?
#
# **Question.** What can an image, a sound and a sentence have in common?
#
# The digits are MNIST's, written by people. The words were spoken by a synthesizer in 64 voices (the
# full set has people's). The captions are computed from the image: which digit, and where its
# stroke is unusually thick or thin, upright or slanted, wide or narrow *for that digit*.

# %%
pairs = datasets.paired_digits(("image", "speech", "text"), n=6, seed=3)
axes = figures.paired_samples(
    pairs.data["image"], pairs.data["speech"], pairs.data["text"], rate=8000
)
plt.show()

# %% [markdown]
# The pairs are made so that we know *exactly* what two of them share. An image and a recording are
# drawn at random within one digit: they share the digit and nothing else, so their mutual
# information is $H(\text{digit})$, which is $\ln 10 = 2.3026$ nats where all ten are equally
# frequent. A caption is a function of its image: they share all that the caption says,
# $H(\text{caption})$, which is found by counting. Every later notebook is held to these numbers.

# %%
for (first, second), nats in pairs.mutual_information.items():
    print(f"I({first}; {second}) = {nats:.4f} nats")

h_digit = entropy.sample_entropy(datasets.load_digits("train").labels)
h_caption = entropy.sample_entropy(datasets.load_captions("train").texts)
assert abs(pairs.mutual_information["image", "speech"] - h_digit) < 1e-12
assert abs(pairs.mutual_information["image", "text"] - h_caption) < 1e-12

# %% [markdown]
# ## 4. How much does the ink tell about the digit?
#
# **Question.** Look only at how much ink an image holds. How much do you know about the digit word?
#
# **Formula.** *Entropy* is mean surprise, and *mutual information* is how much of it goes away:
#
# $$I(X; Y) = H(X) - H(X \mid Y), \qquad H(X) = -\sum_x p(x) \ln p(x), \qquad H(X \mid Y) = -\sum_{x, y} p(x, y) \ln p(x \mid y)$$
#
# **Step 1: make the measurement discrete.** Ink is the mean brightness of an image. We cut it into
# four levels, so that each holds a quarter of the images.

# %%
digits = datasets.load_digits("train")
ink = digits.images.mean(axis=(1, 2))
level = np.digitize(ink, np.quantile(ink, [0.25, 0.5, 0.75]))
print(f"{len(digits)} images, ink from {ink.min():.0f} to {ink.max():.0f} of 255")
print("images in each level:", np.bincount(level))

# %% [markdown]
# **Step 2: count the pairs.** The share of each pair (level, digit) is the joint distribution; its
# rows and columns add up to the two margins.

# %%
joint = np.zeros((4, 10))
np.add.at(joint, (level, digits.labels), 1 / len(digits))
p_level, p_digit = joint.sum(axis=1), joint.sum(axis=0)

words = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
levels = ["least ink", "little ink", "more ink", "most ink"]
figures.joint_table(joint, levels, words, row_label="", column_label="digit word")
plt.gcf().set_size_inches(7, 2.4)
plt.title("Share of all images, %")
plt.show()

# %% [markdown]
# A one has little ink, a zero much. **Step 3: two entropies.** Without the digit, four equally full
# levels: $\ln 4$. With it, less.

# %%
h_level = -np.sum(p_level * np.log(p_level))
given = np.where(joint > 0, joint / p_digit, 1)
h_level_given_digit = -np.sum(joint * np.log(given))
print(f"H(level) = {h_level:.4f} nats, ln 4 = {np.log(4):.4f}")
print(f"H(level | digit) = {h_level_given_digit:.4f} nats")

# %% [markdown]
# **Step 4: the difference.** The package and scikit-learn must give the same.

# %%
information = h_level - h_level_given_digit
peer = mutual_info_score(level, digits.labels)
print(f"I(level; digit): {information:.6f} nats by hand, {peer:.6f} by scikit-learn")

assert abs(information - peer) < 1e-9
assert abs(information - entropy.mutual_information(joint)) < 1e-12

# %% [markdown]
# **Is that much?** A number needs a scale. The ceiling is $H(\text{level}) = \ln 4$, since four levels
# cannot say more. The floor is what the same count gives when there is *nothing* to find: shuffle
# the digits and measure again. It is not zero: a finite sample always shows a little, about
# $(K_x - 1)(K_y - 1) / 2N$.

# %%
generator = np.random.default_rng(0)
chance = [mutual_info_score(level, generator.permutation(digits.labels)) for _ in range(200)]
expected = 3 * 9 / (2 * len(digits))
print(f"shuffled: {np.mean(chance):.4f} ± {np.std(chance):.4f} nats, expected {expected:.4f}")
print(f"real: {information:.4f} nats, {information / h_level:.0%} of the ceiling")

assert abs(np.mean(chance) - expected) < 0.001
assert information > 20 * np.max(chance)

# %%
plt.hist(chance, bins=np.geomspace(1e-3, 1e-2, 30), label="digits shuffled, 200 times")
plt.axvline(information, label="real pairs", color="C1", linewidth=2)
plt.axvline(expected, label="expected by chance", **figures.TRUTH)
plt.gca().set(xscale="log", xlabel="mutual information, nats", ylabel="shuffles")
plt.legend(loc="upper center")
plt.show()

# %% [markdown]
# ## What the article's version does
#
# The first article describes the four steps above for an image and a text, but with no numbers, and
# it asks for the entropy of the text, which no later step uses. Its program then takes another
# quantity: the difference between two mean log-probabilities, one of each side. Here it is on our
# counts, for the real pairs and for shuffled ones.


# %%
def difference_of_log_probabilities(x, y):
    return np.mean(np.log(p_level[x])) - np.mean(np.log(p_digit[y]))


real = difference_of_log_probabilities(level, digits.labels)
broken = difference_of_log_probabilities(level, generator.permutation(digits.labels))
print(f"real pairs {real:.4f}, shuffled pairs {broken:.4f}; true value {information:.4f}")
assert abs(real - broken) < 1e-9

# %% [markdown]
# The two are equal: it is $H(Y) - H(X)$, whatever belongs to whom. No formula without the *joint*
# distribution can be a mutual information, because shuffling the pairs leaves all the rest as it is.
# That makes shuffling the first test for any estimate: destroy the pairing, and it must fall to zero.

# %% [markdown]
# ## Recap
#
# - We told four things apart that share a name, and saw which of them is published.
# - We looked at real digits, spoken words and captions whose shared information is known exactly.
# - We measured by counting what ink tells about a digit, equal to scikit-learn's value.
# - We set it between a floor (shuffled pairs) and a ceiling ($\ln 4$).

# %% [markdown]
# ## Exercises
#
# Fill in each function and run the cell: the check says whether it is right, or what it should do.
# [Solutions](solutions/00_start_here.py).
#
# 1. Step 2 for any two variables.


# %% tags=["exercise"]
def my_joint_table(x, y):
    """Share of the samples in each cell; x and y are whole numbers from 0."""
    # your code


exercises.check("joint table", my_joint_table)

# %% [markdown]
# 2. Steps 3 and 4 for any table. Some cells may be empty.


# %% tags=["exercise"]
def my_mutual_information(table):
    """I(X; Y) in nats of a joint table."""
    # your code


exercises.check("mutual information", my_mutual_information)

# %% [markdown]
# 3. The floor: what does the estimate give, in the mean, when the pairing is destroyed?


# %% tags=["exercise"]
def my_chance_level(x, y):
    """Mean plug-in information over 100 or more shuffles of y."""
    # your code


exercises.check("chance level", my_chance_level)

# %% [markdown]
# ## References
#
# - Xie, Z., et al. (2022). SimMIM: a simple framework for masked image modeling. CVPR. https://arxiv.org/abs/2111.09886
# - Shannon, C. E. (1948). A mathematical theory of communication. https://doi.org/10.1002/j.1538-7305.1948.tb01338.x
# - Cover, T. M., & Thomas, J. A. (2006). *Elements of Information Theory*, 2nd edition. https://doi.org/10.1002/047174882X
# - LeCun, Y., Bottou, L., Bengio, Y., & Haffner, P. (1998). Gradient-based learning applied to document recognition (MNIST). https://doi.org/10.1109/5.726791
# - Where the data come from: [the datasheet](../data/README.md).
#
# Next: [01 · Entropy](01_entropy.ipynb)
