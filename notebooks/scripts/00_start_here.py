# %% [markdown]
# # 00 · Start here
#
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/simmim-lite/simmim-lite/blob/main/notebooks/00_start_here.ipynb)
#
# *One name and four ideas, a test of what you should know, the real data of the course, a first measurement of mutual information with a baseline and an upper bound, and the map of the notebooks.*
#
# **What you will learn**
#
# - which four different ideas are called **SimMIM**, and which of them has a published paper;
# - whether you are **prepared**: ten questions on probability, logarithms, NumPy and PyTorch;
# - what the **data** look like, and how much information an image and its recording have in common;
# - how to **measure mutual information** by counting, and to compare it with a baseline and an
#   upper bound;
# - **where to go next**: the map of the notebooks.
#
# **Prerequisites**: none of the notebooks; probability tables, natural logarithms, NumPy arrays, and one training loop that you have seen in PyTorch.
#
# **In the package**: `environment`, `datasets`.
#
# <!-- measured -->
# About 57 minutes to work through.
# Measured: 10 s on 2 CPU cores, no GPU, Python 3.11, torch 2.14 (generated)
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
from sklearn.metrics import mutual_info_score

from simmim_lite import datasets, entropy, environment, exercises, figures

figures.set_style()

# %% [markdown]
# ## 1. What is SimMIM?
#
# **Question.** You have read a text about "SimMIM". Which of four ideas does it describe?
#
# | | what the letters stand for | the idea | source | in this course |
# |---|---|---|---|---|
# | 1 | Simulated Multi-Modal Information Maximization | train encoders so that the features of an image and of a sound have as much information in common as possible | an article | notebooks 04 to 06 |
# | 2 | Simulated Memory Mechanism-based Multi-Modal Image Generation | store items of several modalities, retrieve them from any modality, generate from them | an article | notebooks 08 and 10 |
# | 3 | Simplified Manifold Information Maximization | assign unlabeled data to clusters, so that the cluster of a point carries as much information as possible about its neighbors | an article | notebook 07 |
# | 4 | A **sim**ple framework for **m**asked **i**mage **m**odeling | hide patches of an image, predict their pixels | [Xie et al., CVPR 2022](https://arxiv.org/abs/2111.09886) | [14](14_masked_image_modeling.ipynb) |
#
# Only the fourth idea is published under this name. The method of Xie et al. masks random patches of
# an image. It predicts the raw pixels of these patches with a prediction head that can be a single
# linear layer. The loss is the L1 distance on the masked pixels. The paper names no mutual information,
# but notebook 14 shows that such a loss maximizes a lower bound on it.
#
# Ideas 1 to 3 come from three popular articles. Each article refers to an original paper. We searched
# for the three papers and found none of them. The programs in the articles do not run as printed, and
# several of their formulas are wrong. But each idea is useful, and each has a real literature under
# other names. This course makes the three ideas work, and each notebook shows what the article got
# wrong. Notebook 14 makes the fourth idea work, at the size of a laptop.
#
# ## 2. Are you prepared?
#
# You need four things for this course. If one of them is new to you, read the linked page first.
#
# - Probability: joint, marginal and conditional tables, independence, expectation
#   ([d2l.ai](https://d2l.ai/chapter_preliminaries/probability.html));
# - rules of logarithms ([OpenStax](https://openstax.org/books/college-algebra-2e/pages/6-5-logarithmic-properties));
# - NumPy: shapes, sums along an axis, broadcasting
#   ([NumPy for beginners](https://numpy.org/doc/stable/user/absolute_beginners.html));
# - PyTorch: tensors, gradients, a training loop
#   ([Learn the Basics](https://docs.pytorch.org/tutorials/beginner/basics/intro.html)).
#
# ### Exercise 1 · ★ · 7 minutes · choose
#
# Answer without running code. `p` is a NumPy table of shape (4, 10).
#
# 1. You throw two fair dice. The probability that their sum is 7 is (a) 1/12, (b) 1/6, (c) 7/36.
# 2. $p(x, y)$ is 0.2 at (0, 0), 0.3 at (0, 1), 0.4 at (1, 0), 0.1 at (1, 1). Then $p(x{=}0 \mid y{=}1)$
#    is (a) 0.3, (b) 0.6, (c) 0.75.
# 3. $X$ and $Y$ are independent if and only if (a) $p(x, y) = p(x)\, p(y)$ everywhere,
#    (b) $p(x) = p(y)$ everywhere, (c) their correlation is 0.
# 4. $X$ is 10 with probability 0.1, otherwise 0. $\mathbb{E}[X^2]$ is (a) 1, (b) 10, (c) 100.
# 5. $-\ln(1/8)$ equals (a) $3 \ln 2$, (b) $-3 \ln 2$, (c) $(\ln 2)/3$.
# 6. $\ln a - \ln b$ equals (a) $\ln(a - b)$, (b) $\ln a / \ln b$, (c) $\ln(a/b)$.
# 7. The shape of `p.sum(axis=0)` is (a) (4,), (b) (10,), (c) (1, 10).
# 8. `p / p.sum(axis=1)` (a) divides each row by its sum, (b) divides each column by its sum,
#    (c) is an error.
# 9. After `loss.backward()` the gradient of a weight `w` is (a) in `w.grad`, (b) in `loss.grad`,
#    (c) already subtracted from `w`.
# 10. One step of training calls (a) `step`, `zero_grad`, `backward`, (b) `backward`, `zero_grad`,
#     `step`, (c) `zero_grad`, `backward`, `step`.

