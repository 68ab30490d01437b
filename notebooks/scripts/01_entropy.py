# %% [markdown]
# # 01 · Entropy
#
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/simmim-lite/simmim-lite/blob/main/notebooks/01_entropy.ipynb)
#
# *Entropy, conditional entropy, the chain rule and KL divergence on real captions; why entropy estimated from a sample is too small, three corrections written out, and what changes for real numbers.*
#
# **What you will learn**
#
# - what **entropy** measures, in nats, in bits and as a *perplexity*;
# - how entropies of several variables add up: **conditional entropy** and the **chain rule**;
# - what a wrong model costs: **cross-entropy** and **KL divergence**;
# - why the **plug-in estimate** from a sample is too small, and how Miller-Madow, the jackknife and Chao-Shen correct it;
# - what **differential entropy** is, and why it is not an entropy.
#
# **Prerequisites**: [00](00_start_here.ipynb); probability tables, logarithms, means and variances, sums over axes of NumPy arrays, and integrals.
#
# **In the package**: `entropy`.
#
# <!-- measured -->
# About 71 minutes to work through.
# Measured: 9 s on 2 CPU cores, no GPU, Python 3.11, torch 2.14 (generated)
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
import scipy.stats

from simmim_lite import datasets, entropy, exercises, figures

figures.set_style()

# %% [markdown]
# ## 1. How surprising is a message?
#
# **Question.** You learn which digit an image shows. How much information is that?
#
# **Idea.** The *surprise* of an event of probability $p$ is $-\ln p$. A certain event has surprise 0,
# and a rare event has a large one. The surprises of independent events add up. *Entropy* is the mean
# surprise (Shannon 1948):
#
# $$H(X) = -\sum_x p(x) \ln p(x)$$
#
# A symbol of probability 0 adds nothing, because $p \ln p \to 0$ for $p \to 0$. The unit is the
# *nat*. Entropy in *bits* is $H / \ln 2$. The *perplexity* $e^H$ is the number of equally likely
# symbols that have the same entropy. $K$ symbols have at most $H = \ln K$; section 3 shows why.

# %%
uniform = np.full(10, 1 / 10)
h_uniform = -np.sum(uniform * np.log(uniform))
print(f"ten equally likely digits: {h_uniform:.4f} nats, ln 10 = {np.log(10):.4f}")
print(f"in bits: {h_uniform / np.log(2):.4f}, perplexity: {np.exp(h_uniform):.1f}")

assert np.isclose(entropy.entropy(uniform), h_uniform, rtol=0, atol=1e-12)
assert np.isclose(scipy.stats.entropy(uniform), h_uniform, rtol=0, atol=1e-12)
assert np.isclose(entropy.entropy(uniform, base=2), h_uniform / np.log(2), rtol=0, atol=1e-12)

# %% [markdown]
# ### Exercise 1 · ★ · 1 minute · predict
#
# A fair coin has entropy $\ln 2 = 0.693$ nats. A biased coin shows heads with probability 0.9. Its
# entropy is (a) about a tenth, (b) about half, (c) about nine tenths of that of the fair coin.

# %% tags=["exercise"]
my_prediction = None  # "a", "b" or "c"

exercises.check("biased coin", my_prediction)

# %%
heads = np.linspace(0, 1, 201)
arch = [entropy.entropy([p, 1 - p]) for p in heads]
plt.plot(heads, arch)
plt.axhline(np.log(2), **figures.TRUTH)
plt.text(0.01, np.log(2) + 0.02, "ln 2, two equally likely sides")
plt.plot(0.9, entropy.entropy([0.9, 0.1]), "o", color="C1")
plt.text(0.88, 0.29, "p = 0.9: 0.325 nats", ha="right")
plt.gca().set(xlabel="probability of heads, p", ylabel="entropy, nats", title="Entropy of a coin")
plt.ylim(0, 0.78)
figures.show(
    "Figure 1. Entropy is largest for a fair coin, and 0 if the result is certain.",
    alt="Entropy of a coin against the probability of heads: an arch from 0 at p = 0 up to a "
    "dashed line ln 2 = 0.693 nats at p = 0.5, and down to 0 at p = 1. A dot at p = 0.9 has 0.325.",
)

