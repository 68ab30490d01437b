# %% [markdown]
# # 01 · Entropy
#
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/simmim-lite/simmim-lite/blob/main/notebooks/01_entropy.ipynb)
#
# *Entropy, conditional entropy, the chain rule and KL divergence on real captions; why entropy estimated from a sample is too small, and what repairs it.*
#
# **What you will learn**
#
# - what **entropy** measures, in nats, and why it is a mean surprise;
# - how entropies of several variables add up: **conditional entropy** and the **chain rule**;
# - what a wrong model costs: **cross-entropy** and **KL divergence**;
# - why the **plug-in estimate** from a sample is too small, by how much, and what Miller-Madow, the jackknife and Chao-Shen do about it;
# - why the same sum over a *continuous* variable is no entropy at all.
#
# **In the package**: `entropy`.
#
# <!-- measured -->
# About 40 minutes to work through.
# Measured: 7 s on 2 CPU cores, no GPU, Python 3.11, torch 2.14 (generated)
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
import scipy.stats

from simmim_lite import datasets, entropy, exercises, figures

figures.set_style()

# %% [markdown]
# ## 1. How surprising is a message?
#
# **Question.** You are told which digit an image shows. How much did you learn?
#
# **Idea.** An event of probability $p$ that happens surprises you by $-\ln p$: a sure thing not at
# all, a rare one a lot, and two independent ones by the sum of the two. *Entropy* is the mean
# surprise (Shannon 1948):
#
# $$H(X) = -\sum_x p(x) \ln p(x)$$
#
# With the natural logarithm the unit is the **nat**; 1 nat is $1/\ln 2 \approx 1.44$ bits. A symbol
# of probability zero adds nothing, since $p \ln p \to 0$.
#
# In code it is one line. We write it by hand once, and check that the package and SciPy agree.

# %%
digits = np.full(10, 1 / 10)
by_hand = -np.sum(digits * np.log(digits))
print(f"ten equally likely digits: {by_hand:.4f} nats, ln 10 = {np.log(10):.4f}")

assert np.isclose(by_hand, np.log(10), rtol=0, atol=1e-12)
assert np.isclose(entropy.entropy(digits), by_hand, rtol=0, atol=1e-12)
assert np.isclose(scipy.stats.entropy(digits), by_hand, rtol=0, atol=1e-12)

# %% [markdown]
# A coin shows the shape of it: entropy is zero at either certainty, and largest, $\ln 2$, when both
# sides are equally likely. That holds for any number of symbols $K$: $0 \le H \le \ln K$.

# %%
heads = np.linspace(0, 1, 201)
plt.plot(heads, [entropy.entropy([p, 1 - p]) for p in heads])
plt.axhline(np.log(2), label="ln 2", **figures.TRUTH)
plt.gca().set(xlabel="probability of heads", ylabel="entropy, nats", title="A coin")
plt.legend()
plt.show()

# %% [markdown]
# ## 2. What do several variables tell together?
#
# **Question.** A caption says what a real digit looks like. How much does each word of it add?
#
# **Data.** The package measures each of 4,000 real MNIST digits: how thick the stroke is, how
# slanted, how wide. Each measure is cut into three levels *within its digit* ("thick for a one"),
# and the two outer levels are said in words. So a caption stands for one of
# $10 \times 3 \times 3 \times 3 = 270$ cells, and its distribution is known exactly, by counting.

# %%
captions = datasets.load_captions("train")
for row in (0, 1234, 2345, 3456):
    print(f"cell {captions.cells[row]}: {captions.texts[row]}")

table = entropy.counts(*captions.cells.T) / len(captions.texts)
print("table of probabilities:", table.shape, "- sum", round(table.sum(), 12))

# %% [markdown]
# **Formula.** *Joint entropy* is the entropy of the whole table. *Conditional entropy* is what is
# left of it once a part is known, $H(Y \mid X) = H(X, Y) - H(X)$, and so entropies add up link by
# link, the **chain rule**:
#
# $$H(X_1, \dots, X_n) = H(X_1) + H(X_2 \mid X_1) + \dots + H(X_n \mid X_1, \dots, X_{n-1})$$

# %%
terms = entropy.chain_rule_terms(table)
alone = [entropy.entropy(table.sum(axis=tuple({0, 1, 2, 3} - {i}))) for i in range(4)]
names = ["digit", "thickness", "slant", "width"]
for name, term, single in zip(names, terms, alone, strict=True):
    print(f"{name:>10}: {single:.4f} nats alone, {term:.4f} given the ones before")

# %% [markdown]
# The links add up to the whole, to the last digit that the machine holds, and the order in which
# they are taken does not matter. Conditioning can only lower an entropy: each bar on the lower line
# is at most as long as the one above it.

# %%
joint = entropy.entropy(table)
backwards = entropy.chain_rule_terms(table.transpose(3, 2, 1, 0))
print(f"H(caption) = {joint:.4f} nats, of ln 270 = {np.log(270):.4f} at most")