# %% tags=["exercise"]
my_answers = None  # ten letters, for example "abcabcabca"

exercises.check("self-test", my_answers)

# %% [markdown]
# ## 3. What do the data look like?
#
# **Question.** What can an image, a sound and a sentence have in common?
#
# Each kind of data is called a *modality*. The images are handwritten digits of MNIST. The
# recordings are spoken digit words; a synthesizer spoke them in 64 voices (the full set has human
# speakers). The captions are computed from the images. A caption names the digit. It also says
# what is unusual *for that digit*: thick or thin, upright or slanted, wide or narrow.

# %%
pairs = datasets.paired_digits(("image", "speech", "text"), n=6, seed=3)
axes = figures.paired_samples(
    pairs.data["image"], pairs.data["speech"], pairs.data["text"], rate=8000
)
for image_axes in axes[:6]:
    image_axes.title.set_fontsize(13)
axes[6].set(ylabel="amplitude", yticks=(-1, 0, 1))
figures.show(
    "Figure 1. Six digits, each as a caption, an image and a recording.",
    alt="Six columns. Each has a caption such as 'a thin, slanted, wide three', the image of that "
    "digit, and the waveform of the spoken word: amplitude against time, 0 to 600 milliseconds.",
)

# %% [markdown]
# **Formula.** *Entropy* measures uncertainty. *Mutual information* is the part of the uncertainty
# about $X$ that goes away when $Y$ is known:
#
# $$H(X) = -\sum_x p(x) \ln p(x), \qquad H(X \mid Y) = -\sum_{x, y} p(x, y) \ln p(x \mid y)$$
#
# $$I(X; Y) = H(X) - H(X \mid Y)$$
#
# With the natural logarithm the unit is the *nat*. If $X$ determines $Y$, then $p(x, y) = p(x)$ for the
# one possible $y$, so $p(x \mid y) = p(x) / p(y)$. Hence $H(X \mid Y) = H(X) - H(Y)$, and $I(X; Y) = H(Y)$.
#
# **The pairs have a known truth.** An image is drawn at random, then a recording at random among
# those of the same digit. We assume that *the digit is a function of the image, and a function of
# the recording*. In our data this holds: every item has exactly one label, and no item occurs twice.
# Then $I(\text{image}; \text{speech}) = H(\text{digit})$, for the following reason.
#
# - The recording determines the digit, and contains nothing else about the image. So
#   $H(\text{image} \mid \text{speech}) = H(\text{image} \mid \text{digit})$.
# - The image determines the digit, so
#   $H(\text{image} \mid \text{digit}) = H(\text{image}) - H(\text{digit})$.
# - The difference $H(\text{image}) - H(\text{image} \mid \text{speech})$ is therefore $H(\text{digit})$.
#
# The same argument holds for speech and text. And an image determines its caption, so
# $I(\text{image}; \text{text}) = H(\text{caption})$.
#
# All these numbers describe a *finite population*: the training items of our data set. For this
# population they are exact. They are not properties of all digits that people write.