# %% [markdown]
# The next cell draws the same curve beside the surprise of each side. In JupyterLab or Colab, run it
# and move the slider away from 0.5. The surprise of the rare side grows, but the mean surprise falls,
# because the rare side rarely appears.


# %%
def draw_coin(p):
    _, (curve, bars) = plt.subplots(1, 2, figsize=(7, 2.6))
    h_coin = entropy.entropy([p, 1 - p])
    curve.plot(heads, arch)
    curve.plot(p, h_coin, "o", color="C1")
    curve.set(xlabel="probability of heads, p", ylabel="entropy, nats")
    bars.bar(["heads", "tails"], [-np.log(p), -np.log(1 - p)])
    bars.axhline(h_coin, label="mean surprise = entropy", **figures.TRUTH)
    bars.set(ylabel="surprise, nats", ylim=(0, 4))
    bars.legend(loc="upper center")


figures.explore(draw_coin, p=(0.05, 0.95, 0.05))

# %% [markdown]
# ## 2. How do the entropies of several variables add up?
#
# **Question.** A caption describes a real digit. How much information does each part of it add?
#
# **Data.** The package measures each of 4,000 MNIST digits: how thick the stroke is, how slanted, how
# wide. Each measurement is cut into three levels *within its digit* ("thick for a one"). The caption
# has a word for each outer level and none for a middle level. So it stands for one of
# $10 \times 3 \times 3 \times 3 = 270$ cells.
# We treat the 4,000 captions as the whole population. Then the table $p$ of cell probabilities is
# exactly known, by counting.

# %%
captions = datasets.load_captions("train")
for row in (0, 1234, 2345):
    print(f"cell {captions.cells[row]}: {captions.texts[row]}")

table = np.zeros((10, 3, 3, 3))
for cell in captions.cells:
    table[tuple(cell)] += 1 / len(captions)

digit, thickness, slant, width = captions.cells.T  # one array for each variable
assert np.allclose(table, entropy.counts(digit, thickness, slant, width) / len(captions))

# %% [markdown]
# **Formula.** The *joint entropy* $H(X, Y)$ is the entropy of the whole table. The *conditional
# entropy* is the uncertainty that remains on average when $X$ is known:
#
# $$H(Y \mid X) = -\sum_{x, y} p(x, y) \ln p(y \mid x) = H(X, Y) - H(X)$$
#
# The second form follows from $p(y \mid x) = p(x, y) / p(x)$. Repeated use gives the *chain rule*:
#
# $$H(X_1, \dots, X_n) = H(X_1) + H(X_2 \mid X_1) + \dots + H(X_n \mid X_1, \dots, X_{n-1})$$
#
# For each term we need the entropy of the first variables only. A sum over the other axes of the
# table gives their *marginal* distribution.

# %%
h_d = entropy.entropy(table.sum(axis=(1, 2, 3)))
h_dt = entropy.entropy(table.sum(axis=(2, 3)))
h_dts = entropy.entropy(table.sum(axis=3))
h_caption = entropy.entropy(table)
terms = [h_d, h_dt - h_d, h_dts - h_dt, h_caption - h_dts]

names = ["digit", "thickness", "slant", "width"]
alone = [entropy.sample_entropy(variable) for variable in (digit, thickness, slant, width)]
for name, single, term in zip(names, alone, terms, strict=True):
    print(f"{name:>10}: {single:.4f} nats alone, {term:.4f} given the ones before")
print(f"H(caption) = {h_caption:.4f} nats, perplexity {np.exp(h_caption):.1f} of 270 cells")

# %% [markdown]
# The four terms add up to $H(\text{caption})$ by construction. The package gives the same terms. With
# the variables in the opposite order the terms differ, but their sum is the same.
# On average, conditioning cannot raise an entropy: $H(Y \mid X) \le H(Y)$. Section 3 proves it. So the
# entropies alone add up to at least the joint entropy. The difference is the *total correlation*. It
# measures how much information the variables have about each other:
#
# $$\text{TC} = \sum_i H(X_i) - H(X_1, \dots, X_n)$$

