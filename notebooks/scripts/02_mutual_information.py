# %% [markdown]
# # 02 · Mutual information
#
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/simmim-lite/simmim-lite/blob/main/notebooks/02_mutual_information.ipynb)
#
# *Mutual information in three equal forms, the data processing inequality and usable information on real digits, the Gaussian closed form, nearest-neighbor estimates and where they fail, and why the logarithm of an estimate is a bad loss.*
#
# **What you will learn**
#
# - what **mutual information** is: a drop in entropy, an overlap, and a divergence;
# - why **processing cannot add information**, and what an encoder improves instead;
# - the **Gaussian closed form**, the truth that we compare estimators with;
# - how **nearest neighbors** (KSG, Ross) estimate it, what they assume, and where they fail;
# - how large the **bias** of counting is, and why estimates below zero are normal.
#
# **Prerequisites**: [01](01_entropy.ipynb) (entropy, chain rule, KL divergence, plug-in bias); logarithms, densities, the Gaussian; NumPy arrays.
#
# **In the package**: `mutual_information`, `ground_truth`.
#
# <!-- measured -->
# About 74 minutes to work through.
# Measured: 19 s on 2 CPU cores, no GPU, Python 3.11, torch 2.14 (generated)
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
from scipy.spatial import cKDTree
from scipy.special import digamma
from sklearn.cluster import AgglomerativeClustering, KMeans
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss

from simmim_lite import datasets, entropy, exercises, figures, ground_truth
from simmim_lite.evaluation import compare_estimators
from simmim_lite.mutual_information import estimate

figures.set_style()

# %% [markdown]
# ## 1. How much do two variables have in common?
#
# **Question.** You know the width of a handwritten digit. How much do you know about *which* digit
# it is?
#
# **Data.** We measure the strokes of 4,000 real digits. We cut the width and the slant into four
# levels each, so that each level holds a quarter of the images.
#
# **Population or sample?** In sections 1 to 3 these 4,000 images are the whole *population*: every
# image has probability 1/4000, and counting gives exact values. From section 4 on the estimators get
# only a *sample* from a larger population.

# %%
digits = datasets.load_digits("train", full=False)
measures = datasets.measure_strokes(digits.images)
slant, width = measures[:, 1], measures[:, 2]
quarters = [0.25, 0.5, 0.75]
slant_level = np.digitize(slant, np.quantile(slant, quarters))
width_level = np.digitize(width, np.quantile(width, quarters))
table = entropy.counts(digits.labels, width_level) / len(digits)
widths = ["narrow", "rather narrow", "rather wide", "wide"]
figures.joint_table(table, range(10), widths, row_label="digit", column_label="width")
plt.title("% of all images")
figures.show(
    "Figure 1. The width contains information about the digit: the rows differ.",
    alt="Heat map of digit by width level, in percent of all images. Nearly all ones are narrow, "
    "zeros and half of the twos are wide, the other digits spread over all levels.",
)

# %% [markdown]
# **Formula.** *Mutual information* is the drop in the entropy of $X$ when $Y$ becomes known:
#
# $$I(X; Y) = H(X) - H(X \mid Y)$$
#
# Insert $H(X \mid Y) = H(X, Y) - H(Y)$, the chain rule. The drop becomes an overlap. Then insert the
# definition of entropy. The overlap becomes a divergence between the joint distribution and the
# product of its *marginals* $p(x)$ and $p(y)$:
#
# $$I(X; Y) = H(X) + H(Y) - H(X, Y)$$
#
# $$I(X; Y) = \sum_{x, y} p(x, y) \ln \frac{p(x, y)}{p(x)\, p(y)} = \text{KL}\big(p(x, y) \,\|\, p(x)\, p(y)\big)$$
#
# The second form is symmetric in $X$ and $Y$. The third form shows that $I$ is never negative, and
# zero exactly when $X$ and $Y$ are independent.
#
# ### Exercise 1 · ★ · 2 minutes · predict
#
# $H(\text{digit}) = \ln 10 = 2.30$ and $H(\text{width level}) = \ln 4 = 1.39$ nats. Before we count:
# what is the smallest upper bound on $I(\text{digit}; \text{width level})$ that you can prove with the
# first formula? Use it twice, also with $X$ and $Y$ exchanged.
#
# - a: 1.39 nats
# - b: 2.30 nats
# - c: 3.69 nats

# %% tags=["exercise"]
my_upper_bound = None  # "a", "b" or "c"

exercises.check("upper bound", my_upper_bound)

# %%
p_digit, p_width = table.sum(axis=1), table.sum(axis=0)
h_digit, h_width = entropy.entropy(p_digit), entropy.entropy(p_width)
drop = h_digit - entropy.conditional_entropy(table, given=1)
overlap = h_digit + h_width - entropy.entropy(table)
seen = table > 0  # 0 ln 0 is 0
ratio = table[seen] / np.outer(p_digit, p_width)[seen]
divergence = np.sum(table[seen] * np.log(ratio))
print(f"drop {drop:.6f}, overlap {overlap:.6f}, divergence {divergence:.6f} nats")

assert np.allclose([overlap, divergence], drop, rtol=0, atol=1e-12)
assert np.isclose(entropy.mutual_information(table), drop, rtol=0, atol=1e-12)

# %% [markdown]
# The assertions say that the three forms agree to 12 decimals, and that the package computes the
# same value. The next figure draws the overlap as bars of the correct lengths.