assert abs(sum(terms) - joint) < 1e-12
assert abs(sum(backwards) - joint) < 1e-12
assert abs(joint - captions.entropy) < 1e-12
assert all(term <= single + 1e-12 for term, single in zip(terms, alone, strict=True))

# %%
bars = {
    "each alone": dict(zip(names, alone, strict=True)),
    "chain rule": dict(zip(names, terms, strict=True)),
}
figures.stacked_bars(bars)
plt.gcf().set_size_inches(7, 2.2)
plt.show()

# %% [markdown]
# The upper bar is longer than the lower by the **total correlation**: how much the four variables
# tell about each other. It is small, because the cuts were made within the digit: a thick one and a
# thick eight are equally common. What is left: thick digits are more often wide, above all the
# ones, whose width *is* the stroke, and slanted digits are more often narrow.

# %% [markdown]
# ## 3. What does a wrong model cost?
#
# **Question.** Somebody writes down captions with a code that is made for another distribution $q$.
# How many nats are wasted on each caption?
#
# **Formula.** A code made for $q$ spends $-\ln q(x)$ on $x$. Its mean is the *cross-entropy*; what
# it spends above the entropy is the *Kullback-Leibler divergence*, never negative, and zero only
# when $q = p$:
#
# $$D(p \,\|\, q) = \sum_x p(x) \ln \frac{p(x)}{q(x)} = \underbrace{-\sum_x p(x) \ln q(x)}_{\text{cross-entropy}} - H(p) \ge 0$$
#
# Let $q$ be the model that takes the four parts as independent: the product of the margins.

# %%
margins = [table.sum(axis=tuple({0, 1, 2, 3} - {i})) for i in range(4)]
independent = np.einsum("d,t,s,w->dtsw", *margins)
cost = entropy.cross_entropy(table, independent)
extra = entropy.kl_divergence(table, independent)
print(f"entropy {joint:.4f}, cross-entropy {cost:.4f}, extra {extra:.4f} nats")

assert abs(extra - (cost - joint)) < 1e-12
assert abs(extra - entropy.total_correlation(table)) < 1e-12

# %% [markdown]
# So the total correlation *is* a divergence: that between the joint distribution and the product of
# its margins. For two variables it has another name, **mutual information**, and the next notebook
# is about it.
#
# The divergence is not symmetric. Swap the two, and a cell that $q$ allows and $p$ never showed
# makes it infinite: a model that calls impossible what does happen cannot be paid for.

# %%
print(f"D(p || q) = {extra:.4f} nats, D(q || p) = {entropy.kl_divergence(independent, table)}")

empty = np.sum(table == 0)
print(f"cells that no training image falls into: {empty} of {table.size}")
assert np.isinf(entropy.kl_divergence(independent, table)) == (empty > 0)

# %% [markdown]
# ## 4. How wrong is entropy from a sample?
#
# **Question.** Nobody hands you the table. You see $N$ captions, count, and put the shares
# $\hat p = n/N$ into the formula: the **plug-in estimate**. How good is it?
#
# **Idea.** It is too small, always in the mean: entropy is concave, so the entropy of a noisy table
# lies below that of the true one (Jensen). Cells that never showed up are missing altogether. For
# $K$ cells and large $N$ the bias is about $-(K - 1)/2N$ (Miller 1955, Basharin 1959).
#
# Here the truth is known: we draw $N$ captions, with replacement, from the table above, 40 times
# for each $N$, and compare four estimates.
#
# - **Miller-Madow** adds $(\hat K - 1)/2N$, with $\hat K$ the number of cells seen.
# - The **jackknife** measures the bias by leaving one sample out at a time.
# - **Chao-Shen** guesses how much probability was never seen (Good-Turing) and weighs the cells that
#   were seen by their chance of being seen.

# %%
methods = ("plug_in", "miller_madow", "jackknife", "chao_shen")
generator = np.random.default_rng(0)
rows = []
for n in (50, 100, 200, 500, 1000, 2000, 5000):
    for _ in range(40):
        sample = generator.choice(table.size, size=n, p=table.ravel())
        rows += [(n, method, entropy.sample_entropy(sample, method)) for method in methods]
frame = pd.DataFrame(rows, columns=["N", "method", "nats"])

# %%
figures.estimates(frame, x="N", truth=joint, log=True)
plt.gca().set(ylabel="estimated entropy, nats", title="40 samples for each N; bands hold 90 %")
plt.show()

# %% [markdown]
# The plug-in estimate never exceeds the logarithm of $N$, so it *cannot* be right at $N = 50$. It
# needs thousands of samples for 270 cells; the corrections get close with a few hundred. We check
# the formula for the bias at $N = 2000$, and that each correction beats the plug-in at $N = 500$.

# %%
mean = frame.groupby(["method", "N"])["nats"].mean()
predicted = -(np.count_nonzero(table) - 1) / (2 * 2000)
measured = mean["plug_in", 2000] - joint
print(f"plug-in bias at N = 2000: {measured:.4f} nats, -(K - 1)/2N = {predicted:.4f}")