# %%
backward = entropy.chain_rule_terms(table.transpose(3, 2, 1, 0))
assert np.allclose(entropy.chain_rule_terms(table), terms, rtol=0, atol=1e-12)
assert abs(sum(backward) - h_caption) < 1e-12
below = np.array(terms) <= np.array(alone) + 1e-12
exercises.verify("each term is at most the entropy alone", np.all(below))

total_correlation = sum(alone) - h_caption
print(f"total correlation {sum(alone):.4f} - {h_caption:.4f} = {total_correlation:.4f} nats")
assert abs(total_correlation - entropy.total_correlation(table)) < 1e-12

# %%
_, (bars, differences) = plt.subplots(1, 2, figsize=(9, 2.6), width_ratios=(2.6, 1))
plt.sca(bars)
chain = dict(zip(names, terms, strict=True))
figures.stacked_bars({"each alone": dict(zip(names, alone, strict=True)), "chain rule": chain})
bars.barh(1, total_correlation, left=h_caption, color="white", edgecolor="0.3", hatch="////")
bars.text(5.7, 1, f"total correlation\n{total_correlation:.3f} nats", va="center", fontsize=9)
bars.set_xlim(0, 7.4)
differences.barh(names, np.subtract(alone, terms), color="0.5")
differences.set(xlabel="nats", title="alone minus chain rule")
differences.invert_yaxis()
figures.show(
    "Figure 2. The chain rule gives a shorter bar. The hatched gap is the total correlation.",
    alt="Two stacked bars of digit, thickness, slant and width: each alone, 5.598 nats; by the "
    "chain rule, 5.483 nats and a hatched gap of 0.115. A second panel splits the gap: digit and "
    "thickness 0, slant 0.015, width 0.100.",
)

# %% [markdown]
# The total correlation is small, because the cuts were made within each digit: the images of a one
# are called thick as often as the images of an eight. Most of it is in the last term: digit,
# thickness and slant together carry
# 0.100 nats of information about the width.
#
# ### Exercise 2 · ★★ · 3 minutes · choose
#
# $H(X \mid Y)$ is an average over $y$. For a single value, $H(X \mid Y{=}y)$ is the entropy of the column
# $p(x \mid y)$. Take this table, and compute $H(X)$, $H(X \mid Y{=}1)$ and $H(X \mid Y)$:
#
# | | $y = 0$ | $y = 1$ |
# |---|---|---|
# | $x = 0$ | 0.8 | 0.1 |
# | $x = 1$ | 0 | 0.1 |
#
# Learning that $y = 1$ makes $X$ (a) less uncertain than before, (b) as uncertain as before, (c) more
# uncertain than before.

# %% tags=["exercise"]
my_choice = None  # "a", "b" or "c"

exercises.check("one value of y", my_choice)

# %% [markdown]
# ## 3. What does a wrong model cost?
#
# **Question.** A code for captions is made for a distribution $q$, but the captions follow $p$. How
# many nats are wasted per caption?
#
# **Formula.** An ideal code for $q$ has code words of length $-\ln q(x)$ nats (Shannon 1948). If $X$
# follows $p$, the mean length is the *cross-entropy*. The *Kullback-Leibler divergence* (KL) is the
# excess of this mean over the entropy:
#
# $$D(p \,\|\, q) = \sum_x p(x) \ln \frac{p(x)}{q(x)} = -\sum_x p(x) \ln q(x) - H(p)$$
#
# It is never negative. The proof uses $\ln t \le t - 1$, with sums over the cells where $p(x) > 0$:
#
# $$-D(p \,\|\, q) = \sum_x p(x) \ln \frac{q(x)}{p(x)} \le \sum_x p(x) \left( \frac{q(x)}{p(x)} - 1 \right) = \sum_x q(x) - 1 \le 0$$
#
# Two facts follow. With $q = 1/K$ everywhere, $D = \ln K - H \ge 0$, so $H \le \ln K$. With
# $q = p(x)\, p(y)$, $D = H(Y) - H(Y \mid X) \ge 0$, so conditioning cannot raise an entropy on average.
#
# As $q$ we take a model in which the four parts of a caption are independent: the product of the
# four marginals.