# %%
for (first, second), nats in pairs.mutual_information.items():
    print(f"I({first}; {second}) = {nats:.4f} nats")

h_digit = entropy.sample_entropy(datasets.load_digits("train").labels)
h_caption = entropy.sample_entropy(datasets.load_captions("train").texts)
print(f"H(digit) = {h_digit:.4f} nats, H(caption) = {h_caption:.4f} nats")

known = pairs.mutual_information
exercises.verify("I(image; speech) = H(digit)", abs(known["image", "speech"] - h_digit) < 1e-12)
exercises.verify("I(image; text) = H(caption)", abs(known["image", "text"] - h_caption) < 1e-12)

# %% [markdown]
# Ten equally frequent digits have $H = \ln 10 = 2.3026$ nats. Later notebooks compare their estimates
# with these known values.
#
# ## 4. How much information does the ink carry about the digit?
#
# **Question.** You see only how much ink an image has. How much do you know about the digit?
#
# **Step 1: make the measurement discrete.** Ink is the mean brightness of an image. We cut it at its
# three quartiles. Each of the four levels then has about a quarter of the images.

# %%
digits = datasets.load_digits("train")
ink = digits.images.mean(axis=(1, 2))
level = np.digitize(ink, np.quantile(ink, [0.25, 0.5, 0.75]))
print(f"{len(digits)} images, ink from {ink.min():.0f} to {ink.max():.0f} of 255")
print("images in each level:", np.bincount(level))

# %% [markdown]
# **Step 2: count the pairs.** The *joint distribution* $p(x, y)$ is the fraction of images with level
# $x$ and digit $y$. The sums of its rows and of its columns are the two *marginal distributions*,
# $p(x)$ and $p(y)$. The package counts the same table.

# %%
joint = np.zeros((4, 10))
for x, y in zip(level, digits.labels, strict=True):
    joint[x, y] += 1 / len(digits)

p_level = joint.sum(axis=1)
p_digit = joint.sum(axis=0)
assert np.allclose(joint, entropy.counts(level, digits.labels) / len(digits))

# %%
levels = ["least ink", "little ink", "more ink", "most ink"]
ax = figures.joint_table(joint, levels, list(range(10)), row_label="level", column_label="digit")
ax.add_patch(plt.Rectangle((1, 0), 1, 1, fill=False, edgecolor="C1", linewidth=3))
plt.colorbar(ax.collections[0], label="% of all images")
plt.gcf().set_size_inches(8, 2.6)
figures.show(
    "Figure 2. Ones have little ink. 10 % of all images are ones, and 8.6 % are ones in the level "
    "of least ink (orange frame).",
    alt="Heat map of four ink levels by ten digits, in percent of all images. Least ink: digit one "
    "has 8.6. Most ink: digit zero has 6.9 and digit one 0. Other cells have 0.25 to 4.03.",
)

# %% [markdown]
# ### Exercise 2 · ★★ · 2 minutes · find the bug
#
# This program counts the pairs without a loop. It should print 1, but it prints 0.00975. Which line is
# wrong?
#
# ```python
# 1  N = len(digits)
# 2  joint = np.zeros((4, 10))
# 3  joint[level, digits.labels] += 1 / N
# 4  p_level = joint.sum(axis=1)
# 5  p_digit = joint.sum(axis=0)
# 6  print(p_digit.sum())
# ```

# %% tags=["exercise"]
my_wrong_line = None  # the number of the line as a string, for example "6"

exercises.check("counting pairs", my_wrong_line)