error = (mean[:, 500] - joint).abs()
print(error.round(3).to_string())
assert abs(measured - predicted) < 0.015
assert (error.drop("plug_in") < error["plug_in"] / 2).all()

# %% [markdown]
# No correction is free. It lowers the bias and raises the spread: at $N = 50$, where most captions
# were seen once or never, Chao-Shen is right in the mean, and single estimates exceed even $\ln 270$.
# Each rests on an assumption about what was not seen. When you can, draw more
# samples; when you cannot, give two estimates, and distrust both where they disagree.

# %% [markdown]
# ## What the article's version does
#
# The first article writes the same sum over the *features* of a neural network. Those are real
# numbers, and there $p(x)$ is a density. The sum over cells then depends on the cells: make them
# half as wide, and the result grows by $\ln 2$, for ever. What does converge is
# $h(X) = -\int p(x) \ln p(x)\, dx$, the *differential entropy*, and it is another thing: change the
# unit of $x$ and it changes, and it can be negative. Both are seen below with the width of our real
# digits.

# %%
width = captions.measurements[:, 2]
for bins in (8, 16, 32, 64):
    share, edges = np.histogram(width, bins=bins)
    cell = edges[1] - edges[0]
    sum_of_cells = entropy.entropy(share / share.sum())
    print(
        f"{bins:3d} cells: sum {sum_of_cells:.3f}, with ln(cell) {sum_of_cells + np.log(cell):.3f}"
    )

# %% [markdown]
# The middle column climbs by about $\ln 2 = 0.69$ a line and means nothing. The right one settles:
# it estimates $h$ for a width in pixels. A narrow Gaussian shows the other trap: with
# $\sigma = 0.01$ its differential entropy $\frac{1}{2} \ln(2 \pi e \sigma^2)$ is below zero, which a
# mean surprise never is.

# %%
sigma = 0.01
closed_form = 0.5 * np.log(2 * np.pi * np.e * sigma**2)
print(f"h of a Gaussian with standard deviation {sigma}: {closed_form:.3f} nats")
assert np.isclose(closed_form, scipy.stats.norm(scale=sigma).entropy())
assert closed_form < 0

# %% [markdown]
# The way out is not to patch the sum, but to ask for a *difference* of two such entropies in which
# the cells cancel. Mutual information is that difference, and it is the same in any unit.

# %% [markdown]
# ## Recap
#
# - We measured surprise in nats, and found ten equal digits at $\ln 10 = 2.3026$.
# - We split the entropy of real captions by the chain rule, exact to $10^{-12}$.
# - We paid for a wrong model in KL divergence, and met total correlation as one.
# - We saw the plug-in estimate fall short by $(K - 1)/2N$, and three corrections at work.
# - We saw that the sum over cells of a continuous variable has no limit.

# %% [markdown]
# ## Exercises
#
# Fill in each function and run the cell: the check says whether it is right, or what it should do.
# [Solutions](solutions/01_entropy.py).
#
# 1. Entropy of a probability vector that may hold zeros.


# %% tags=["exercise"]
def my_entropy(p):
    """H(p) in nats."""
    # your code


exercises.check("entropy", my_entropy)

# %% [markdown]
# 2. What is left of $X$ when $Y$ is known, from a table with a row for each $x$.


# %% tags=["exercise"]
def my_conditional_entropy(table):
    """H(X | Y) in nats."""
    # your code


exercises.check("conditional entropy", my_conditional_entropy)

# %% [markdown]
# 3. The divergence, with care for the zeros of either side.


# %% tags=["exercise"]
def my_kl_divergence(p, q):
    """KL(p || q) in nats."""
    # your code


exercises.check("kl divergence", my_kl_divergence)

# %% [markdown]
# 4. Miller and Madow's estimate from counts. Which cells count?


# %% tags=["exercise"]
def my_miller_madow(counts):
    """Bias-corrected entropy in nats."""
    # your code


exercises.check("miller-madow", my_miller_madow)

# %% [markdown]
# ## References
#
# - Shannon, C. E. (1948). A mathematical theory of communication. https://doi.org/10.1002/j.1538-7305.1948.tb01338.x
# - Cover, T. M., & Thomas, J. A. (2006). *Elements of Information Theory*, 2nd edition. https://doi.org/10.1002/047174882X
# - Miller, G. A. (1955). Note on the bias of information estimates. In *Information Theory in Psychology*, Free Press.
# - Basharin, G. P. (1959). On a statistical estimate for the entropy of a sequence of independent random variables. https://doi.org/10.1137/1104033
# - Chao, A., & Shen, T.-J. (2003). Nonparametric estimation of Shannon's index of diversity when there are unseen species in sample. https://doi.org/10.1023/A:1026096204727
# - Paninski, L. (2003). Estimation of entropy and mutual information. https://doi.org/10.1162/089976603321780272
#
# Previous: [00 · Start here](00_start_here.ipynb) · Next: [02 · Mutual information](02_mutual_information.ipynb)
