# %% [markdown]
# # 02 · Mutual information
#
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/simmim-lite/simmim-lite/blob/main/notebooks/02_mutual_information.ipynb)
#
# *Mutual information three ways, the data processing inequality on real digits, the Gaussian closed form, nearest-neighbor estimates and where they collapse, and why an estimate is never put into a logarithm.*
#
# **What you will learn**
#
# - what **mutual information** is, as a shared part, as a drop in surprise and as a divergence;
# - why **processing cannot add information**, seen on features of real digits;
# - the **Gaussian closed form**, the yardstick of every estimator in this kit;
# - how **nearest neighbors** (KSG, Ross) estimate it without any model, and where they collapse;
# - why $I(Z; Z)$ grows without any learning, and why **estimates below zero** are normal.
#
# **In the package**: `mutual_information`, `ground_truth`.
#
# <!-- measured -->
# About 45 minutes to work through.
# Measured: 12 s on 2 CPU cores, no GPU, Python 3.11, torch 2.14 (generated)
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
from scipy.spatial import cKDTree
from scipy.special import digamma
from sklearn.cluster import AgglomerativeClustering, KMeans

from simmim_lite import datasets, entropy, exercises, figures, ground_truth
from simmim_lite.evaluation import compare_estimators
from simmim_lite.mutual_information import estimate

figures.set_style()

# %% [markdown]
# ## 1. What do two variables share?
#
# **Question.** You know how wide a handwritten digit is. How much do you know about *which* digit
# it is?
#
# **Formula.** *Mutual information* is the drop in surprise, the overlap of two entropies, and the
# divergence of the joint distribution from the product of its margins. All three are the same:
#
# $$I(X; Y) = H(X) - H(X \mid Y) = H(X) + H(Y) - H(X, Y) = D\big(p(x, y) \,\|\, p(x)\, p(y)\big)$$
#
# It is symmetric, never negative, and zero exactly when $X$ and $Y$ are independent.
#
# We measure the stroke of 4,000 real digits, cut width and slant into four equally full levels
# each, and count.

# %%
digits = datasets.load_digits("train")
measures = datasets.measure_strokes(digits.images)
quartiles = np.quantile(measures, [0.25, 0.5, 0.75], axis=0)
slant = np.digitize(measures[:, 1], quartiles[:, 1])
width = np.digitize(measures[:, 2], quartiles[:, 2])

# %%
table = entropy.counts(digits.labels, width) / len(digits)
levels = ["narrow", "rather narrow", "rather wide", "wide"]
figures.joint_table(table, range(10), levels, row_label="digit", column_label="width")
plt.title("Share of all images, %")
plt.show()

# %%
h_digit, h_width = entropy.entropy(table.sum(axis=1)), entropy.entropy(table.sum(axis=0))
drop = h_digit - entropy.conditional_entropy(table, given=1)
overlap = h_digit + h_width - entropy.entropy(table)
divergence = entropy.kl_divergence(table, np.outer(table.sum(axis=1), table.sum(axis=0)))
print(f"drop {drop:.6f}, overlap {overlap:.6f}, divergence {divergence:.6f} nats")
assert np.allclose(
    [overlap, divergence, entropy.mutual_information(table)], drop, rtol=0, atol=1e-12
)

# %% [markdown]
# The usual picture is a Venn diagram of two circles. Drawn as bars it keeps its lengths honest: what
# only the digit says, what both say, what only the width says.

# %%
digit_only, width_only = {"digit only": h_digit - drop}, {"width only": h_width - drop}
shared = {"shared": drop}
bars = {"H(digit)": digit_only | shared, "H(width)": shared | width_only}
bars["H(digit, width)"] = digit_only | shared | width_only
figures.stacked_bars(bars, starts={"H(width)": h_digit - drop})
plt.show()

# %% [markdown]
# Information obeys a chain rule too: what width and slant tell together is what width tells, plus
# what slant adds once the width is known. The addition may be *more* than slant tells alone
# (synergy) or less (redundancy).
#
# $$I(D; W, S) = I(D; W) + I(D; S \mid W)$$