# %%
digit_only, in_common = {"digit only": h_digit - drop}, {"in common": drop}
width_only = {"width only": h_width - drop}
bars = {"H(digit)": digit_only | in_common, "H(width)": in_common | width_only}
bars["H(digit, width)"] = digit_only | in_common | width_only
figures.stacked_bars(bars, starts={"H(width)": h_digit - drop})
figures.show(
    "Figure 2. Mutual information is the part that is counted twice in H(digit) + H(width).",
    alt="Three stacked bars in nats. H(digit) is 2.03 digit only plus 0.27 in common. H(width) is "
    "0.27 in common plus 1.11 width only. H(digit, width) is 2.03 plus 0.27 plus 1.11.",
)

# %% [markdown]
# Information has a chain rule too. Let $D$ be the digit, $W$ the width level, $S$ the slant level.
# The entropy of $D$ drops in two steps, from $H(D)$ to $H(D \mid W)$ and then to $H(D \mid W, S)$:
#
# $$I(D; W, S) = I(D; W) + I(D; S \mid W), \qquad I(D; S \mid W) = H(D \mid W) - H(D \mid W, S)$$
#
# The *conditional mutual information* $I(D; S \mid W)$ is what the slant adds when the width is
# already known. It can be more than $I(D; S)$ (*synergy*) or less (*redundancy*).

# %%
three = entropy.counts(digits.labels, slant_level, width_level) / len(digits)
both = entropy.mutual_information(three.reshape(10, 16))
slant_alone = entropy.mutual_information(three.sum(axis=2))
slant_added = entropy.conditional_mutual_information(three)
synergy = slant_added - slant_alone
print(f"I(D; W) {drop:.4f} + I(D; S | W) {slant_added:.4f} = I(D; W, S) {both:.4f} nats")
print(f"I(D; S) {slant_alone:.4f}, so the synergy is {synergy:+.4f} nats")
assert np.isclose(drop + slant_added, both, rtol=0, atol=1e-12)
exercises.verify("the slant adds more when the width is known", slant_added > slant_alone)

# %% [markdown]
# ## 2. Can processing add information?
#
# **Question.** A network turns an image into features, and the features into a cluster. Can a later
# step recover information that an earlier step lost?
#
# **Formula.** It cannot. Let $Z$ be computed from $X$ alone, without $Y$; this is written $Y \to X \to Z$.
# When $X$ is known, $Z$ contains nothing new about $Y$: $I(Y; Z \mid X) = 0$. Apply the chain rule to
# $I(Y; X, Z)$ in both orders:
#
# $$I(Y; X) + I(Y; Z \mid X) = I(Y; Z) + I(Y; X \mid Z)$$
#
# The second term is 0, and the last term is at least 0. This proves the *data processing
# inequality*:
#
# $$I(Y; Z) \le I(Y; X)$$
#
# **Check** (population). We sort the images into 64 clusters by *k-means*, without labels: each image joins the
# nearest of 64 centers, and each center is the mean of its images. Then we merge similar clusters: 64 into
# 32, into 16, and so on. Each assignment is a function of the assignment before. With $K$ clusters $Z$, also
# $I(Y; Z) \le H(Z) \le \ln K$ and $I(Y; Z) \le H(Y) = \ln 10$.

# %%
pixels = digits.images.reshape(len(digits), -1) / 255
kmeans = KMeans(n_clusters=64, n_init=1, random_state=0).fit(pixels)
sizes = np.array([64, 32, 16, 8, 4, 2])
by_cluster = []
for size in sizes:
    group = AgglomerativeClustering(size).fit_predict(kmeans.cluster_centers_)
    joint = entropy.counts(digits.labels, group[kmeans.labels_]) / len(digits)
    by_cluster.append(entropy.mutual_information(joint))

missing = h_digit - by_cluster[0]
exercises.verify("merging clusters never adds information", np.all(np.diff(by_cluster) <= 0))
exercises.verify("64 clusters miss 0.56 nats of H(digit)", round(missing, 2) == 0.56)

# %%
plt.plot(sizes, by_cluster, marker="o", label="I(digit; cluster)")
grid = np.geomspace(2, 64, 100)
plt.plot(grid, np.minimum(np.log(grid), h_digit), label="upper bound", **figures.TRUTH)
plt.text(64, h_digit + 0.05, "H(digit) = ln 10", ha="right")
plt.text(4, 1.5, "ln K", ha="right")
plt.plot([64, 64], [by_cluster[0], h_digit], color="C3", linestyle=":")
plt.text(62, h_digit - missing / 2, "0.56 nats missing", color="C3", ha="right", va="center")
plt.gca().set(xscale="log", xticks=sizes, xticklabels=sizes, ylim=(0, 2.6))
plt.gca().set(xlabel="number of clusters K", ylabel="I, nats")
plt.minorticks_off()
plt.legend(loc="lower right")
figures.show(
    "Figure 3. Each merge loses information; even 64 clusters of raw pixels miss 0.56 nats.",
    alt="I(digit; cluster) against the number of clusters K, logarithmic axis. It rises from 0.25 "
    "nats at 2 to 1.74 at 64. The dashed upper bound is ln K up to K = 10, then ln 10 = 2.30.",
)