# %% [markdown]
# **Step 3: two entropies.** The conditional probability is $p(x \mid y) = p(x, y) / p(y)$. A cell with
# $p(x, y) = 0$ adds nothing to $H(X \mid Y)$. There we set $p(x \mid y)$ to 1, because $\ln 1 = 0$.

# %%
p_level_given_digit = np.where(joint > 0, joint / p_digit, 1)
h_level = -np.sum(p_level * np.log(p_level))
h_level_given_digit = -np.sum(joint * np.log(p_level_given_digit))
print(f"H(level) = {h_level:.4f} nats, ln 4 = {np.log(4):.4f}")
print(f"H(level | digit) = {h_level_given_digit:.4f} nats")

# %% [markdown]
# **Step 4: the difference** is the mutual information. The package and scikit-learn agree.

# %%
information = h_level - h_level_given_digit
peer = mutual_info_score(level, digits.labels)
print(f"I(level; digit): {information:.6f} nats by hand, {peer:.6f} by scikit-learn")

assert abs(information - peer) < 1e-9
assert abs(information - entropy.mutual_information(joint)) < 1e-12

# %% [markdown]
# **Is 0.20 nats much?** We compare it with two other numbers. The *upper bound* is $H(\text{level})$,
# because $H(\text{level} \mid \text{digit}) \ge 0$. The *baseline* is the value that the same count gives
# when level and digit are independent. To make such data, we shuffle the digits: each image keeps
# its level, and gets the digit of a random image.
#
# ### Exercise 3 · ★ · 1 minute · predict
#
# We shuffle the digits of our 4,000 images many times. What does the count give on average over the
# shuffles? (a) exactly 0, (b) a small positive number, (c) sometimes less and sometimes more than 0,
# on average 0.

# %% tags=["exercise"]
my_prediction = None  # "a", "b" or "c"

exercises.check("after shuffling", my_prediction)

# %% [markdown]
# Let two independent variables have $K_x$ and $K_y$ values. From $N$ pairs, the count gives about
#
# $$\frac{(K_x - 1)(K_y - 1)}{2N}$$
#
# on average instead of 0. Notebook 01 derives this error; it is called the *bias*.

# %%
generator = np.random.default_rng(0)
chance = [mutual_info_score(level, generator.permutation(digits.labels)) for _ in range(200)]
expected = (4 - 1) * (10 - 1) / (2 * len(digits))
print(f"shuffled: {np.mean(chance):.4f} ± {np.std(chance):.4f} nats, formula {expected:.4f}")
print(f"real pairs: {information:.4f} nats, {information / h_level:.0%} of the upper bound")

exercises.verify("the baseline follows the formula", abs(np.mean(chance) - expected) < 0.001)
exercises.verify("the ink carries information", information > 20 * np.max(chance))

# %%
plt.hist(chance, bins=np.geomspace(1e-3, 1e-2, 30), label="digits shuffled, 200 times")
plt.axvline(expected, label="baseline by the formula", **figures.TRUTH)
plt.axvline(information, label="real pairs", color="C1", linewidth=2)
plt.axvline(h_level, label="upper bound H(level)", color="0.5", linestyle=":", linewidth=2)
plt.gca().set(xscale="log", xlabel="mutual information, nats", ylabel="number of shuffles")
plt.legend(loc="upper center")
figures.show(
    "Figure 3. The value of the real pairs lies far above chance and far below the upper bound.",
    alt="Histogram on a logarithmic axis: 200 shuffles lie between 0.001 and 0.007 nats around a "
    "dashed line at 0.0034. The real pairs are a line at 0.20, the upper bound one at 1.39 nats.",
)

# %% [markdown]
# ## 5. Where to go next?
#
# **Question.** Which notebook do you need, and what does your machine offer?
#
# Each notebook *runs* alone: it needs no result of another notebook. But the *text* uses the terms of
# its prerequisites. The arrows in Figure 4 lead from each notebook to those that directly need it.
# Blue notebooks are about information, orange ones about representations, green ones about memory
# and generation, violet ones about practice.