# %%
p_thickness = table.sum(axis=(0, 2, 3))
p_slant = table.sum(axis=(0, 1, 3))
p_width = table.sum(axis=(0, 1, 2))
p_digit = table.sum(axis=(1, 2, 3))
independent = np.einsum("d,t,s,w->dtsw", p_digit, p_thickness, p_slant, p_width)

cost = -np.sum(table * np.log(independent))
divergence = cost - h_caption
print(f"cross-entropy {cost:.4f}, entropy {h_caption:.4f}, divergence {divergence:.4f} nats")

assert abs(cost - entropy.cross_entropy(table, independent)) < 1e-12
assert abs(divergence - entropy.kl_divergence(table, independent)) < 1e-12
exercises.verify("it is the total correlation", abs(divergence - total_correlation) < 1e-12)

# %% [markdown]
# So the total correlation is a divergence: that of the joint distribution from the product of its
# marginals. For two variables its name is *mutual information*, the topic of notebook 02.
#
# The divergence is not symmetric. $D(q \,\|\, p)$ has the terms $q(x) \ln (q(x) / p(x))$. If $p(x) = 0$
# and $q(x) > 0$ for some $x$, it is infinite: a code made for $p$ has no code word for this $x$.

# %%
reverse = entropy.kl_divergence(independent, table)
empty = np.sum(table == 0)
print(f"D(p || q) = {divergence:.4f} nats, D(q || p) = {reverse}")
print(f"cells without a caption: {empty} of {table.size}")
exercises.verify("D(q || p) is infinite if p has empty cells", np.isinf(reverse) == (empty > 0))

# %% [markdown]
# ## 4. How wrong is entropy from a sample?
#
# **Question.** Now suppose that the table is unknown. You see $N$ captions, count them ($n_x$ times
# caption $x$), and put $\hat p(x) = n_x / N$ into the formula. How good is this *plug-in estimate* $\hat H$?
#
# **Idea.** The estimate is too small on average. Entropy is a concave function of the table, so by
# Jensen's inequality $\mathbb{E}\, \hat H \le H$. The estimate also cannot exceed $\ln N$, because at
# most $N$ cells are seen. The *bias* is the difference $\mathbb{E}\, \hat H - H$. A Taylor expansion
# to second order gives its size for $K$ cells of positive probability: $-p \ln p$ has the second
# derivative $-1/p$, and $\hat p$ has the variance $p (1 - p) / N$ (Miller 1955, Basharin 1959):
#
# $$\mathbb{E}\, \hat H - H \approx -\frac{1}{2} \sum_x \frac{1}{p(x)} \cdot \frac{p(x) (1 - p(x))}{N} = -\frac{K - 1}{2N}$$
#
# Mutual information is $H(X) + H(Y) - H(X, Y)$. Its plug-in estimate is too *large*. If all pairs are
# possible, the three terms have $K_x$, $K_y$ and $K_x K_y$ cells, and the biases add up to
# $(K_x - 1)(K_y - 1) / 2N$. This is the baseline of notebook 00.
#
# **Miller-Madow** subtracts the bias of $\hat H$. $K$ is unknown, so the estimate uses $\hat K$, the number
# of cells seen:
#
# $$\hat H_{MM} = \hat H + \frac{\hat K - 1}{2N}$$
#
# **The jackknife** (Zahl 1977) needs only the form of the bias, $-b/N$ with an unknown $b$. Then $N$ times
# the estimate from $N$ samples has the mean $N H - b$, and $N - 1$ times the estimate from $N - 1$
# samples has the mean $(N - 1) H - b$. The difference has the mean $H$. With $\hat H_{-i}$ for the plug-in
# estimate without sample $i$:
#
# $$\hat H_J = N \hat H - (N - 1) \cdot \frac{1}{N} \sum_{i=1}^{N} \hat H_{-i}$$
#
# Here are all three by hand, for one sample of 200 captions.