# %% [markdown]
# Ten well chosen clusters *could* determine the digit. Notebook 07 looks for better clusters, also
# without labels.
#
# ## 3. What does an encoder improve?
#
# **Question.** No encoder adds information about the digit to the pixels. Then why do we train
# encoders?
#
# **Formula.** In practice we use predictors of a limited kind, for example linear ones. Let $V$ be a
# family of predictors $q(y \mid x)$, some of which ignore $x$. *Usable information*, also called
# V-information (Xu et al. 2020), is the drop in mean surprise from the best predictor $q(y)$ that
# ignores $x$ to the best predictor of all:
#
# $$I_V(X \to Y) = \inf_{q \in V} \mathbb{E}[-\ln q(Y)] - \inf_{q \in V} \mathbb{E}[-\ln q(Y \mid X)]$$
#
# If $V$ contains all predictors, this is $H(Y) - H(Y \mid X) = I(X; Y)$. For linear softmax
# predictors the first term is $H(Y)$ too. The second term is a cross-entropy, and so at least
# $H(Y \mid X)$ (notebook 01). So $I_V \le I$. The data processing inequality does *not* hold for $I_V$: an
# encoder can make information usable.
#
# ### Exercise 2 · ★ · 2 minutes · predict
#
# $A$ and $B$ are independent fair signs, $\pm 1$. The target is their product $Y = AB$. The family is
# linear softmax (logistic regression). What is $I_V$ from $(A, B)$, and from the encoder output
# $Z = AB$?
#
# - a: $\ln 2$ and $\ln 2$
# - b: 0 and $\ln 2$
# - c: $\ln 2$ and 0

# %% tags=["exercise"]
my_usable_information = None  # "a", "b" or "c"

exercises.check("usable information", my_usable_information)

# %% [markdown]
# The next cell computes both values. Then it uses real data, again the population of 4,000 images.
# No two of these images have the same slant. So a table of 4,000 slants determines the digit, but a
# linear predictor cannot use such a table. Our encoder replaces the slant by its level, as four
# columns of zeros and ones.


# %%
def usable_information(features, labels):
    """Return I_V in nats for linear softmax predictors (C=1e6: almost no penalty)."""
    model = LogisticRegression(C=1e6, max_iter=5000).fit(features, labels)
    return entropy.sample_entropy(labels) - log_loss(labels, model.predict_proba(features))


signs = np.array([[1, 1], [1, -1], [-1, 1], [-1, -1]])
product = signs[:, :1] * signs[:, 1:]
print(f"(A, B) -> Y: {usable_information(signs, product[:, 0]):.3f} nats")
print(f"AB -> Y:     {usable_information(product, product[:, 0]):.3f} nats, ln 2 = {np.log(2):.3f}")

by_value = usable_information(slant[:, None], digits.labels)
by_level = usable_information(np.eye(4)[slant_level], digits.labels)
print(f"slant -> digit: {by_value:.4f} nats; its four levels -> digit: {by_level:.4f} nats")
lookup = entropy.sample_mutual_information(slant, digits.labels)
exercises.verify("the slant determines the digit here", np.isclose(lookup, h_digit))
more_usable = round(by_value, 3) == 0.049 and round(by_level, 3) == 0.057
exercises.verify("the level is more usable: 0.057 against 0.049 nats", more_usable)
exercises.verify("for levels, I_V is I(D; S)", np.isclose(by_level, slant_alone, atol=1e-3))

# %% [markdown]
# The level contains only 0.057 nats about the digit, but a linear predictor can use all of them. The
# slant contains $\ln 10 = 2.30$ nats, but a linear predictor can use 0.049. So an encoder may discard
# information and still make more of it usable. A *probe* (notebook 04) measures the usable part.

# %% [markdown]
# ## 4. Where is the exact answer known for continuous variables?
#
# **Population or sample?** Here we know the whole distribution, so the truth is a formula. For
# densities, $I(X; Y) = h(Y) - h(Y \mid X)$ with the differential entropy $h$ of notebook 01.
#
# **Formula.** Let $X$ and $Y$ be Gaussian with variance 1 and correlation $\rho$. A Gaussian of
# variance $\sigma^2$ has $h = \frac{1}{2} \ln(2 \pi e \sigma^2)$. Given $X = x$, $Y$ is Gaussian with
# variance $1 - \rho^2$, for every $x$. So
#
# $$I(X; Y) = \tfrac{1}{2} \ln(2 \pi e) - \tfrac{1}{2} \ln\big(2 \pi e (1 - \rho^2)\big) = -\tfrac{1}{2} \ln(1 - \rho^2)$$


# %%
def draw_pair(rho):
    """Draw the closed form with the value at rho, beside 500 pairs of this correlation."""
    correlations = np.linspace(-0.99, 0.99, 199)
    pair = ground_truth.CorrelatedGaussian(correlation=rho)
    _, (curve, cloud) = plt.subplots(1, 2, figsize=(7.5, 3.2))
    curve.plot(correlations, -0.5 * np.log(1 - correlations**2), **figures.TRUTH)
    curve.plot(rho, pair.mutual_information, "o", color="C1", markersize=9)
    curve.set(xlabel="correlation ρ", ylabel="I(X; Y), nats", title="Closed form", ylim=(0, 2.4))
    cloud.scatter(*pair.sample(500, seed=0), s=6, color="C1")
    cloud.set(xlabel="x", ylabel="y", xlim=(-4, 4), ylim=(-4, 4))
    cloud.set_title(f"ρ = {rho:.2f}, I = {pair.mutual_information:.2f} nats")