# %%
figures.diagram("notebooks")
figures.show(
    "Figure 4. Read 00, 01 and 02 first; after that, follow the arrows to the topic that you need.",
    alt="Diagram of fourteen notebooks. Arrows: 00 to 01; 01 to 02; 02 to 03, 04 and 07; 03 to 05, "
    "06 and 09; 04 to 05, 06 and 11; 06 to 08, 12 and 13; 08 and 09 to 10; 11 to 12.",
)

# %% [markdown]
# <!-- map -->
#
# | | notebook | in the package | what you learn | minutes | runs in |
# |---|---|---|---|---:|---:|
# | 00 | [Start here](00_start_here.ipynb) | `environment`, `datasets` | One name and four ideas, a test of what you should know, the real data of the course, a first measurement of mutual information with a baseline and an upper bound, and the map of the notebooks. | 57 | 10 s |
# | 01 | [Entropy](01_entropy.ipynb) | `entropy` | Entropy, conditional entropy, the chain rule and KL divergence on real captions; why entropy estimated from a sample is too small, three corrections written out, and what changes for real numbers. | 71 | 9 s |
# | 02 | [Mutual information](02_mutual_information.ipynb) | `mutual_information`, `ground_truth` | Mutual information in three equal forms, the data processing inequality and usable information on real digits, the Gaussian closed form, nearest-neighbor estimates and where they fail, and why the logarithm of an estimate is a bad loss. | 74 | 19 s |
# | 03 | [Variational bounds](03_variational_bounds.ipynb) | `bounds`, `critics` | Bounds on mutual information that a neural network can optimize: which are valid lower bounds, which saturate at ln K, whose variance grows like e^I, and which can overestimate. | 75 | 53 s |
# | 04 | [Encoders](04_encoders.ipynb) | `encoders`, `datasets` | How networks turn images, sound, words and tables into vectors: convolution, spectrogram, GRU, attention and word vectors by hand, and what training adds. | 75 | 70 s |
# | 05 | [Fusion](05_fusion.ipynb) | `fusion` | Seven ways to combine modalities into one vector, compared with Bayes' rule: on noisy sensors, on degraded images and speech, with a missing modality, and on a task that no single modality can solve. | 75 | 151 s |
# | 06 | [Multimodal information maximization](06_multimodal_infomax.ipynb) | `multimodal` | Encoders of images and recordings that maximize a lower bound on a mutual information with a known true value: the training loop in the open, what the embeddings contain, controls, and a third modality that only a fusion can connect. | 75 | 132 s |
# | 07 | [Manifold information maximization](07_manifold_infomax.ipynb) | `manifold`, `augment` | Clusters of unlabeled handwritten digits that carry as much information as possible about the neighbors of an image: a metric, a graph, a lower bound on mutual information and two networks, each step written out. | 75 | 147 s |
# | 08 | [Simulated memory](08_simulated_memory.ipynb) | `memory` | From a running sum to slots: how much a memory holds and by which rule it is written, how it is searched across modalities, what it should forget, and a check from outside that a forgotten item is gone. | 75 | 47 s |
# | 09 | [Generative models](09_generative_models.ipynb) | `generation` | A variational autoencoder, a generative adversarial network and a rectified flow, each written out on one page, trained on digits, and compared with a case whose answer is known exactly. | 75 | 42 s |
# | 10 | [From any modality to any other](10_cross_modal_generation.ipynb) | `generation`, `memory` | Images, recordings and captions generated from one another; what a memory adds, including a class that no generator was trained on; and the numbers that reveal leak, collapse and copying. | 75 | 87 s |
# | 11 | [Training on a GPU](11_gpu_training.ipynb) | `training`, `environment` | The first training run on a GPU: devices, data loading, mixed precision, the learning rate, what to do when memory runs out, what limits the speed, and how to look inside a step. Every cell also runs on a CPU. | 75 | 29 s |
# | 12 | [Large batches and several processes](12_large_batches.ipynb) | `contrastive`, `training` | A contrastive loss of a large batch in little memory, encoders whose activations do not fit, what the size of the batch does to the InfoNCE value, several processes with the gradient of one, and a run that survives being killed. | 75 | 53 s |
# | 13 | [Evaluation: numbers that a skeptic believes](13_evaluation.ipynb) | `evaluation` | Intervals, chance levels, upper bounds and controls for the models of this course, each with its formula; and mistakes that give good numbers for no reason, each found by a check. | 75 | 95 s |
# | 14 | [Masked image modeling](14_masked_image_modeling.ipynb) | `masked`, `ground_truth`, `training` | The published SimMIM at a small size: predict hidden patches, compare with the exact answer on Gaussian fields, see which information is maximized, and test what digits gain from it. | 75 | 97 s |
# | 15 | [Labels as a modality](15_labels_as_a_modality.ipynb) | `datasets`, `evaluation`, `encoders`, `masked` | A class label or a name as the second modality of an image: why InfoNCE with labels is softmax classification, names for pictures of new kinds, objects found in scenes, and text that helps or leaks. | 75 | 90 s |
# | 16 | [Language](16_language.ipynb) | `datasets`, `entropy`, `evaluation`, `generation`, `manifold` | Texts and their labels: definitions and their classes, tweets and their ratings, pictures and their names, and clusters of texts without labels. | 74 | 82 s |
# | 17 | [Medicine](17_medicine.ipynb) | `datasets`, `evaluation`, `fusion`, `entropy` | Several modalities of one patient: what fusion gains, with paired intervals; missing modalities, calibration, information in nats, a leak that looks like a discovery, and a sentence from a blood smear. | 75 | 39 s |
# | 18 | [Finance](18_finance.ipynb) | `datasets`, `entropy`, `evaluation` | Tomorrow's price: the size of its change can be predicted, the direction cannot. Sixteen tries, a planted signal, a leak, value at risk, and credit. | 75 | 52 s |
# | 19 | [Recommend, ask, decide](19_recommend_ask_decide.ipynb) | `datasets`, `memory`, `entropy`, `evaluation`, `encoders`, `multimodal` | Three tasks in which a model must choose: the next page for a person, the answer to a question about an image, and the next step of an agent; and one network with two tasks. | 75 | 59 s |
#
# <!-- /map -->
#
# The functions of each notebook are in the package `simmim_lite`, in the modules of the third column.
# Everything runs without a network on small real data that come with the package. The environment
# variable `SIMMIM_FULL=1` switches to the full data sets. The next cell shows your machine and the
# data sets: `embedded` data come with the package, and `None` means that a data set is not here.