# %%
generator = np.random.default_rng(0)
sample = generator.choice(table.size, size=200, p=table.ravel())
N = len(sample)
n = np.bincount(sample)
n = n[n > 0]

plug_in = -np.sum(n / N * np.log(n / N))
miller_madow = plug_in + (len(n) - 1) / (2 * N)
leave_one_out = [entropy.sample_entropy(np.delete(sample, i)) for i in range(N)]
jackknife = N * plug_in - (N - 1) * np.mean(leave_one_out)
print(f"plug-in {plug_in:.3f}, Miller-Madow {miller_madow:.3f}, jackknife {jackknife:.3f}")
print(f"truth {h_caption:.3f} nats; {len(n)} of 270 cells were seen")

assert np.isclose(plug_in, entropy.sample_entropy(sample, "plug_in"))
assert np.isclose(miller_madow, entropy.sample_entropy(sample, "miller_madow"))
assert np.isclose(jackknife, entropy.sample_entropy(sample, "jackknife"))

# %% [markdown]
# **Chao-Shen** corrects for the cells that were not seen, in two steps.
#
# *Step 1: the coverage* $C$ is the total probability of the cells that were seen. Let $f_1$ be the
# number of cells that were seen exactly once. A cell is seen once with probability
# $N p (1 - p)^{N - 1}$, so $\mathbb{E} f_1 / N = \sum_x p(x) (1 - p(x))^{N - 1}$. This sum is also
# the probability that, after $N - 1$ captions, the next one is new: the mean of $1 - C$ for $N - 1$
# captions. This gives the estimate of Good and Turing:
#
# $$\hat C = 1 - \frac{f_1}{N}, \qquad \tilde p(x) = \hat C\, \hat p(x)$$
#
# *Step 2: divide each term by the probability of seeing its cell.* A cell is seen with probability
# $1 - (1 - p)^N$. After this division, a cell that is seen in half of all samples counts twice when
# it is seen. So the sum over the seen cells has the sum over all cells as its mean (Horvitz and
# Thompson). Chao and Shen use $\tilde p$ in place of the unknown $p$:
#
# $$\hat H_{CS} = -\sum_{x\ \text{seen}} \frac{\tilde p(x) \ln \tilde p(x)}{1 - (1 - \tilde p(x))^N}$$

# %%
seen_once = np.sum(n == 1)
coverage = 1 - seen_once / N
p_seen = coverage * n / N
chao_shen = -np.sum(p_seen * np.log(p_seen) / (1 - (1 - p_seen) ** N))
true_coverage = table.ravel()[np.unique(sample)].sum()
print(f"coverage: {coverage:.3f} estimated, {true_coverage:.3f} true")
print(f"Chao-Shen {chao_shen:.3f}, truth {h_caption:.3f} nats")
assert np.isclose(chao_shen, entropy.sample_entropy(sample, "chao_shen"))

# %% [markdown]
# **Experiment.** One sample cannot show a bias. We draw 40 samples for each of seven sizes $N$.

# %%
methods = ("plug_in", "miller_madow", "jackknife", "chao_shen")
results = []
for size in (50, 100, 200, 500, 1000, 2000, 5000):
    for _ in range(40):
        drawn = generator.choice(table.size, size=size, p=table.ravel())
        for method in methods:
            results.append((size, method, entropy.sample_entropy(drawn, method)))
frame = pd.DataFrame(results, columns=["N", "method", "nats"])

# %%
sizes = np.array([50, 100, 200, 270])
plt.plot(sizes, np.log(sizes), color="0.4", linestyle=":", label="ln N, upper bound of plug-in")
ax = figures.estimates(frame, x="N", truth=h_caption, log=True)
ax.set(xlabel="number of samples, N", ylabel="estimated entropy, nats")
figures.show(
    "Figure 3. All estimates approach the truth; the plug-in needs thousands of samples. Lines are "
    "means of 40 samples, bands contain 90 %.",
    alt="Estimated entropy against N from 50 to 5,000. Truth dashed at 5.48 nats. At N = 50 the "
    "means are: plug-in 3.8, Miller-Madow 4.2, jackknife 4.6, Chao-Shen 5.5 with the widest band. "
    "At N = 5,000 all are at the truth. A dotted line ln N lies above the plug-in for N up to 270.",
)