draw_pair(0.9)
figures.show(
    "Figure 4. A correlation of 0.9 (dot) gives 0.83 nats; I grows without limit toward ρ = ±1.",
    alt="First panel: I against rho, dashed, 0 at rho = 0 and rising steeply near -1 and 1, with "
    "a dot at rho = 0.9. Second panel: scatter of 500 pairs with correlation 0.9, I = 0.83 nats.",
)

# %% [markdown]
# In JupyterLab or Colab, move the slider. From which $\rho$ on do you *see* a dependence? How many
# nats is this?

# %%
figures.explore(draw_pair, rho=(-0.95, 0.95, 0.05))

# %% [markdown]
# A strictly monotone map of a column (another unit, the cube) can be undone. By the data processing
# inequality in both directions, it does not change $I$. So we know the truth also for pairs that are
# not Gaussian.
#
# We try three estimators on samples of $N = 2000$ Gaussian pairs, and on their cubes. `gaussian`
# inserts the sample correlation into the closed form, and subtracts its small bias.
# `rank_gaussian` first replaces each column by its *normal scores*: the value of rank $i$ becomes
# the Gaussian quantile of $i/(N + 1)$. `ksg` uses nearest neighbors (section 5), by default also of
# normal scores.

# %%
truths = (0.0, 0.25, 0.5, 1.0, 1.5, 2.0, 2.5)
methods = ("gaussian", "rank_gaussian", "ksg")
plain = {nats: ground_truth.CorrelatedGaussian(nats=nats) for nats in truths}
cubed = {nats: ground_truth.MonotoneTransform(plain[nats], "cube", "cube") for nats in truths}
found = {
    "Gaussian": compare_estimators(plain, methods, n=2000, seeds=5),
    "both cubed": compare_estimators(cubed, methods, n=2000, seeds=5),
}
_, panels = plt.subplots(1, 2, figsize=(8.5, 3.4), sharey=True)
for panel, (name, frame) in zip(panels, found.items(), strict=True):
    figures.estimates(frame, x="truth", y="error", truth=0.0, ax=panel)
    panel.set(title=name, xlabel="true I, nats", ylabel="error (estimate - truth), nats")
panels[1].get_legend().remove()
figures.show(
    "Figure 5. The plain Gaussian estimate falls short for cubes; ranked estimates do not change.",
    alt="Error against true nats for three estimators, N = 2000, bands of five samples. Gaussian "
    "pairs: all within 0.05 of zero. Cubed pairs: gaussian falls to about -0.3, the others stay.",
)

# %%
errors = pd.DataFrame({name: frame["error"].abs() for name, frame in found.items()})
errors = errors.groupby(found["Gaussian"]["method"]).mean()
print("mean absolute error, nats\n" + errors.round(3).to_string())
on_cubes = errors["both cubed"]
uses_ranks = found["Gaussian"]["method"] != "gaussian"
same = np.allclose(found["Gaussian"]["nats"][uses_ranks], found["both cubed"]["nats"][uses_ranks])
exercises.verify("rank_gaussian and ksg give the same numbers for cubes", same)
exercises.verify("the others are off by at most 0.03 nats", on_cubes.drop("gaussian").max() < 0.03)
exercises.verify("gaussian is off by 0.2 nats on cubes", round(on_cubes["gaussian"], 1) == 0.2)

# %% [markdown]
# Cubing changes the correlation, so `gaussian` is too low, by 0.2 nats on average over the truths.
# Each estimator has an assumption. `gaussian` assumes a Gaussian. `rank_gaussian` assumes that
# increasing maps of the columns give a Gaussian (a *Gaussian copula*). KSG assumes only that the
# density hardly changes between nearest neighbors.

# %% [markdown]
# ## 5. Can mutual information be estimated without a model?
#
# **Population or sample?** In sections 5 and 6 we draw *samples* of $N$ pairs from a known
# distribution. We know the truth, but the estimator does not use it.
#
# **Idea** (Kraskov, Stögbauer and Grassberger 2004, KSG). Around each point draw a square that just
# reaches its $k$-th neighbor. Let $r$ be half its side, and $P$ the probability of the square.
#
# 1. For each of the $N - 1$ other points, take the square around our point that just reaches it. Its
#    probability is uniform on $(0, 1)$. So $P$ is the $k$-th smallest of $N - 1$ uniform numbers. It has the
#    distribution Beta$(k, N - k)$, with $\mathbb{E} \ln P = \psi(k) - \psi(N)$. Here $\psi(n) \approx \ln n$
#    is the *digamma* function.
# 2. **Assumption**: the density is constant within the square, $P = p(x, y)\, (2r)^2$. Then $\ln p(x, y)$
#    is about $\psi(k) - \psi(N) - 2 \ln(2r)$.
# 3. In $x$ alone, $n_x$ points are nearer than $r$, so $r$ reaches about to neighbor $n_x + 1$:
#    $\ln p(x)$ is about $\psi(n_x + 1) - \psi(N) - \ln(2r)$. The same holds for $y$.
#    (The $k$-th neighbor lies on the border in $x$ or in $y$; for the other column this is
#    approximate.)
# 4. In $\ln p(x, y) - \ln p(x) - \ln p(y)$ the unknown $r$ cancels. The mean over all points is
#
# $$\hat I = \psi(k) + \psi(N) - \frac{1}{N} \sum_{i=1}^{N} \big[\psi(n_{x,i} + 1) + \psi(n_{y,i} + 1)\big]$$
#
# By hand this takes seven lines. The assertion shows that the package computes the same number.