# %%
print("machine:", environment.hardware())
for name, place in datasets.available().items():
    print(f"{name:>8}: {place}")

# %% [markdown]
# ## What the article gets wrong
#
# The first article describes these steps for an image and a text, but it gives no numbers. Its program
# computes another quantity: the difference of two mean logarithms. The program calls the second mean
# "conditional", but computes it from the probabilities of $y$ only:
#
# $$\frac{1}{N} \sum_i \ln p(x_i) - \frac{1}{N} \sum_i \ln p(y_i)$$
#
# We compute it for the real pairs and for shuffled pairs.


# %%
def difference_of_log_probabilities(x, y):
    return np.mean(np.log(p_level[x])) - np.mean(np.log(p_digit[y]))


real = difference_of_log_probabilities(level, digits.labels)
shuffled = difference_of_log_probabilities(level, generator.permutation(digits.labels))
print(f"real pairs {real:.4f}, shuffled pairs {shuffled:.4f}; true value {information:.4f}")
exercises.verify("shuffling the pairs changes nothing", abs(real - shuffled) < 1e-9)

# %% [markdown]
# Both numbers equal $H(Y) - H(X)$. Shuffling changes only the *joint* distribution. This formula does
# not contain it, so it cannot be a mutual information. Shuffling is the first test of any estimate:
# for shuffled pairs, the estimate must fall to its baseline.