# %%
three = entropy.counts(digits.labels, slant, width) / len(digits)
both = entropy.mutual_information(three.reshape(10, 16))
by_width, by_slant = (entropy.mutual_information(three.sum(axis=axis)) for axis in (1, 2))
added = entropy.conditional_mutual_information(three)
print(f"width {by_width:.4f} + slant given width {added:.4f} = both {both:.4f} nats")
print(f"slant alone {by_slant:.4f}: so together they tell {added - by_slant:+.4f} nats more")
assert abs(by_width + added - both) < 1e-12

# %% [markdown]
# ## 2. Can processing add information?
#
# **Question.** A network turns an image into a feature, and the feature into a code. Can a step make
# up for what the step before it lost?
#
# **Formula.** No. If $Y \to X \to Z$, so that $Z$ is made from $X$ alone, then
# $I(Y; Z) \le I(Y; X)$, the **data processing inequality**.
#
# We sort the images into 64 groups by k-means, without labels, and then merge groups, 64 into 32
# into 16 and so on: each code is a function of the one before. What it tells about the digit can
# only fall, and is never above $\ln K$ for $K$ codes, nor above $H(\text{digit}) = \ln 10$.

# %%
pixels = digits.images.reshape(len(digits), -1) / 255
kmeans = KMeans(n_clusters=64, n_init=1, random_state=0).fit(pixels)
sizes = (64, 32, 16, 8, 4, 2)

# %%
told = []
for size in sizes:
    merged = AgglomerativeClustering(size).fit(kmeans.cluster_centers_).labels_
    joint = entropy.counts(digits.labels, merged[kmeans.labels_]) / len(digits)
    told.append(entropy.mutual_information(joint))

assert np.all(np.diff(told) <= 0)
assert all(nats <= np.log(min(size, 10)) for size, nats in zip(sizes, told, strict=True))

plt.plot(sizes, told, marker="o", label="I(digit; code)")
plt.plot(sizes, np.log(np.minimum(sizes, 10)), label="ceiling: ln K, ln 10", **figures.TRUTH)
plt.gca().set(xscale="log", xticks=sizes, xticklabels=sizes)
plt.gca().set(xlabel="number of codes K", ylabel="nats")
plt.minorticks_off()
plt.legend()
plt.show()

# %% [markdown]
# Ten well chosen codes *could* tell the digit without error, $\ln 10 = 2.30$ nats. Grouping by raw
# pixels leaves a quarter of that on the table even with 64 codes. Finding codes, without labels,
# that come close to the ceiling is what information maximization on a manifold is about.

# %% [markdown]
# ## 3. Where is the exact answer known for continuous variables?
#
# **Formula.** For a Gaussian pair with correlation $\rho$
#
# $$I(X; Y) = -\tfrac{1}{2} \ln(1 - \rho^2)$$
#
# and with $d$ independent coordinate pairs the sum of $d$ such terms. Any strictly monotone change
# of a single coordinate, its unit, its cube, its rank, leaves $I$ as it is. That gives us pairs
# that look nothing like a Gaussian and whose information is still known exactly.

# %%
truths = (0.0, 0.25, 0.5, 1.0, 1.5, 2.0, 2.5)
methods = ("gaussian", "rank_gaussian", "ksg")
plain = {nats: ground_truth.CorrelatedGaussian(nats=nats) for nats in truths}
cubed = {nats: ground_truth.MonotoneTransform(pair, "cube", "cube") for nats, pair in plain.items()}
pairs = {"Gaussian": plain, "both cubed": cubed}
found = {name: compare_estimators(p, methods, n=2000, seeds=5) for name, p in pairs.items()}

# %%
figure, panels = plt.subplots(1, 2, figsize=(9, 3.6), sharey=True)
for panel, (name, frame) in zip(panels, found.items(), strict=True):
    figures.estimates(frame, x="truth", truth=truths, ax=panel)
    panel.set(title=name, xlabel="true nats", ylabel="estimated nats")
plt.show()

error = pd.DataFrame({k: v["error"].abs().groupby(v["method"]).mean() for k, v in found.items()})
print("mean absolute error, nats\n" + error.round(3).to_string())
assert error["Gaussian"].max() < 0.05
assert error["both cubed"].drop("gaussian").max() < 0.05 < error.loc["gaussian", "both cubed"]