# %%
def ksg_by_hand(x, y, k=3):
    """Return KSG's estimate in nats for columns x and y of shape (N, 1)."""
    u, v = (x - x.mean()) / x.std(), (y - y.mean()) / y.std()
    points = np.hstack([u, v])
    distances, _ = cKDTree(points).query(points, k + 1, p=np.inf)  # each point and k neighbors
    radius = distances[:, -1:]
    n_x = np.sum(np.abs(u - u.T) < radius, axis=1) - 1  # without the point itself
    n_y = np.sum(np.abs(v - v.T) < radius, axis=1) - 1
    return digamma(k) + digamma(len(x)) - np.mean(digamma(n_x + 1) + digamma(n_y + 1))


x, y = ground_truth.CorrelatedGaussian(nats=1.0).sample(2000, seed=0)
for name, first, second in (("Gaussian", x, y), ("both cubed", x**3, y**3)):
    by_hand = ksg_by_hand(first, second)
    standardized = estimate(first, second, "ksg", scale="standardize").nats
    ranked = estimate(first, second, "ksg", scale="rank").nats
    print(f"{name:>10}: by hand {by_hand:.3f}, with normal scores {ranked:.3f}, truth 1 nat")
    assert np.isclose(by_hand, standardized, rtol=0, atol=1e-10)
exercises.verify("cubed, KSG by hand falls to 0.981 nats", round(by_hand, 3) == 0.981)
exercises.verify("with normal scores it stays at 1.028 nats", round(ranked, 3) == 1.028)

# %% [markdown]
# The original estimator only standardizes the columns. A cube stretches the outer values, so other
# points become neighbors, and the value changes. The package applies normal scores first
# (`scale="rank"`, the default), so that an increasing map changes nothing.
#
# ## 6. Where do nearest neighbors fail?
#
# **Question.** When is the square too large for a constant density?
#
# **First case: many dimensions.** We add columns of pure noise to $x$ and to $y$. They are
# independent of everything, so $I$ is still 1 nat. But in many dimensions the $k$-th neighbor is far
# away. The square (now a cube) covers most of the range of the two columns that matter.

# %%
base = ground_truth.CorrelatedGaussian(nats=1.0)
noisy = {
    1 + extra: ground_truth.WithNoiseDimensions(base, extra) for extra in (0, 1, 2, 4, 8, 16, 24)
}
collapse = compare_estimators(noisy, ("ksg", "gaussian"), n=2000, seeds=3)
figures.estimates(collapse, x="source", truth=1.0)
plt.gca().set(xlabel="columns of x and of y (each)", ylabel="estimated I, nats", ylim=(0, 1.2))
figures.show(
    "Figure 6. Noise columns hide the dependence from KSG; the truth stays at 1 nat.",
    alt="Estimates against the number of columns, truth dashed at 1 nat. KSG falls from 1 at one "
    "column to about 0.1 at 25 columns. The Gaussian estimate stays near 1.",
)
ends = collapse.groupby(["method", "source"])[["nats", "standard_error"]].mean()
value, error = ends.loc[("ksg", 25)]
print(f"KSG with 25 + 25 columns: {value:.3f}, standard error {error:.3f} nats")
exercises.verify("the truth is more than ten standard errors away", value + 10 * error < 1)
exercises.verify("KSG is correct with one column each", abs(ends["nats"]["ksg", 1] - 1) < 0.05)

# %% [markdown]
# The standard error of KSG does not show the failure: it is small, and does not contain this bias. The
# Gaussian estimate is a sum of closed forms, one for each *canonical correlation* of $x$ and $y$, minus
# a bias of about $25 \cdot 25 / 2N$. It stays correct only because the pairs *are* Gaussian.
#
# **Second case: strong dependence.** The $k - 1$ nearest neighbors lie inside the square. So they
# are nearer than $r$ in $x$ and in $y$: $n_x \ge k - 1$ and $n_y \ge k - 1$. Since $\psi$ increases,
#
# $$\hat I \le \psi(k) + \psi(N) - 2 \psi(k) = \psi(N) - \psi(k) \approx \ln N - \psi(k)$$
#
# KSG *cannot* return more, whatever the truth. So the sample size has to grow like $e^I$ (shown by
# Gao, Ver Steeg and Galstyan 2015).
#
# ### Exercise 3 · ★★ · 3 minutes · predict
#
# The truth is 10 nats, and $k = 3$ with $\psi(3) = 0.92$. How many pairs does KSG need at least before
# it *could* return 10 nats? ($e^{10} \approx 22{,}000$.)
#
# - a: about 2,000
# - b: about 22,000
# - c: about 55,000

# %% tags=["exercise"]
my_sample_size = None  # "a", "b" or "c"

exercises.check("sample size", my_sample_size)

# %%
strong_truths = (1, 2, 3, 4, 5, 6, 7, 8, 10)
strong = {nats: ground_truth.CorrelatedGaussian(nats=nats) for nats in strong_truths}
parts = []
for n in (500, 2000, 8000):
    part, bound = compare_estimators(strong, ("ksg",), n=n, seeds=3), digamma(n) - digamma(3)
    parts.append(part.assign(method=f"N = {n}, bound {bound:.1f}"))
    exercises.verify(f"no value exceeds {bound:.2f} nats", part["nats"].max() < bound + 1e-9)
dependence = pd.concat(parts)
figures.estimates(dependence, x="truth", truth=strong_truths)
for n, color in zip((500, 2000, 8000), ("C0", "C1", "C2"), strict=True):
    plt.axhline(digamma(n) - digamma(3), color=color, linestyle=":")