# %% [markdown]
# ## Recap
#
# - Four ideas have the name SimMIM. Only masked image modeling is published under this name.
# - Our pairs have a known mutual information, $H(\text{digit})$ or $H(\text{caption})$. The proof assumes
#   that the image alone determines the digit, and so does the recording alone.
# - Mutual information is $H(X) - H(X \mid Y)$. We counted 0.2013 nats for ink and digit.
# - We compared this value with a baseline (shuffled pairs) and an upper bound ($\ln 4$).
# - A quantity that does not change under shuffling is not a mutual information.

# %% [markdown]
# ## Exercises
#
# Each check says whether an answer is correct, and why not. `hint=1` as a last argument shows a hint. Solutions: [notebook](solutions/00_start_here.ipynb), [in Colab](https://colab.research.google.com/github/simmim-lite/simmim-lite/blob/main/notebooks/solutions/00_start_here.ipynb).
#
# ### Exercise 4 · ★★ · 3 minutes · derive
#
# Start from $I(X; Y) = H(X) - H(X \mid Y)$ and put these three lines into the correct order.
#
# (a) $\sum_{x, y} p(x, y) \ln \frac{p(x \mid y)}{p(x)}$
#
# (b) $\sum_{x, y} p(x, y) \ln \frac{p(x, y)}{p(x)\, p(y)}$
#
# (c) $-\sum_{x, y} p(x, y) \ln p(x) + \sum_{x, y} p(x, y) \ln p(x \mid y)$
#
# The last line does not change when $X$ and $Y$ change places, so $I(X; Y) = I(Y; X)$.

# %% tags=["exercise"]
my_order = None  # three letters, for example "abc"

exercises.check("sum form of information", my_order)

# %% [markdown]
# ### Exercise 5 · ★★ · 4 minutes · function
#
# Which level of ink carries the most information about the digit? Compute the entropy of the digit
# within each level, $H(Y \mid X{=}x) = -\sum_y p(y \mid x) \ln p(y \mid x)$, with one number for each row.
# Some cells of the table may be 0. Then call your function on `joint`.


# %% tags=["exercise"]
def my_entropies_of_rows(table):
    """Return H(Y | X = x) in nats for each row x of a joint table (K_x, K_y), as an array (K_x,)."""
    ...  # your code


exercises.check("digit given level", my_entropies_of_rows)

# %% [markdown]
# ### Exercise 6 · ★ · 2 minutes · design a control
#
# A new estimator reports 0.8 nats between photographs and their descriptions. The truth is unknown.
# Which control do you run first? (a) The same estimator with a larger network. (b) The same
# estimator on photographs with descriptions of other photographs. (c) The same estimator on the
# first half of the pairs.

# %% tags=["exercise"]
my_control = None  # "a", "b" or "c"

exercises.check("first control", my_control)

# %% [markdown]
# ## What to try next
#
# - Cut the ink into 2, 8 and 64 levels, and plot the value and the baseline: both grow.
# - Replace the ink with the brightness of one pixel, and find the pixel with the most information.
# - Measure the information between the length of a recording and its digit.
# - Repeat section 4 with `SIMMIM_FULL=1`: the baseline shrinks with $1/N$.

# %% [markdown]
# ## References
#
# - Xie, Z., et al. (2022). SimMIM: a simple framework for masked image modeling. CVPR. https://arxiv.org/abs/2111.09886
# - Shannon, C. E. (1948). A mathematical theory of communication. https://doi.org/10.1002/j.1538-7305.1948.tb01338.x
# - Cover, T. M., & Thomas, J. A. (2006). *Elements of Information Theory*, 2nd edition. https://doi.org/10.1002/047174882X
# - Panzeri, S., et al. (2007). Correcting for the sampling bias problem in spike train information measures. https://doi.org/10.1152/jn.00559.2007
# - LeCun, Y., Bottou, L., Bengio, Y., & Haffner, P. (1998). Gradient-based learning applied to document recognition (MNIST). https://doi.org/10.1109/5.726791
# - Where the data come from: [the datasheet](../data/README.md).
#
# Next: [01 · Entropy](01_entropy.ipynb)