# %% [markdown]
# The plain Gaussian estimate reads a correlation, and cubing spoils the correlation: it falls short
# by about 0.3 nats. Ranks do not change under a monotone map, so the other two give the same numbers
# in both panels. But all three still have to be told something: `gaussian` and `rank_gaussian` that
# there is a Gaussian below. The third needs no model at all.

# %% [markdown]
# ## 4. Can it be estimated without a model?
#
# **Idea** (Kraskov, Stögbauer and Grassberger 2004). Around each point draw a square that just
# reaches its $k$-th neighbor. Count how many points fall within the same distance in $x$ alone,
# $n_x$, and in $y$ alone, $n_y$. Where $x$ and $y$ have much to do with each other, few do.
#
# $$\hat I = \psi(k) + \psi(N) - \big\langle \psi(n_x + 1) + \psi(n_y + 1) \big\rangle$$
#
# with the digamma function $\psi(n) \approx \ln n$. By hand it is six lines; the package's version
# searches faster and must give the same number.


# %%
def ksg_by_hand(x, y, k=3):
    x, y = (x - x.mean()) / x.std(), (y - y.mean()) / y.std()
    points = np.hstack([x, y])
    reach = cKDTree(points).query(points, k + 1, p=np.inf)[0][:, -1:]
    n_x, n_y = (np.sum(np.abs(v - v.T) < reach, axis=1) - 1 for v in (x, y))
    return digamma(k) + digamma(len(x)) - np.mean(digamma(n_x + 1) + digamma(n_y + 1))


x, y = ground_truth.CorrelatedGaussian(nats=1.0).sample(1000, seed=0)
print(f"by hand {ksg_by_hand(x, y):.6f} nats, truth 1")
print(estimate(x, y, "ksg", scale="standardize"))
assert abs(ksg_by_hand(x, y) - estimate(x, y, "ksg", scale="standardize").nats) < 1e-10

# %% [markdown]
# It works for dependence of any shape, as long as there are few dimensions. Three pairs with a known
# truth: a uniform variable with uniform noise added (closed form), a mixture of two Gaussians
# (truth by Monte Carlo, with its error), and two independent variables.

# %%
cross = [[[1, 0.9], [0.9, 1]], [[1, -0.9], [-0.9, 1]]]
sources = {
    "additive noise": ground_truth.AdditiveNoise(0.25),
    "crossed": ground_truth.GaussianMixture([0.5, 0.5], np.zeros((2, 2)), cross, 1),
    "independent": ground_truth.Independent(1, 1),
}
shapes = compare_estimators(sources, ("ksg", "rank_gaussian"), n=5000, seeds=3)
mean = shapes.groupby(["source", "method"])["nats"].mean().unstack("method")
mean["truth"] = [sources[name].mutual_information for name in mean.index]
print(mean.round(3).to_string())
assert (mean["ksg"] - mean["truth"]).abs().max() < 0.04

# %% [markdown]
# The crossed Gaussians have no correlation at all: a method that assumes one blob sees nothing, the
# neighbors see most of it.
#
# ## 5. Where do neighbors collapse?
#
# **Question.** Append coordinates of pure noise to $x$ and to $y$. The truth does not change. Does
# the estimate?
#
# **Idea.** In many dimensions the nearest neighbor is nearly as far as anybody else, and the square
# around a point is so large that it no longer sees the two coordinates that matter.

# %%
base = ground_truth.CorrelatedGaussian(nats=1.0)
extras = (0, 1, 2, 4, 8, 16, 24)
noisy = {1 + extra: ground_truth.WithNoiseDimensions(base, extra) for extra in extras}
collapse = compare_estimators(noisy, ("ksg", "gaussian"), n=2000, seeds=3)
figures.estimates(collapse, x="source", truth=1.0)
plt.gca().set(xlabel="columns of x and of y", title="One informative column, the rest noise")
plt.show()