plt.gca().set(xlabel="true I, nats", ylabel="KSG estimate, nats")
figures.show(
    "Figure 7. KSG levels off at ψ(N) - ψ(3), dotted; four times the data add only ln 4 = 1.4 nats.",
    alt="KSG estimates of Gaussian pairs against the true nats, 1 to 10, for N = 500, 2000, 8000. "
    "Each follows the dashed truth, then bends to its dotted bound at 5.3, 6.7 or 8.1 nats.",
)
at_four = parts[1].loc[parts[1]["truth"] == 4, "error"].abs()
exercises.verify("with 2,000 pairs the error at 4 nats is below 0.1", at_four.max() < 0.1)

# %% [markdown]
# With 2,000 pairs KSG is close to the truth up to 4 nats, and then levels off at 6.7. The features of
# images and sentences have many columns and depend strongly. Notebook 03 trains *bounds* for them.
#
# ## 7. What if one of the two variables is a class?
#
# **Question.** In section 1 we cut the width into four levels. By the data processing inequality
# this cannot have added information, but may have lost some. How much does the *uncut* width contain?
#
# **Population or sample?** Now the 4,000 images are a *sample* of all handwritten digits.
#
# **Formula 1: cutting and counting.** The plug-in entropy of $K$ cells is too small by about
# $(K - 1)/2N$ (notebook 01). Insert this for the three entropies of $H(X) + H(Y) - H(X, Y)$, with
# $K_x$, $K_y$ and $K_x K_y$ cells: $-(K_x - 1) - (K_y - 1) + (K_x K_y - 1) = (K_x - 1)(K_y - 1)$. So if
# all cells are possible, the plug-in estimate is too large by about
#
# $$\frac{(K_x - 1)(K_y - 1)}{2N}, \qquad \text{and for } I(X; Y \mid Z) \quad \frac{K_z (K_x - 1)(K_y - 1)}{2N}$$
#
# **Formula 2: neighbors** (Ross 2014). Let $N_i$ be the number of images with the digit of image $i$,
# and let $r_i$ be the distance to the $k$-th neighbor among them. Let $m_i$ be the number of images of
# *any* digit nearer than $r_i$, image $i$ included. As in section 5, $\ln p(x_i \mid y_i)$ is about
# $\psi(k) - \psi(N_i) - \ln(2 r_i)$, and $\ln p(x_i)$ is about $\psi(m_i) - \psi(N) - \ln(2 r_i)$. The mean
# difference is
#
# $$\hat I = \psi(N) + \psi(k) - \frac{1}{N} \sum_{i=1}^{N} \big[\psi(N_i) + \psi(m_i)\big]$$
#
# As a *control* we also shuffle the labels. Then the truth is zero.

# %%
shuffled = np.random.default_rng(0).permutation(digits.labels)
cuts = np.array([2, 4, 8, 16, 32, 64, 128])
rows = []
for cut in cuts:
    level = np.digitize(width, np.quantile(width, np.linspace(0, 1, cut + 1)[1:-1]))
    rows.append((cut, "plug-in", estimate(level, digits.labels, "plug_in").nats))
    rows.append((cut, "plug-in, shuffled", estimate(level, shuffled, "plug_in").nats))
binned = pd.DataFrame(rows, columns=["levels", "method", "nats"])
bias = (cuts - 1) * (10 - 1) / (2 * len(digits))
uncut = estimate(width, digits.labels, "ross")
control = estimate(width, shuffled, "ross")
print(f"uncut width {uncut}; shuffled {control}")
excess = binned["nats"].iloc[-1]
print(f"128 levels, shuffled: {excess:.3f} nats, by the formula {bias[-1]:.3f} nats")
exercises.verify("the formula is within 0.02 nats", abs(excess - bias[-1]) < 0.02)
exercises.verify("Ross is near zero for shuffled labels", abs(control.nats) < 0.03)

# %%
figures.estimates(binned, x="levels", truth=None, log=True)
plt.plot(cuts, bias, ":", color="C1", label="$(K_x - 1)(K_y - 1)/2N$")
plt.axhline(uncut.nats, color="C2", label="Ross, uncut")
plt.axhline(control.nats, color="C3", linewidth=4, label="Ross, shuffled")
plt.axhline(0, label="truth for shuffled", **figures.TRUTH)
plt.gca().set(xlabel="number of levels of the width", ylabel="I(digit; width), nats")
plt.legend(loc="center left", bbox_to_anchor=(1, 0.5))
figures.show(
    "Figure 8. Few levels lose information; many levels add bias; Ross needs no levels.",
    alt="Estimates against the number of levels, 2 to 128. Plug-in rises from 0.15 to 0.58; with "
    "shuffled labels it rises from 0 to 0.16, near the dotted formula. Ross: 0.46, and 0.00.",
)
synergy_bias = (4 - 1) * (10 - 1) * (4 - 1) / (2 * len(digits))
print(f"synergy in section 1: {synergy:.4f} nats; its bias in a sample: {synergy_bias:.4f} nats")
exercises.verify("0.026 nats are left", round(synergy - synergy_bias, 3) == 0.026)