# %% [markdown]
# ### Exercise 3 · ★ · 2 minutes · read the figure
#
# You count captions of two writers with the plug-in estimate: 4.3 nats from 100 captions of writer
# A, 5.4 nats from 2,000 captions of writer B. What follows? (a) A has fewer kinds of captions than B.
# (b) Nothing: such a difference is expected even if A and B are equal. (c) A's estimate is too large.

# %% tags=["exercise"]
my_conclusion = None  # "a", "b" or "c"

exercises.check("two writers", my_conclusion)

# %%
mean = frame.groupby(["method", "N"])["nats"].mean()
spread = frame.groupby(["method", "N"])["nats"].std()
predicted = -(np.count_nonzero(table) - 1) / (2 * 2000)
measured = mean["plug_in", 2000] - h_caption
error = (mean[:, 500] - h_caption).abs()
print(f"plug-in bias at N = 2000: {measured:.4f} nats, -(K - 1)/2N = {predicted:.4f}")
print("error of the mean at N = 500, nats:", error.round(3).to_dict())
print("standard deviation at N = 50, nats:", spread[:, 50].round(3).to_dict())
print(f"largest estimate {frame['nats'].max():.2f} nats, ln 270 = {np.log(270):.2f}")
exercises.verify("the formula for the bias holds", abs(measured - predicted) < 0.015)
corrections = error.drop("plug_in")
exercises.verify("corrections more than halve the error", all(corrections < error["plug_in"] / 2))
least_biased, most_spread = (mean[:, 50] - h_caption).abs().idxmin(), spread[:, 50].idxmax()
exercises.verify("Chao-Shen is extreme at N = 50", least_biased == most_spread == "chao_shen")
assert abs(mean["plug_in", 100] - 4.3) < 0.1
assert abs(mean["plug_in", 2000] - 5.4) < 0.1

# %% [markdown]
# In Figure 3 a single source gives both numbers of Exercise 3: 4.3 nats at $N = 100$ and 5.4 at
# $N = 2000$. Each correction reduces the bias, but increases the spread. Chao-Shen has the smallest bias
# at $N = 50$ and by far the largest spread: some estimates exceed even $\ln 270 = 5.60$. If you can, draw
# more samples. Otherwise report two estimates, and trust neither of them if they differ much.
#
# ## 5. What is the entropy of a real number?
#
# **Question.** The width of a digit is a real number. Does it have an entropy?
#
# **Formula.** Suppose that $X$ has a density $p(x)$. Its *differential entropy* is
#
# $$h(X) = -\int p(x) \ln p(x)\, dx$$
#
# Cut the axis into cells of width $\Delta$, and let $X_\Delta$ be the index of the cell that contains
# $X$. Cell $i$, at $x_i$, has a probability of about $p(x_i)\, \Delta$, so
#
# $$H(X_\Delta) \approx -\sum_i p(x_i)\, \Delta \ln (p(x_i)\, \Delta) \approx h(X) - \ln \Delta$$
#
# Cells of half the width add $\ln 2$ to $H(X_\Delta)$, so it grows without limit for $\Delta \to 0$. But
# $H(X_\Delta) + \ln \Delta$ has the limit $h(X)$. This is true *for a density*. From a sample of $N$
# numbers, the plug-in estimate of $H(X_\Delta)$ cannot exceed $\ln N$, so it fails for very small cells.

# %%
widths = captions.measurements[:, 2]
h_cells = []
for cells in (8, 16, 32, 64, 256, 1024, 4096, 2**20):
    frequencies, edges = np.histogram(widths, bins=cells)
    delta = edges[1] - edges[0]
    h_cells.append(entropy.entropy(frequencies / len(widths)))
    corrected = h_cells[-1] + np.log(delta)
    print(f"{cells:7} cells of {delta:.5f} pixels: {h_cells[-1]:.3f}, plus ln: {corrected:6.3f}")
print(f"ln {len(widths)} = {np.log(len(widths)):.3f}")