# %%
ends = collapse.groupby(["method", "source"])[["nats", "standard_error"]].mean()
print(ends.loc["ksg"].round(3).to_string())
assert abs(ends["nats"]["ksg", 1] - 1) < 0.05
assert ends["nats"]["ksg", 25] + 10 * ends["standard_error"]["ksg", 25] < 1
assert abs(ends["nats"]["gaussian", 25] - 1) < 0.1

# %% [markdown]
# KSG loses most of the information, silently: the truth is more than ten of its standard errors
# away. The Gaussian estimate holds only because the pair *is* Gaussian. For images and sentences
# neither will do. That is what trained bounds are for, and why every estimate in this kit is shown
# beside a truth.
#
# ## 6. What if one of the two is a class?
#
# **Question.** In section 1 we cut the width into four levels. By the data processing inequality
# that lost something. How much does the *uncut* width tell about the digit?
#
# **Idea** (Ross 2014). Take the $k$-th neighbor among the images of the same digit, and count how
# many images of *any* digit are as near. Against it we set the plug-in estimate with more and more
# levels, and, as the zero that both must show, the same with shuffled labels.

# %%
generator = np.random.default_rng(0)
shuffled = generator.permutation(digits.labels)
rows = []
for bins in (2, 4, 8, 16, 32, 64, 128):
    edges = np.quantile(measures[:, 2], np.linspace(0, 1, bins + 1)[1:-1])
    code = np.digitize(measures[:, 2], edges)
    rows.append((bins, "plug-in", estimate(code, digits.labels, "plug_in").nats))
    rows.append((bins, "plug-in, shuffled", estimate(code, shuffled, "plug_in").nats))
binned = pd.DataFrame(rows, columns=["levels", "method", "nats"])
uncut = estimate(measures[:, 2], digits.labels, "ross")
zero = estimate(measures[:, 2], shuffled, "ross")
print(uncut, "- shuffled:", zero)

# %%
axes = figures.estimates(binned, x="levels", truth=None, log=True)
axes.axhline(uncut.nats, color="C2", label="ross, no levels")
axes.axhline(zero.nats, color="C3", label="ross, shuffled")
axes.legend()
plt.show()

# %% [markdown]
# With few levels the plug-in estimate loses information, with many it invents some: on shuffled
# labels, where the truth is zero, it climbs by about $(K_x - 1)(K_y - 1)/2N$. The neighbors need no
# levels, and give about zero where zero is due.

# %%
at = binned.set_index(["method", "levels"])["nats"]
invented = (128 - 1) * (10 - 1) / (2 * len(digits))
print(f"shuffled, 128 levels: {at['plug-in, shuffled', 128]:.3f}, by the formula {invented:.3f}")

assert abs(at["plug-in, shuffled", 128] - invented) < 0.03
assert abs(zero.nats) < 0.03
assert at["plug-in", 4] < uncut.nats < at["plug-in", 128]

# %% [markdown]
# ## What the article's version does
#
# The first article computes the information between the features of an image and the features of
# *the same image by the same network*, and minimizes $-\ln I$. Both halves fail, and neither needs
# its code to be seen.
#
# **First half: $I(Z; Z)$.** What a number shares with itself is its own entropy, and for a real
# number that has no end (notebook 01). Below, 512 digits go through *random* weights; nothing is
# learned. The finer the cells, the more "information" there is, until each image has a cell of its
# own: only $\ln N$ stops it.

# %%
weights = np.random.default_rng(0).standard_normal(784)
z = pixels[:512] @ weights
for bins in (2, 8, 64, 512, 2**14, 2**20):
    cells = np.digitize(z, np.linspace(z.min(), z.max(), bins + 1)[1:-1])
    print(f"{bins:8d} cells: I(Z; Z) = {estimate(cells, cells, 'plug_in').nats:.3f} nats")

print(f"ln 512 = {np.log(512):.3f}")
assert abs(estimate(cells, cells, "plug_in").nats - np.log(512)) < 0.01

# %% [markdown]
# So a large value of $I(Z; Z)$ says nothing about what was learned. What can be learned from is what
# two *different* views of one thing share: two crops, an image and its caption, a picture and a
# spoken word.
#
# **Second half: $-\ln I$.** An honest estimate scatters around the truth. Where the truth is near
# zero, about half of the estimates lie below it; that is not an error, it is what keeps their mean
# right. The logarithm of such an estimate is not a number, and just above zero its slope explodes.