# %% [markdown]
# The uncut width contains about 0.46 nats (Ross); the four levels keep 0.27 of them. The last lines
# return to the synergy of section 1: 0.0364 nats, exact for the population. As an estimate from a
# sample it has a bias, the second formula minus the first: $(4 - 1)(10 - 1)(4 - 1)/2N = 0.0101$ nats.
# So about 0.026 nats are left. (Some cells are empty, so the formulas are approximate.)
#
# ## What the article gets wrong
#
# The first article computes the mutual information between the features of an image and the features
# that *the same network gives for the same image*. It minimizes $-\ln I$. Both ideas fail.
#
# **First: $I(Z; Z)$.** From the first formula, $I(Z; Z) = H(Z) - H(Z \mid Z) = H(Z)$. For real
# numbers this grows without limit as the cells get finer (notebook 01). Only a sample of $N$ different
# values stops it, at $\ln N$. Below, 512 images go through *random* weights; nothing is learned.

# %%
weights = np.random.default_rng(0).standard_normal(784)
z = pixels[:512] @ weights
for count in (2, 8, 64, 512, 2**14, 2**20):
    cell = np.digitize(z, np.linspace(z.min(), z.max(), count + 1)[1:-1])
    itself = estimate(cell, cell, "plug_in").nats
    print(f"{count:8d} cells: I(Z; Z) = {itself:.3f} nats")
print(f"ln 512 = {np.log(512):.3f} nats")
exercises.verify("an untrained network reaches ln N", abs(itself - np.log(512)) < 0.01)

# %% [markdown]
# So $I(Z; Z)$ measures the number of cells, not learning. Instead, maximize the information between
# two *different* views of the same thing: two crops of an image, or an image and its caption.
#
# **Second: $-\ln I$.** Estimates scatter around the truth. If the truth is near zero, about half of
# the estimates are below zero. This is normal, and keeps their mean correct. But a negative estimate
# has no logarithm, and just above zero the slope $\frac{d}{dI}(-\ln I) = -1/I$ is huge.

# %%
weak = ground_truth.CorrelatedGaussian(correlation=0.1)
batches = compare_estimators({"weak": weak}, ("ksg",), n=64, seeds=400)["nats"]
edges = np.linspace(-0.26, 0.26, 27)
plt.hist(batches[batches <= 0], bins=edges, color="C3", label="at or below 0: no logarithm")
plt.hist(batches[batches > 0], bins=edges, color="C0", label="above 0")
plt.axvline(weak.mutual_information, label="truth", **figures.TRUTH)
plt.gca().set(xlabel="KSG estimate from a batch of 64, nats", ylabel="number of batches")
plt.legend()
figures.show(
    "Figure 9. About half of 400 estimates of a weak dependence are at or below zero.",
    alt="Histogram of 400 estimates from -0.2 to 0.24 nats. The bars at or below 0 have another "
    "color than the bars above 0. The truth is dashed at 0.005 nats.",
)
clipped = batches.clip(lower=0)
print(f"truth {weak.mutual_information:.4f}, mean {batches.mean():.4f} ± {batches.sem():.4f} nats")
print(f"at or below zero: {np.mean(batches <= 0):.0%}; clipped at zero, mean {clipped.mean():.4f}")
exercises.verify("the mean agrees with the truth", abs(batches.mean() - 0.005) < 3 * batches.sem())
times = clipped.mean() / weak.mutual_information
exercises.verify("clipped, the mean is seven times the truth", round(times) == 7)

# %% [markdown]
# Do not replace negative estimates by zero: the mean becomes seven times as large as the truth.
# Minimize $-\hat I$ instead. Where $I > 0$, $-I$ and $-\ln I$ are smallest for the same network, but
# the slope of $-I$ is $-1$ everywhere.

# %% [markdown]
# ## Appendix: a dependence without correlation
#
# Two Gaussians with correlations 0.9 and $-0.9$, mixed half and half, form a cross. The correlation
# is zero. The truth comes from a million draws of the known densities (Monte Carlo). For $X$
# uniform on $(0, 1)$ and $Y = X + U$ with $U$ uniform on $(-w, w)$, $w \le \frac{1}{2}$, the truth is
# $I = h(Y) - h(U) = w - \ln(2w)$.

# %%
cross = [[[1, 0.9], [0.9, 1]], [[1, -0.9], [-0.9, 1]]]
sources = {
    "additive noise": ground_truth.AdditiveNoise(0.25),
    "cross": ground_truth.GaussianMixture([0.5, 0.5], np.zeros((2, 2)), cross, 1),
    "independent": ground_truth.Independent(1, 1),
}
shapes = compare_estimators(sources, ("ksg", "rank_gaussian"), n=5000, seeds=3)
shape_means = shapes.groupby(["source", "method"])["nats"].mean().unstack("method")
shape_means["truth"] = [sources[name].mutual_information for name in shape_means.index]
print(shape_means.round(3).to_string())
gap = (shape_means["ksg"] - shape_means["truth"]).abs()
one_error = shapes.groupby(["source", "method"])["standard_error"].mean()["cross", "ksg"]
print(f"standard error of one KSG estimate of the cross: {one_error:.3f} nats")
exercises.verify("KSG of the cross is within one standard error", gap["cross"] < one_error)
exercises.verify("KSG is within 0.02 nats of each truth", gap.max() < 0.02)

# %% [markdown]
# `rank_gaussian` finds nothing in the cross. KSG finds all of the information, within its standard
# error. For the additive noise KSG is 0.015 nats too low: the density jumps to zero at the edges, so
# it is not constant within every square.