growth = np.diff(h_cells[:4])
exercises.verify("from 8 to 64 cells, half the width adds ln 2", np.all(abs(growth - 0.69) < 0.04))
exercises.verify("2^20 cells stop near ln N", abs(h_cells[-1] - np.log(len(widths))) < 0.1)

# %% [markdown]
# From 8 to 64 cells the last column is nearly constant: it estimates $h \approx 2.7$ nats. With more
# cells it falls, because each cell contains few images and the plug-in estimate is too small (section
# 4). With $2^{20}$ cells nearly every image has a cell of its own. Then the entropy
# stops near $\ln 4000 = 8.294$, and the last column is far from $h$.
#
# **Two more differences from entropy.** For $a \ne 0$ the density of $aX$ is $p(x / a) / |a|$. With the
# substitution $x = a u$,
#
# $$h(aX) = -\int \frac{p(x / a)}{|a|} \ln \frac{p(x / a)}{|a|}\, dx = -\int p(u) \ln \frac{p(u)}{|a|}\, du = h(X) + \ln |a|$$
#
# So a change of units changes $h$. And $h$ can be negative, which a mean surprise never is. A Gaussian
# has $h = \frac{1}{2} \ln (2 \pi e \sigma^2)$, which is negative for $\sigma < 0.242$.

# %%
for sigma in (10, 1, 0.01):
    closed_form = 0.5 * np.log(2 * np.pi * np.e * sigma**2)
    print(f"Gaussian, standard deviation {sigma:>5}: h = {closed_form:.3f} nats")
    assert np.isclose(closed_form, scipy.stats.norm(scale=sigma).entropy())
    assert np.isclose(closed_form, scipy.stats.norm(scale=1).entropy() + np.log(sigma))

# %% [markdown]
# ## What the article gets wrong
#
# The first article writes the sum $-\sum p(x) \ln p(x)$ for the *features* of a neural network. These
# are real numbers, so the sum depends on the cells, and the article names no cells. Below, the same
# widths are measured in pixels and in tenths of a pixel, both with cells of width 1.

# %%
in_pixels = entropy.sample_entropy(np.floor(widths).astype(int))
in_tenths = entropy.sample_entropy(np.floor(10 * widths).astype(int))
print(f"pixels: {in_pixels:.3f} nats, tenths of a pixel: {in_tenths:.3f} nats")
print(f"difference {in_tenths - in_pixels:.3f}, ln 10 = {np.log(10):.3f}")
exercises.verify("the unit adds ln 10", abs(in_tenths - in_pixels - np.log(10)) < 0.05)

# %% [markdown]
# The difference is a little smaller than $\ln 10$, because the plug-in estimate is lower by more when
# the cells are smaller. The solution is a *difference* of two entropies with the same cells:
# $h(X) - h(X \mid Y)$, in which $\ln \Delta$ cancels. This is mutual information. Notebook 02 shows that
# it does not depend on the unit of $X$.

# %% [markdown]
# ## Recap
#
# - Entropy is the mean surprise. Ten equally likely digits have $\ln 10 = 2.3026$ nats, or 3.32 bits.
# - The chain rule splits the entropy of real captions, 5.4834 nats, into four terms.
# - KL divergence is the cost of a wrong model. Total correlation is a KL divergence.
# - The plug-in estimate is too small by about $(K - 1)/2N$. Three corrections reduce the bias and
#   raise the spread.
# - Differential entropy can be negative and depends on the unit. The entropy of the cell of a real
#   number grows without limit as the cells get smaller.

# %% [markdown]
# ## Exercises
#
# Each check says whether an answer is correct, and why not. `hint=1` as a last argument shows a hint. Solutions: [notebook](solutions/01_entropy.ipynb), [in Colab](https://colab.research.google.com/github/simmim-lite/simmim-lite/blob/main/notebooks/solutions/01_entropy.ipynb).
#
# ### Exercise 4 · ★ · 3 minutes · function
#
# The first cell of section 1 gives `nan` if a probability is 0. Write an entropy that works for every
# vector of probabilities.