# %%
weak = ground_truth.CorrelatedGaussian(correlation=0.1)
batches = compare_estimators({"weak": weak}, ("ksg",), n=64, seeds=400)["nats"]
share = (batches <= 0).mean()
plt.hist(batches, bins=40)
plt.axvline(weak.mutual_information, label="truth", **figures.TRUTH)
plt.gca().set(xlabel="estimate from a batch of 64, nats", ylabel="batches")
plt.title(f"{share:.0%} of 400 batches are at or below zero")
plt.legend()
plt.show()

# %%
print(f"truth {weak.mutual_information:.4f}, mean {batches.mean():.4f} ± {batches.sem():.4f} nats")
print(f"mean after clipping at zero: {batches.clip(lower=0).mean():.4f} nats")
assert 0.3 < share < 0.7
assert abs(batches.mean() - weak.mutual_information) < 0.02
assert batches.clip(lower=0).mean() > 0.03

# %% [markdown]
# Clipping at zero does not help: it turns an estimate that is right in the mean into one that sees
# information where there is hardly any. The remedy is plain: minimize $-\hat I$ itself. It has the
# same best solution, and a slope of one everywhere.

# %% [markdown]
# ## Recap
#
# - We computed mutual information as drop, overlap and divergence, equal to $10^{-12}$.
# - We merged codes of real digits and saw information fall at each step, never rise.
# - We used the Gaussian closed form as a yardstick, and monotone maps to disguise it.
# - We built KSG in six lines, and watched it lose nine tenths of a nat among 24 dimensions of noise.
# - We measured what an uncut width tells about the digit, and what too many levels invent.
# - We saw $I(Z; Z)$ reach $\ln N$ without learning, and half of the honest estimates below zero.

# %% [markdown]
# ## Exercises
#
# [Solutions](solutions/02_mutual_information.py).
#
# 1. The Gaussian closed form.


# %% tags=["exercise"]
def my_gaussian_information(rho):
    """I(X; Y) in nats of a Gaussian pair with correlation rho."""
    # your code


exercises.check("gaussian information", my_gaussian_information)

# %% [markdown]
# 2. One step of section 2: merge the rows of a table that belong to one group.


# %% tags=["exercise"]
def my_merge(table, groups):
    """Rows i with groups[i] == g are added up to row g of the result."""
    # your code


exercises.check("merge", my_merge)

# %% [markdown]
# 3. What $X$ and $Y$ share once $Z$ is known. For "exclusive or" it is more than without.


# %% tags=["exercise"]
def my_conditional_information(table):
    """I(X; Y | Z) in nats of a table p(x, y, z)."""
    # your code


exercises.check("conditional information", my_conditional_information)

# %% [markdown]
# 4. The last line of KSG, from the neighbor counts. Mind what it gives for few points.


# %% tags=["exercise"]
def my_ksg(n_x, n_y, k):
    """Kraskov's first estimate in nats."""
    # your code


exercises.check("ksg", my_ksg)

# %% [markdown]
# ## References
#
# - Cover, T. M., & Thomas, J. A. (2006). *Elements of Information Theory*, 2nd edition. https://doi.org/10.1002/047174882X
# - Kraskov, A., Stögbauer, H., & Grassberger, P. (2004). Estimating mutual information. https://doi.org/10.1103/PhysRevE.69.066138
# - Ross, B. C. (2014). Mutual information between discrete and continuous data sets. https://doi.org/10.1371/journal.pone.0087357
# - Gao, S., Ver Steeg, G., & Galstyan, A. (2015). Efficient estimation of mutual information for strongly dependent variables. https://arxiv.org/abs/1411.2003
# - Czyż, P., et al. (2023). Beyond normal: on the evaluation of mutual information estimators. https://arxiv.org/abs/2306.11078
# - McAllester, D., & Stratos, K. (2020). Formal limitations on the measurement of mutual information. https://arxiv.org/abs/1811.04251
#
# Previous: [01 · Entropy](01_entropy.ipynb) · Next: [03 · Variational bounds](03_variational_bounds.ipynb)