# %% [markdown]
# ## Recap
#
# - Mutual information is a drop in entropy, an overlap, and a divergence.
# - Processing never adds information. An encoder changes how much of it a predictor can use.
# - The Gaussian closed form, with monotone maps, gives exact truths for estimators.
# - KSG assumes a constant density in each neighborhood. It falls short with many columns or strong
#   dependence: it never exceeds $\psi(N) - \psi(k)$.
# - Counting a sample adds about $(K_x - 1)(K_y - 1)/2N$; shuffled labels show this bias.
# - $I(Z; Z)$ reaches $\ln N$ without learning, and $-\ln \hat I$ often does not exist.

# %% [markdown]
# ## Exercises
#
# Each check says whether an answer is correct, and why not. `hint=1` as a last argument shows a hint. Solutions: [notebook](solutions/02_mutual_information.ipynb), [in Colab](https://colab.research.google.com/github/simmim-lite/simmim-lite/blob/main/notebooks/solutions/02_mutual_information.ipynb).
#
# ### Exercise 4 · ★★ · 4 minutes · derive
#
# If $X$ and $Z$ are independent, they can be synergistic about $Y$, but never redundant. Start from
# $I(X; Z) = 0$ and prove $I(Y; X, Z) \ge I(Y; X) + I(Y; Z)$. Put the steps in order.
#
# - a: The last term is at least 0, so $I(Z; Y \mid X) \ge I(Z; Y)$.
# - b: Chain rule in both orders: $I(Z; X) + I(Z; Y \mid X) = I(Z; Y) + I(Z; X \mid Y)$.
# - c: Add $I(Y; X)$ to both sides; by the chain rule the left side becomes $I(Y; X, Z)$.
# - d: The first term is 0, so $I(Z; Y \mid X) = I(Z; Y) + I(Z; X \mid Y)$.

# %% tags=["exercise"]
my_order = None  # four letters, such as "abcd"

exercises.check("independent parts", my_order)

# %% [markdown]
# ### Exercise 5 · ★★ · 3 minutes · find the bug
#
# This function should return the plug-in value when the truth is zero. Instead its result equals
# the estimate itself. Which line is wrong?
#
# ```python
# 1  def chance_level(x, y, repeats=20):
# 2      generator = np.random.default_rng(0)
# 3      values = []
# 4      for _ in range(repeats):
# 5          order = generator.permutation(len(x))
# 6          values.append(estimate(x[order], y[order], "plug_in").nats)
# 7      return np.mean(values)
# ```

# %% tags=["exercise"]
my_wrong_line = None  # the number of the line, as a string

exercises.check("chance level by shuffling", my_wrong_line)

# %% [markdown]
# ### Exercise 6 · ★★ · 3 minutes · choose
#
# Estimators: a `plug_in`, b `ross`, c `ksg`, d `rank_gaussian`. Choose one for each situation and
# write four letters in this order:
#
# 1. $Y = X^2$ plus noise, one column each, 2,000 pairs;
# 2. the slant (a number) and the digit, 4,000 images;
# 3. 40 columns each, a Gaussian seen through unknown increasing maps, 5,000 pairs;
# 4. symbols of 3 and 4 kinds, 10,000 pairs.

# %% tags=["exercise"]
my_estimators = None  # four letters

exercises.check("four estimators", my_estimators)

# %% [markdown]
# ### Exercise 7 · ★★ · 3 minutes · function
#
# Write $I(X; Y \mid Z) = H(X, Z) + H(Y, Z) - H(X, Y, Z) - H(Z)$. First show on paper that this is
# $H(X \mid Z) - H(X \mid Y, Z)$.


# %% tags=["exercise"]
def my_conditional_information(table):
    """Return I(X; Y | Z) in nats of a table p(x, y, z), which may contain zeros."""
    ...  # your code


exercises.check("conditional information", my_conditional_information)

# %% [markdown]
# ## What to try next
#
# - Repeat Figure 6 with 8,000 pairs: with how many columns is half of the information lost?
# - Set `n_neighbors` to 1, 10 and 30 in section 5: compare the bias and the spread of KSG.
# - Replace the four levels of section 3 by the columns `slant` and `slant**2`.
# - Exchange the width for the thickness, `measures[:, 0]`, in section 7.

# %% [markdown]
# ## References
#
# - Cover, T. M., & Thomas, J. A. (2006). *Elements of Information Theory*, 2nd edition. https://doi.org/10.1002/047174882X
# - Xu, Y., Zhao, S., Song, J., Stewart, R., & Ermon, S. (2020). A theory of usable information under computational constraints. https://arxiv.org/abs/2002.10689
# - Kraskov, A., Stögbauer, H., & Grassberger, P. (2004). Estimating mutual information. https://doi.org/10.1103/PhysRevE.69.066138
# - Ross, B. C. (2014). Mutual information between discrete and continuous data sets. https://doi.org/10.1371/journal.pone.0087357
# - Gao, S., Ver Steeg, G., & Galstyan, A. (2015). Efficient estimation of mutual information for strongly dependent variables. https://arxiv.org/abs/1411.2003
# - Czyż, P., et al. (2023). Beyond normal: on the evaluation of mutual information estimators. https://arxiv.org/abs/2306.11078
# - McAllester, D., & Stratos, K. (2020). Formal limitations on the measurement of mutual information. https://arxiv.org/abs/1811.04251
#
# Previous: [01 · Entropy](01_entropy.ipynb) · Next: [03 · Variational bounds](03_variational_bounds.ipynb)