# %% tags=["exercise"]
def my_entropy(p):
    """Return H(p) in nats of probabilities p (K,), which may be 0."""
    ...  # your code


exercises.check("entropy", my_entropy)

# %% [markdown]
# ### Exercise 5 · ★★ · 4 minutes · function
#
# Write the KL divergence for any two vectors of probabilities. Either of them may contain zeros: what
# does a term add where $p(x) = 0$, and where only $q(x) = 0$?


# %% tags=["exercise"]
def my_kl_divergence(p, q):
    """Return D(p || q) in nats of probabilities p and q (K,), possibly infinite."""
    ...  # your code


exercises.check("kl divergence", my_kl_divergence)

# %% [markdown]
# ### Exercise 6 · ★★ · 3 minutes · find the bug
#
# This jackknife is faster: samples of the same cell have the same $\hat H_{-i}$, so the loop runs over cells.
# But the result is wrong, unless the counts of all seen cells are equal. Which line is wrong?
#
# ```python
# 1  counts = np.bincount(sample)
# 2  N = counts.sum()
# 3  without = []
# 4  for cell in np.flatnonzero(counts):
# 5      fewer = counts.copy()
# 6      fewer[cell] -= 1
# 7      without.append(entropy.entropy(fewer / (N - 1)))
# 8  jackknife = N * entropy.entropy(counts / N) - (N - 1) * np.mean(without)
# ```

# %% tags=["exercise"]
my_wrong_line = None  # the number of the line as a string, for example "2"

exercises.check("jackknife by cells", my_wrong_line)

# %% [markdown]
# ### Exercise 7 · ★★★ · 5 minutes · derive
#
# You toss a coin, with probability $p$ of heads, until heads comes up. Let $T$ be the number of
# tosses, $P(T = t) = p (1 - p)^{t - 1}$. Derive $H(T)$ without an infinite sum. Let $F$ be the result of the
# first toss. It is a function of $T$, so $H(T) = H(T, F)$. Apply the chain rule, first $F$, then $T$. Return
# the closed form.


# %% tags=["exercise"]
def my_entropy_of_waiting(p):
    """Return H(T) in nats of the number of tosses until the first heads, 0 < p < 1."""
    ...  # your code


exercises.check("waiting for heads", my_entropy_of_waiting)

# %% [markdown]
# ## What to try next
#
# - Estimate the entropy of the letters, and of pairs of letters, in a text of your own.
# - Draw the samples in section 4 from `independent` instead of `table`. Which correction changes most?
# - Compute the chain rule in all 24 orders, and find the order with the smallest last term.
# - Repeat the table of section 5 with 4,000 draws from a Gaussian, and compare with its known $h$.

# %% [markdown]
# ## References
#
# - Shannon, C. E. (1948). A mathematical theory of communication. https://doi.org/10.1002/j.1538-7305.1948.tb01338.x
# - Cover, T. M., & Thomas, J. A. (2006). *Elements of Information Theory*, 2nd edition (chapters 2 and 8). https://doi.org/10.1002/047174882X
# - Miller, G. A. (1955). Note on the bias of information estimates. In *Information Theory in Psychology*, Free Press.
# - Basharin, G. P. (1959). On a statistical estimate for the entropy of a sequence of independent random variables. https://doi.org/10.1137/1104033
# - Zahl, S. (1977). Jackknifing an index of diversity. https://doi.org/10.2307/1936227
# - Good, I. J. (1953). The population frequencies of species and the estimation of population parameters. https://doi.org/10.1093/biomet/40.3-4.237
# - Horvitz, D. G., & Thompson, D. J. (1952). A generalization of sampling without replacement from a finite universe. https://doi.org/10.1080/01621459.1952.10483446
# - Chao, A., & Shen, T.-J. (2003). Nonparametric estimation of Shannon's index of diversity when there are unseen species in sample. https://doi.org/10.1023/A:1026096204727
# - Paninski, L. (2003). Estimation of entropy and mutual information. https://doi.org/10.1162/089976603321780272
#
# Previous: [00 · Start here](00_start_here.ipynb) · Next: [02 · Mutual information](02_mutual_information.ipynb)
