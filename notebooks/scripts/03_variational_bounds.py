# %% [markdown]
# # 03 · Variational bounds
#
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/simmim-lite/simmim-lite/blob/main/notebooks/03_variational_bounds.ipynb)
#
# *Bounds on mutual information that a neural network can optimize: which are valid lower bounds, which saturate at ln K, whose variance grows like e^I, and which can overestimate.*
#
# **What you will learn**
#
# - to **derive** the common bounds from one inequality, $\mathrm{KL} \ge 0$;
# - which quantities are lower bounds, which are upper bounds, and which are **no bounds**;
# - why a bound holds **in expectation**, and a single batch can exceed the truth;
# - why InfoNCE **saturates at $\ln K$**, and why the **variance** of the others grows like $e^{I}$;
# - what the bounds find on **real pairs** of an image and a recording, whose truth is $\ln 10$.
#
# **Prerequisites**: [02](02_mutual_information.ipynb); KL divergence, Gaussian densities, Jensen's inequality, and a training loop in PyTorch.
#
# **In the package**: `bounds`, `critics`.
#
# <!-- measured -->
# About 75 minutes to work through.
# Measured: 53 s on 2 CPU cores, no GPU, Python 3.11, torch 2.14 (generated)
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
import math
import os

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import torch
from scipy.integrate import trapezoid
from scipy.signal import spectrogram
from scipy.stats import norm
from sklearn.decomposition import PCA
from torch.nn.functional import logsigmoid

from simmim_lite import bounds, datasets, exercises, figures
from simmim_lite.critics import SeparableCritic
from simmim_lite.evaluation import staircase
from simmim_lite.ground_truth import CorrelatedGaussian, MonotoneTransform
from simmim_lite.mutual_information import estimate

figures.set_style()
torch.set_num_threads(1)  # the matrices are small: more threads only cost time

# %% [markdown]
# ## 1. How does an inequality become a bound?
#
# **Question.** Images and recordings cannot be counted in a table, and they are not Gaussian. How can we
# still say something about their mutual information?
#
# **Idea.** The KL divergence of notebook 01 is never negative, whatever the distributions $p$ and $q$:
#
# $$\mathrm{KL}(p \,\|\, q) = \mathbb{E}_{p} \ln \frac{p}{q} \ge 0$$
#
# It is zero only for $p = q$. Each bound of this notebook is this inequality with a well-chosen $q$. A bound
# with a free part that we can optimize is called *variational*.
#
# **Notation.** A *positive pair* is a draw from $p(x, y)$, and $\mathbb{E}_{+}$ is the mean over positive
# pairs. A *negative pair* is a draw from $p(x)\,p(y)$, with mean $\mathbb{E}_{-}$. The *density ratio* is
# $r(x, y) = \frac{p(x, y)}{p(x)\,p(y)}$, so
#
# $$I(X; Y) = \mathbb{E}_{+} \ln r(x, y)$$
#
# We test on 20 independent columns of Gaussian pairs with correlation $\rho$, where the log-ratio is known:
#
# $$\ln r(x, y) = \frac{\rho\, x \cdot y - \rho^2 (|x|^2 + |y|^2) / 2}{1 - \rho^2} - \frac{20}{2} \ln (1 - \rho^2)$$


# %%
def log_ratio(x, y, rho):
    """ln r of each row of x (N, 20) with each row of y (K, 20): a matrix (N, K)."""
    squares = (x**2).sum(dim=1)[:, None] + (y**2).sum(dim=1)
    quadratic = (rho * x @ y.T - rho**2 * squares / 2) / (1 - rho**2)
    return quadratic - 20 / 2 * math.log(1 - rho**2)


def draw_pairs(nats, K, seed):
    """K Gaussian pairs x (K, 20) and y (K, 20) with this mutual information."""
    return [torch.tensor(part) for part in CorrelatedGaussian(20, nats=nats).sample(K, seed=seed)]


# %% [markdown]
# **Lower bound of Barber and Agakov (2003).** By definition,
# $I(X; Y) = H(Y) - H(Y|X) = H(Y) + \mathbb{E}_{+} \ln p(y|x)$. Put any density $q(y|x)$ in place of the
# unknown $p(y|x)$. The error is never negative:
#
# $$\mathbb{E}_{+} \ln p(y|x) - \mathbb{E}_{+} \ln q(y|x)
# = \mathbb{E}_{x}\, \mathrm{KL}(p(y|x) \,\|\, q(y|x)) \ge 0$$
#
# $$I(X; Y) \ge H(Y) + \mathbb{E}_{+} \ln q(y|x)$$
#
# **Upper bound CLUB (Cheng et al. 2020).** Now suppose that $p(y|x)$ is known. Take the mean of
# $\ln p(y|x)$ over positive pairs minus its mean over negative pairs. Again the error is a KL divergence:
#
# $$\mathbb{E}_{+} \ln p(y|x) - \mathbb{E}_{-} \ln p(y|x) - I(X; Y)
# = \mathbb{E}_{x}\, \mathrm{KL}(p(y) \,\|\, p(y|x)) \ge 0$$
#
# **Leave-one-out upper bound (Poole et al. 2019).** It replaces the unknown $p(y_i)$ by a mean over the other
# $x$ of the batch. Exercise 5 derives it.
#
# $$I(X; Y) \le \mathbb{E} \ln \frac{p(y_i|x_i)}{\frac{1}{K - 1} \sum_{j \ne i} p(y_i|x_j)}$$
#
# Both upper bounds need the true conditional. With a learned $q(y|x)$ they can fall below $I$. To see this,
# we also use a wrong conditional, with a third of the true correlation.

# %%
K, rows = 32, []
rho = CorrelatedGaussian(20, nats=2.0).correlation
entropy_y = 20 / 2 * math.log(2 * math.pi * math.e)
for seed in range(300):
    x, y = draw_pairs(2.0, K, seed)
    log_p_y = -(y**2 + math.log(2 * math.pi)).sum(dim=1) / 2
    for name, assumed in {"true p(y|x)": rho, "wrong q(y|x)": rho / 3}.items():
        log_p = log_ratio(x, y, assumed) + log_p_y  # [i, j]: ln of the density of y_j given x_i
        own, others = log_p.diagonal(), log_p.clone().fill_diagonal_(-math.inf)
        barber_agakov = entropy_y + own.mean()
        club = own.mean() - log_p[~torch.eye(K, dtype=torch.bool)].mean()
        leave_one_out = (own - others.logsumexp(dim=0) + math.log(K - 1)).mean()
        rows.append([name, barber_agakov.item(), club.item(), leave_one_out.item()])
assert abs(barber_agakov - bounds.barber_agakov(own, entropy_y)) < 1e-9
assert abs(club - bounds.club(log_p)) < 1e-9
assert abs(leave_one_out - bounds.leave_one_out(log_p)) < 1e-9
three = pd.DataFrame(rows, columns=["conditional", "Barber-Agakov", "CLUB", "leave-one-out"])
conditional = three.groupby("conditional").mean()
print(f"mean over 300 batches, nats; truth 2\n{conditional.round(2).to_string()}")
assert conditional.loc["wrong q(y|x)"].max() < 2 < conditional.loc["true p(y|x)"][1:].min()

# %% [markdown]
# With the true conditional the order is as derived: Barber-Agakov agrees with $I$ up to noise, and both
# upper bounds lie above it. The wrong conditional lowers all three. Barber-Agakov is still a lower bound.
# CLUB and leave-one-out are no longer upper bounds: both are far below 2.
#
# ## 2. What can a critic learn?
#
# **Question.** What if we can evaluate neither $p(y|x)$ nor $H(Y)$, but can draw pairs?
#
# **Idea.** A network $f(x, y)$, the *critic*, gives each pair a score. From $K$ pairs we get a matrix of
# scores $f_{ij} = f(x_i, y_j)$. Its diagonal holds the positive pairs, its other cells are negative pairs.
# The matrix in the figure belongs to 8 Gaussian pairs with 10 nats.

# %%
diagram = figures.diagram("critic_matrix")
matrix = diagram.inset_axes([3.25, 0.45, 2.0, 2.0], transform=diagram.transData)
x, y = draw_pairs(10.0, 8, seed=0)
matrix.imshow(log_ratio(x, y, CorrelatedGaussian(20, nats=10.0).correlation), cmap="mako", vmin=-40)
matrix.set(xticks=[], yticks=[])
matrix.set_xlabel("columns: y of the K pairs", fontsize=8)
matrix.set_ylabel("rows: x of the K pairs", fontsize=8)
matrix.grid(visible=False)
figures.show(
    "Figure 1. A batch of K pairs gives a K x K matrix of scores (bright: high). Every bound compares "
    "its diagonal with the rest.",
    alt="Diagram: images x go through encoder g, recordings y through encoder h. Their scores form a "
    "square matrix with a bright diagonal, the K positive pairs. The K (K - 1) darker cells are the "
    "negative pairs.",
)

# %% [markdown]
# **Donsker-Varadhan (1983).** A critic defines a joint density $q(x, y) = p(x)\,p(y)\, e^{f(x, y)} / Z$
# with $Z = \mathbb{E}_{-} e^{f}$. The divergence of this density from $p(x, y)$ is not negative:
#
# $$\mathrm{KL}(p(x, y) \,\|\, q(x, y)) = I(X; Y) - \mathbb{E}_{+} f + \ln Z \ge 0$$
#
# $$I(X; Y) \ge \mathbb{E}_{+} f - \ln \mathbb{E}_{-} e^{f}$$
#
# Both sides are equal for $q = p$, so the best critic is $f = \ln r + \text{constant}$.
#
# **NWJ (Nguyen, Wainwright and Jordan 2010).** The logarithm lies below its tangent at $e$, so
# $\ln Z \le Z / e$. We put this into the last line:
#
# $$I(X; Y) \ge \mathbb{E}_{+} f - \mathbb{E}_{-} e^{f - 1}$$
#
# Equality also needs $Z = e$, so the constant is no longer free: the best critic is $f = 1 + \ln r$.
#
# **InfoNCE (van den Oord et al. 2018; proof after Poole et al. 2019).** For each $x_i$ there are $K$
# candidates: $y_i$, and $K - 1$ others that are independent of $x_i$. Use NWJ with a critic of $x_i$ and
# *all* candidates:
#
# $$F = 1 + \ln \frac{e^{f_{ii}}}{\frac{1}{K} \sum_j e^{f_{ij}}}$$
#
# The second term of NWJ is the mean of $e^{F - 1}$, the fraction in the logarithm, if $y_i$ is independent
# of $x_i$ too. Then the $K$ candidates are interchangeable. The $K$ fractions, one for each candidate as
# numerator, add up to $K$, so each has mean 1. The other candidates are independent of $(x_i, y_i)$, so all
# candidates together contain as much information about $x_i$ as $y_i$ alone. What remains is
# $I(X; Y) \ge \mathbb{E} F - 1$:
#
# $$I(X; Y) \ge \ln K + \mathbb{E}\, \frac{1}{K} \sum_i \ln \frac{e^{f_{ii}}}{\sum_j e^{f_{ij}}}$$
#
# The best critic is $\ln r + c(x)$: a number added to a whole row cancels. The fraction in $F$ is at most
# $K$, so the value never exceeds $\ln K$, its *ceiling*. The second term is minus the cross-entropy of a
# classifier that finds $y_i$ among the $K$ candidates.
#
# In a batch, means over the diagonal and over the other $K(K - 1)$ cells take the place of $\mathbb{E}_{+}$
# and $\mathbb{E}_{-}$:


# %%
def ideal_scores(nats, K, seed):
    """Score matrix (K, K) of the ideal critic f = ln r, for a new batch of K pairs."""
    return log_ratio(*draw_pairs(nats, K, seed), CorrelatedGaussian(20, nats=nats).correlation)


def evaluate(batches, functions):
    """Values in nats: a row for each score matrix, a column for each function."""
    return pd.DataFrame({name: [f(s).item() for s in batches] for name, f in functions.items()})


scores = ideal_scores(1.0, K=64, seed=0)
off_diagonal = ~torch.eye(64, dtype=torch.bool)
positive, negative = scores.diagonal(), scores[off_diagonal]
by_hand = {
    "donsker_varadhan": positive.mean() - negative.exp().mean().log(),
    "nwj": positive.mean() - (negative - 1).exp().mean(),
    "info_nce": math.log(64) + (positive - scores.logsumexp(dim=1)).mean(),
}
for name, value in by_hand.items():
    print(f"{name:16} {value:.3f} nats, truth 1")
    assert abs(value - bounds.BOUNDS[name].function(scores)) < 1e-9

# %% [markdown]
# NWJ is low here because its best critic is $1 + \ln r$, and we gave it $\ln r$. From here on we give
# NWJ `scores + 1`. The other two values lie *above* the truth. Section 4 explains why this is possible.
#
# ## 3. How else can a critic be trained or evaluated?
#
# **Jensen-Shannon (JSD; Hjelm et al. 2019).** Train a classifier of positive against negative pairs, as in a
# GAN. With $\sigma(f) = 1 / (1 + e^{-f})$ as the probability of "positive", maximize minus its log-loss:
#
# $$\mathbb{E}_{+} \ln \sigma(f) + \mathbb{E}_{-} \ln (1 - \sigma(f)) + \ln 4$$
#
# For each pair the best probability is $\sigma(f) = \frac{p(x, y)}{p(x, y) + p(x)\,p(y)}$, that is
# $f = \ln r$. So the objective trains a good critic. But its largest value is not $I$. It is twice the
# *Jensen-Shannon divergence* JS, at most $\ln 4$. With the average $m$ of $p(x, y)$ and $p(x)\,p(y)$,
#
# $$2\, \mathrm{JS} = \mathrm{KL}(p(x, y) \,\|\, m) + \mathrm{KL}(p(x)\,p(y) \,\|\, m)
# = I(X; Y) - 2\, \mathrm{KL}(m \,\|\, p(x)\,p(y)) \le I(X; Y)$$
#
# **SMILE (Song and Ermon 2020).** Take a critic trained by JSD, and evaluate Donsker-Varadhan with $e^f$
# clipped to $[e^{-\tau}, e^{\tau}]$ in the second term. Clipping limits the variance, but the inequality is
# lost: SMILE is *no bound*. It also assumes that the critic is the log-ratio itself. A critic trained by
# InfoNCE has an unknown $c(x)$ in each row, and SMILE changes with it.
#
# **MINE (Belghazi et al. 2018).** MINE has the value of Donsker-Varadhan but another gradient. The gradient
# of $\ln Z$ is a quotient. If both parts come from the same small batch, the quotient is biased. MINE
# divides by a moving average $\bar{Z}$ over batches:
#
# $$\nabla \mathbb{E}_{+} f - \frac{\mathbb{E}_{-}[e^{f}\, \nabla f]}{\bar{Z}}$$

# %%
jensen_shannon = math.log(4) + logsigmoid(positive).mean() + logsigmoid(-negative).mean()
smile = positive.mean() - negative.clamp(-5, 5).exp().mean().log()
print(f"Jensen-Shannon {jensen_shannon:.3f}, SMILE with clip 5 {smile:.3f} nats")
assert abs(jensen_shannon - bounds.jensen_shannon(scores)) < 1e-9
assert abs(smile - bounds.smile(scores, clip=5.0)) < 1e-9

moving_average = torch.tensor(1.2)  # of Z, as if from earlier batches
leaf = scores.clone().requires_grad_()
surrogate = leaf.diagonal().mean() - leaf[off_diagonal].exp().mean() / moving_average
gradient = torch.autograd.grad(surrogate, leaf)[0]
of_package = torch.autograd.grad(bounds.mine(leaf, moving_average.log()), leaf)[0]
assert torch.allclose(gradient, of_package)

shifted = scores + torch.linspace(-2, 2, 64)[:, None]  # a number c(x) for each row
assert abs(bounds.info_nce(shifted) - by_hand["info_nce"]) < 1e-9
print(f"row shifts: InfoNCE changes by {bounds.info_nce(shifted) - by_hand['info_nce']:.3f},")
print(f"            SMILE by {bounds.smile(shifted) - smile:.3f} nats")

# %% [markdown]
# | | lower bound in expectation | largest value | variance | best critic | also needs |
# |---|---|---|---|---|---|
# | Barber-Agakov | yes | $I$ | small | $p(y \mid x)$ | a density; $H(Y)$ |
# | InfoNCE | yes | $\ln K$ | small | $\ln r + c(x)$ | many candidates |
# | NWJ | yes | none | grows like $e^{I}$ | $1 + \ln r$ | |
# | Donsker-Varadhan, MINE | no: too high for small $K$ | none | grows | $\ln r$ + constant | MINE: average of $Z$ |
# | Jensen-Shannon | yes, of $2\,\mathrm{JS} \le I$ | $\ln 4$ | small | $\ln r$ | another bound for the value |
# | SMILE | no | none | limited by the clip | made for $\ln r$ | a choice of $\tau$ |
# | CLUB, leave-one-out | no: upper bounds | none | not measured here | | the true $p(y \mid x)$ |
#
# ## 4. Does a bound hold for a single batch?
#
# A lower bound *in expectation* is a statement about the mean over batches. One batch is a draw from the
# distribution around this mean.
#
# ### Exercise 1 · ★ · 1 minute · predict
#
# The ideal critic gets 300 batches of $K = 64$ pairs with $I = 1$ nat. In what fraction of the batches
# does InfoNCE exceed 1? (a) In none. (b) In about 40 %. (c) In about 90 %.

# %% tags=["exercise"]
my_prediction_1 = None  # "a", "b" or "c"

exercises.check("single batches", my_prediction_1)

# %%
objectives = {
    "InfoNCE": bounds.info_nce,
    "NWJ": lambda scores: bounds.nwj(scores + 1),
    "Donsker-Varadhan": bounds.donsker_varadhan,
    "SMILE, clip 5": bounds.smile,
    "SMILE, clip 1": lambda scores: bounds.smile(scores, 1.0),
    "SMILE, clip 0.1": lambda scores: bounds.smile(scores, 0.1),
}
ideal = [ideal_scores(1.0, 64, seed) for seed in range(300)]
values = evaluate(ideal, objectives)
summary = values.agg(["mean", "std"]).T
summary["fraction above 1"] = (values > 1).mean()
summary["mean, scores halved"] = evaluate([scores / 2 for scores in ideal], objectives).mean()
print(f"300 batches of 64 pairs, nats; truth 1\n{summary.round(3).to_string()}")
exercises.verify(
    "the mean of InfoNCE is below the truth, but 35 to 45 % of its batches are above",
    values["InfoNCE"].mean() < 1 and 0.35 < (values["InfoNCE"] > 1).mean() < 0.45,
)

# %% [markdown]
# Averaged over batches, InfoNCE and NWJ are at most $I$ for any critic $f$. A poor critic gives a smaller
# value (last column). A single batch can still be above $I$. Always report a mean over many batches with
# its standard error.
#
# The mean of SMILE with clip 1 is above the truth, even with the ideal critic. But a smaller clip does not
# always give a larger value: with $\tau \to 0$ the second term vanishes. What is left is
# $\mathbb{E}_{+} f$, which is $I$ for the ideal critic.
#
# Donsker-Varadhan takes the logarithm of a mean over the batch. The logarithm is concave, so by Jensen's
# inequality $\mathbb{E} \ln \hat{Z} \le \ln Z$ for the $\hat{Z}$ of a batch.
#
# ### Exercise 2 · ★ · 1 minute · predict
#
# The ideal critic evaluates Donsker-Varadhan on batches of only 4 pairs with $I = 2$. The mean over very many
# such batches is (a) below 2, (b) equal to 2, (c) above 2.

# %% tags=["exercise"]
my_prediction_2 = None  # "a", "b" or "c"

exercises.check("four pairs a batch", my_prediction_2)

# %%
bias = {}
for K in (4, 16, 64):
    of_batches = [bounds.donsker_varadhan(ideal_scores(2.0, K, seed)) for seed in range(2000)]
    bias[K] = torch.stack(of_batches).mean().item() - 2
    error = torch.stack(of_batches).std().item() / math.sqrt(2000)
    print(f"K = {K:2}: Donsker-Varadhan is {bias[K]:+.3f} ± {error:.3f} nats from the truth")
exercises.verify("at K = 4 it is at least 0.3 nats too high", bias[4] > 0.3)

# %% [markdown]
# The inequality of Section 2 holds for the exact $Z$. With $\hat{Z}$ of a small batch, the
# value is too high on average, even with the ideal critic. NWJ has no logarithm outside a mean, so it has no
# such bias.
#
# ## 5. What limits InfoNCE?
#
# **Question.** The ideal critic evaluates pairs with $I = 5$ nats. How close does InfoNCE come?

# %%
curve = []
for K in (4, 16, 64, 256, 1024):
    for seed in range(20):
        value = bounds.info_nce(ideal_scores(5.0, K, seed)).item()
        curve.append({"K": K, "method": "InfoNCE, ideal critic", "nats": value})
curve = pd.DataFrame(curve)

axes = figures.estimates(curve, x="K", truth=5.0, log=True)
axes.plot([4, 1024], np.log([4, 1024]), color="C3", label="ln K")
axes.set(xlabel="candidates K", ylabel="nats", ylim=(0, 7.2))
axes.legend(loc="lower right")
figures.show(
    "Figure 2. The mean of InfoNCE stays below ln K and the truth (band: 90 % of the batches).",
    alt="InfoNCE in nats against the number of candidates K from 4 to 1024. The value rises from 1.3 to "
    "4.6, below the red line ln K and below the dashed true value of 5 nats.",
)
mean_value = curve.groupby("K")["nats"].mean()
print("below ln K:", (np.log(mean_value.index) - mean_value).round(2).to_dict())
assert abs(math.log(64) - mean_value[64] - 0.7) < 0.05
assert 0.3 < 5 - mean_value[1024] < 0.5
exercises.verify("each value is at most ln K", (curve["nats"] <= np.log(curve["K"]) + 1e-9).all())

# %% [markdown]
# InfoNCE stays below both lines. At $K = 64$ the gap to $\ln K$ is already 0.7 nats. About a thousand
# candidates, seven times $e^5$, are needed to come within half a nat of $I = 5$. A value of 10 nats needs
# more than $e^{10} \approx 22{,}026$ candidates. So contrastive learning uses large batches.
#
# In JupyterLab or Colab, move the sliders.


# %%
def draw(nats, log2_K):
    K = 2**log2_K
    value = np.mean([bounds.info_nce(ideal_scores(nats, K, seed)).item() for seed in range(10)])
    plt.figure(figsize=(6, 2))
    plt.barh(["truth", f"ln {K}", "InfoNCE"], [nats, math.log(K), value], color=["0.2", "C3", "C0"])
    plt.gca().set(xlabel="nats", xlim=(0, 10), title=f"Ideal critic, {K} candidates")


figures.explore(draw, nats=(0.5, 9.5, 0.5), log2_K=(2, 10, 1))

# %% [markdown]
# ## 6. What limits the others?
#
# **Question.** NWJ and Donsker-Varadhan have no ceiling $\ln K$. What is the price?
#
# **Formula.** With its best critic, the second term of NWJ averages $e^{f - 1} = r$ over negative pairs. The
# mean is $\mathbb{E}_{-} r = 1$. Jensen's inequality gives the second moment:
#
# $$\mathbb{E}_{-} r^2 = \mathbb{E}_{+} r \ge e^{\mathbb{E}_{+} \ln r} = e^{I}$$
#
# So the average over $n$ independent negative pairs has a variance of at least $(e^{I} - 1) / n$ (Song and
# Ermon 2020). For Donsker-Varadhan this holds in the limit of large $n$. A few rare negative pairs that look
# like positive pairs carry most of this mean, and most batches contain none of them.
#
# A $K \times K$ matrix has $n = K(K - 1)$ negative pairs, but they are not independent, because they
# consist of only $K$ values of $x$ and of $y$. With the ideal critic, cells of the same row are
# uncorrelated, because the mean of $r(x_i, y)$ over $y$ is 1 for every $x_i$. Only $r(x_i, y_j)$ and
# $r(x_j, y_i)$ are positively correlated. So here the variance is between one and two times that of
# $K(K - 1)$ independent pairs. With another critic a whole row can be too high, and the variance is that of
# fewer independent pairs.

# %%
compared = {name: objectives[name] for name in ("InfoNCE", "NWJ", "Donsker-Varadhan")}
levels, spread = np.array([0.5, 1, 2, 3, 4, 5]), {}
for nats in levels:
    batches = [ideal_scores(nats, 64, seed) for seed in range(400)]
    spread[nats] = evaluate(batches, compared).std()
spread = pd.DataFrame(spread).T
minimum, exact = (np.sqrt(np.expm1(power) / (64 * 63)) for power in (levels, 2 * levels))
axes = spread.plot(marker="o", logy=True)
axes.plot(levels, exact, color="0.4", label="second term of NWJ: $\\sqrt{(e^{2I} - 1)/n}$")
axes.plot(levels, minimum, color="0.4", linestyle=":", label="its minimum: $\\sqrt{(e^{I} - 1)/n}$")
axes.set(xlabel="true mutual information, nats", ylabel="standard deviation, nats", ylim=(0.01, 8))
axes.legend(loc="upper left", ncols=2, fontsize=8)
figures.show(
    "Figure 3. The standard deviation of NWJ and Donsker-Varadhan grows with I, that of InfoNCE does "
    "not. Batches of 64 pairs; gray: formulas for n = 64 · 63 = 4,032 independent negative pairs.",
    alt="Standard deviation over 400 batches of 64 pairs, log scale, against I from 0.5 to 5 nats. InfoNCE "
    "stays near 0.2; Donsker-Varadhan rises to 0.57, NWJ to 0.9; gray curves to 0.2 (dotted) and 2.3.",
)
assert min(spread["NWJ"] / minimum) > 1
assert spread["NWJ"][5] > 4 * spread["NWJ"][1] > 3 * spread["InfoNCE"].max()

# %% [markdown]
# Two things need an explanation. At small $I$ the first term, a mean over $K$ positive pairs, causes most
# of the scatter. And for these Gaussians $\mathbb{E}_{-} r^2 = e^{2I}$ exactly, so at 5 nats the second
# term has a standard deviation of at least 2.3. We measure only 0.9, because 400 batches contain too few of
# the rare pairs. So even a measured variance can be far too small.
#
# Even with the ideal critic, which is never available in practice, InfoNCE saturates at $\ln K$ and the
# other estimators have a large variance. McAllester and Stratos (2020) show that every method has such a
# limit.
#
# **Their argument.** A method gets $N$ positive and $N$ negative pairs and returns a number $B$. It promises
# $B \le \mathrm{KL}(p \,\|\, q)$ with probability $1 - \delta$, for *all* distributions $p$ and $q$. Mix a
# fraction $1/N$ of $p$ into $q$:
#
# $$q' = \left(1 - \frac{1}{N}\right) q + \frac{1}{N}\, p$$
#
# Since $q' \ge p / N$, the divergence drops to $\mathrm{KL}(p \,\|\, q') \le \ln N$. But $N$ draws from $q'$
# contain no draw from $p$ with probability $(1 - 1/N)^N$. In this case
# they are distributed as draws from $q$, and the method cannot notice the change.

# %%
for N in (64, 10_000, 1_000_000):
    print(f"N = {N:9,}: ln N = {math.log(N):5.2f} nats, nothing noticed: {(1 - 1 / N) ** N:.3f}")
exercises.verify("the probability is close to 1/e", abs((1 - 1 / N) ** N - math.exp(-1)) < 0.001)

# %% [markdown]
# If the method returned $B > \ln N$ on $q$ with probability $b$, it would be wrong on $q'$ with probability
# at least $(1 - 1/N)^N\, b \approx 0.37\, b$. So $b$ is at most about $\delta / 0.37$: a distribution-free
# lower bound with high confidence almost never exceeds $\ln N$. For mutual information itself, where $q$
# must be a product of marginals, they prove a limit of the same order, $O(\ln N)$. A larger value needs an
# assumption, and is as good as this assumption.
#
# ## 7. What does training achieve?
#
# **Question.** Poole et al. (2019) train one critic while the truth rises in steps from 2 to 10 nats, with
# batches of 64. What does each objective find?
#
# Each critic is an inner product of two small networks of $x$ and $y$. The function `staircase` draws a new
# batch for each step and maximizes the objective. The fourth critic is trained by Jensen-Shannon and
# evaluated by SMILE. Each critic trains for 350 steps per level; `SIMMIM_FULL=1` takes 4,000 steps, as in the
# paper.

# %%
LEVELS = (2, 4, 6, 8, 10)
STEPS = 4000 if os.environ.get("SIMMIM_FULL") == "1" else 350
training = {
    "InfoNCE": bounds.info_nce,
    "NWJ": objectives["NWJ"],
    "Donsker-Varadhan": bounds.donsker_varadhan,
    "SMILE, clip 5": bounds.jensen_shannon,
}
stairs = {}
for name, objective in training.items():
    critic = SeparableCritic(20, 20, hidden=256)
    evaluated = {name: objectives[name]}
    stairs[name] = staircase(critic, objective, evaluated, levels=LEVELS, steps=STEPS)
late = np.tile(np.arange(STEPS) >= 3 * STEPS // 4, len(LEVELS))  # the last quarter of each level
settled = pd.DataFrame(
    {name: run[late].groupby("level")[name].mean() for name, run in stairs.items()}
)
print(f"mean of the last quarter of each level, nats\n{settled.round(2).to_string()}")

# %%
figure, panels = plt.subplots(1, 4, figsize=(11, 3), sharey=True)
for panel, (name, run) in zip(panels, stairs.items(), strict=True):
    panel.plot(run[name], linewidth=0.3, color="C0", alpha=0.5)
    panel.plot(run[name].rolling(STEPS // 8).mean(), color="C0", label="value (thin: each batch)")
    panel.plot(run["level"], label="truth", **figures.TRUTH)
    panel.axhline(math.log(64), color="C3", label="ln 64 = 4.16")
    panel.set(xlabel="training steps", ylim=(-1, 12), title=name)
panels[0].set_ylabel("nats")
panels[0].legend(loc="upper left", fontsize=8)
figures.show(
    "Figure 4. On the staircase InfoNCE stays below ln 64, Donsker-Varadhan and NWJ learn even less in so "
    "few steps, and SMILE follows the truth without being a bound.",
    alt="Four panels of nats against training steps, truth as dashed stairs from 2 to 10. InfoNCE rises "
    "smoothly to 4.0, below the red line ln 64. NWJ stays between 0 and 2. Donsker-Varadhan rises to "
    "3.4. SMILE with clip 5 follows the stairs up to one nat below.",
)
exercises.verify(
    "InfoNCE is never above ln 64", stairs["InfoNCE"]["InfoNCE"].max() < math.log(64) + 1e-4
)

# %% [markdown]
# InfoNCE has a small variance and saturates. NWJ and Donsker-Varadhan have no ceiling, but the
# variance of their gradients makes them hard to train. SMILE comes closest, but its value also depends on the
# clip (appendix).
#
# Is the training only too short? With 4,000 steps per level (measured once), at 10 nats, InfoNCE reaches 4.0,
# NWJ 0.4, Donsker-Varadhan 5.0, and SMILE 10.8, *above* the truth. So more steps help Donsker-Varadhan but
# not NWJ.
#
# ## 8. What does the package use by default?
#
# `estimate(x, y, "auto")` chooses by the data. For columns of numbers it takes ranks, which no monotone map
# of a column changes. It computes the information that the correlation of ranks explains. Networks then learn
# conditional densities only for what is left, and are scored on samples that they were not trained on. Here
# are pairs with 10 nats in which each $y$ is cubed:

# %%
cubed = MonotoneTransform(CorrelatedGaussian(20, nats=10), "identity", "cube")
default = estimate(*cubed.sample(2000, seed=0), "auto")
print(f"truth 10; {default}; {default.reason}")
assert abs(default.nats - 10) < 0.3

# %% [markdown]
# This does not contradict Section 6. The method assumes that ranks and a Gaussian are a good
# start. Its error can have either sign: it is *no bound*. On 57 tasks with a known truth the mean absolute
# error was 0.017 nats ([results](https://github.com/simmim-lite/simmim-lite/blob/main/docs/RESULTS.md)); the
# appendix compares estimators.
#
# ## 9. What do the bounds find on real pairs?
#
# **Question.** We pair an image and a recording of the same digit at random. If the digit is a function of
# each, and all ten digits are equally frequent, their mutual information is exactly $\ln 10 = 2.3026$ nats.
# What do the bounds find?
#
# **The ideal critic** is known: $\ln r = \ln 10$ for two items of one class, and $-\infty$ (here $-50$)
# otherwise. If $k$ of the $K - 1$ other candidates have the class of the positive, the classifier of
# Section 2 must guess among $1 + k$. So the ideal InfoNCE value is the mean over a binomial $k$,
#
# $$\mathbb{E}_{k} \ln \frac{K}{1 + k}, \qquad k \sim \text{Binomial}(K - 1, 1/10)$$
#
# ### Exercise 3 · ★★ · 3 minutes · derive
#
# One negative pair in ten has the same class. What does SMILE with $\tau = 1$ give for this critic, if the
# batch is very large? Give a number in nats.

# %% tags=["exercise"]
my_smile_value = None  # a number

exercises.check("clipped ideal critic", my_smile_value)

# %%
generator = torch.Generator().manual_seed(0)
ideal_on_classes = []
for _ in range(200):
    digits = torch.randint(10, (128,), generator=generator)
    ideal_on_classes.append(torch.where(digits[:, None] == digits, math.log(10), -50.0))
ideal_means = evaluate(ideal_on_classes, objectives).mean()
ceiling = bounds.class_paired_ceiling(128, np.full(10, 0.1))
print(f"truth {math.log(10):.3f}; formula for InfoNCE {ceiling:.3f} nats")
print(ideal_means.round(3).to_string())
clipped = math.log(10) - math.log(0.1 * math.e + 0.9 / math.e)
assert abs(ideal_means["InfoNCE"] - ceiling) < 0.01
assert abs(ideal_means["SMILE, clip 1"] - clipped) < 0.02

# %% [markdown]
# SMILE with clip 1 gives 2.8 nats where there are 2.3, with an ideal critic. Clipping changes $e^f$ in all
# negative pairs: one tenth go down from $10$ to $e$, nine tenths go *up* from 0 to $1/e$. So
# $\ln 10 - \ln(0.1\, e + 0.9 / e) = 2.808$.
#
# **A learned critic.** Image and spectrogram become 40 principal components each. The labels are used only
# to form the pairs, which is supervision at the level of classes. We train with NWJ: its best critic has no
# unknown $c(x)$, so SMILE can use it too. The test set has other images and recordings.


# %%
def inputs(split):
    images, speech = datasets.load_digits(split), datasets.load_speech(split)
    power = spectrogram(speech.padded(0.64), fs=speech.rate, nperseg=256, noverlap=128)[2]
    return [
        images.images.reshape(len(images), -1) / 255,
        np.log(power + 1e-6).reshape(len(power), -1),
    ]


def batches_of(split, count):
    """Batches of 128 pairs, each an image (128, 40) and a recording (128, 40)."""
    drawn = datasets.paired_digits(("image", "speech"), split=split, n=128 * count, seed=0).indices
    images, recordings = features[split]
    return zip(
        images[drawn["image"]].split(128), recordings[drawn["speech"]].split(128), strict=True
    )


features = {"train": [], "test": []}
for train_part, test_part in zip(inputs("train"), inputs("test"), strict=True):
    basis = PCA(40, random_state=0).fit(train_part)
    scale = basis.transform(train_part).std()
    features["train"].append(torch.tensor(basis.transform(train_part) / scale).float())
    features["test"].append(torch.tensor(basis.transform(test_part) / scale).float())

# %%
critic = SeparableCritic(40, 40, hidden=256)
optimizer = torch.optim.AdamW(critic.parameters(), lr=1e-3, weight_decay=0.1)
for images, recordings in batches_of("train", 600):
    loss = -bounds.nwj(critic(images, recordings) + 1)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()

with torch.no_grad():
    unseen = [critic(images, recordings) for images, recordings in batches_of("test", 60)]
heard = evaluate(unseen, objectives)
print(f"60 new batches, truth 2.303\n{heard.agg(['mean', 'sem', 'max']).T.round(3).to_string()}")
exercises.verify(
    "all means are between 1 nat and ln 10", heard.mean().between(1, math.log(10)).all()
)

# %% [markdown]
# With the learned critic all values stay below $\ln 10$. About 0.5 nats are missing: the critic is small,
# and its input is linear features. A bound can be low because there is little information or because the
# critic is poor, and the value does not show which. Only a known truth does.
#
# ## What the article gets wrong
#
# The articles print as "mutual information" quantities that never compare positive pairs with negative pairs.
# The third article's loss is the mean of $-\ln \frac{o}{1 - o}$ over network outputs $o$. If $o$ is a sigmoid
# of a score, this is minus the mean score, which has no limit. Here the data are pure noise:

# %%
torch.manual_seed(0)
noise, network = torch.randn(512, 20), torch.nn.Linear(20, 10)
optimizer = torch.optim.Adam(network.parameters(), lr=0.01)
for step in range(1, 2001):
    mean_score = network(noise).mean()
    optimizer.zero_grad()
    (-mean_score).backward()
    optimizer.step()
    if step in (500, 1000, 2000):
        print(f"step {step}: the article's quantity {mean_score.item():.2f}, truth 0 nats")
exercises.verify("it grows beyond 15 nats on pure noise", mean_score > 15)

# %% [markdown]
# A mutual information needs *two* variables and *both* distributions, the joint and the product. Each bound
# of this notebook compares them: the diagonal with the rest.

# %% [markdown]
# ## Appendix: more on the staircase, other estimators, and the article's integral
#
# **The registry** of the package has the bounds of a score matrix. "interpolated" lies between NWJ and
# InfoNCE (Poole et al. 2019). "offset" says whether the critic must also learn a constant.

# %%
print(bounds.bound_table(K=64).round(2).to_string())

# %% [markdown]
# **Cubed pairs.** Cubing each column of $y$ is invertible, so the truth does not change. Song and Ermon
# (2020) use this variant; Poole et al. (2019) first multiply $y$ by a random matrix. We also vary the clip:
# without a clip (inf), SMILE is Donsker-Varadhan.

# %%
clips = {
    f"SMILE {clip}": lambda scores, clip=clip: bounds.smile(scores, clip)
    for clip in (1.0, 5.0, math.inf)
}
of_objective = {"info_nce": {"InfoNCE": bounds.info_nce}, "jensen_shannon": clips}
columns = []
for name, evaluated in of_objective.items():
    critic = SeparableCritic(20, 20, hidden=256)
    run = staircase(critic, name, evaluated, levels=LEVELS, steps=STEPS, cubed=True)
    columns.append(run[late].groupby("level").mean())
of_cubed = pd.concat(columns, axis=1)
print(f"cubed pairs: mean of the last quarter of each level, nats\n{of_cubed.round(2).to_string()}")
exercises.verify(
    "at 10 nats InfoNCE is lower than without cubes, and SMILE 1 is far above InfoNCE",
    of_cubed["InfoNCE"][10] < settled["InfoNCE"][10]
    and of_cubed["SMILE 1.0"][10] > of_cubed["InfoNCE"][10] + 2,
)

# %% [markdown]
# A critic must *learn* to undo the cubes. Ranks undo them without learning.
#
# **Estimators compared.** Mean absolute errors in nats on tasks with known information, 10,000 pairs each
# ([all
# figures](https://github.com/simmim-lite/simmim-lite/blob/main/reproduction/results/mutual_information.md)).
# A number in brackets says on how many tasks of the family a slow estimator ran. KSG is the
# nearest-neighbor estimator of notebook 02 (NPEET), CCA is the Gaussian formula with canonical
# correlations; SMILE, InfoNCE and MINE are trained critics of other packages.
#
# | family | auto | KSG | CCA | SMILE | InfoNCE | MINE |
# |---|---:|---:|---:|---:|---:|---:|
# | Gaussian | 0.010 | 1.855 | 0.027 | 0.716 (3) | 1.039 (3) | 2.994 (1) |
# | monotone | 0.005 | 1.093 | 0.688 | 0.768 (2) | 0.794 (2) | 1.703 (1) |
# | warp | 0.024 | 0.897 | 0.807 | 0.436 (3) | 0.306 (3) | 0.390 (1) |
# | heavy tails | 0.018 | 0.092 | 0.261 | 0.353 (2) | 0.058 (2) | 0.188 (1) |
# | mixture | 0.007 | 0.042 | 0.363 | 0.032 (2) | 0.051 (2) | 0.102 (1) |
# | manifold | 0.015 | 0.441 | 1.479 | 0.464 (3) | 0.151 (3) | 0.814 (1) |
# | additive | 0.053 | 0.289 | 0.333 | 0.347 (2) | 0.058 (1) | 0.036 (1) |
# | discrete | 0.007 | 0.086 | – | 0.052 (2) | 0.155 (1) | 0.196 (1) |
# | mixed | 0.006 | 0.182 | – | 0.086 (2) | 0.073 (1) | 0.029 (1) |
# | independent | 0.002 | 0.009 | 0.016 | 0.000 (2) | 0.000 (1) | – |
# | determined columns | 0.020 | – | – | – | – | – |
# | thin pieces | 0.025 | – | – | – | – | – |
#
# A dash: the estimator cannot do these tasks, or was not run on them. Columns with brackets contain fewer
# tasks, so compare them only roughly. KSG fails with many columns, CCA where the dependence is not linear,
# and trained critics at high values. The default has its largest errors on additive noise with sharp edges.
#
# **The article's integral** is of $M(x) \ln \frac{M(x)}{M(x')\, M(x'')}$ over $x$ and $x'$. One density $M$
# occurs three times, and $x''$ is not defined. For a standard normal $M$, the integral over $x$ leaves
# $-H - \ln M(x') - \ln M(x'')$. The result depends on the limits of $x'$ and on the chosen $x''$:

# %%
other = np.linspace(-100, 100, 200_001)
for free in (0, 2):
    inner = -norm.entropy() - norm.logpdf(other) - norm.logpdf(free)
    for limit in (1, 10, 100):
        inside = abs(other) <= limit
        integral = trapezoid(inner[inside], other[inside])
        print(f"x'' = {free}, x' up to {limit:3}: {integral:12.1f}")
exercises.verify("the integral grows without a limit", integral > 100_000)

# %% [markdown]
# ## Recap
#
# - All bounds follow from $\mathrm{KL} \ge 0$. Donsker-Varadhan, NWJ and InfoNCE need only scores of pairs.
# - A bound holds in expectation: 40 % of single InfoNCE batches were above the truth. Donsker-Varadhan is too
#   high on average in small batches; SMILE is no bound; CLUB is an upper bound only with
#   the true conditional.
# - InfoNCE is at most $\ln K$. With $n$ independent negative pairs, the variance of NWJ at its best critic
#   is at least $(e^I - 1)/n$.
# - No distribution-free lower bound with high confidence exceeds about $\ln N$.
# - On real pairs with an ideal critic, SMILE with clip 1 was above $\ln 10$; with a learned critic all
#   values were below.

# %% [markdown]
# ## Exercises
#
# Each check says whether an answer is correct, and why not. `hint=1` as a last argument shows a hint.
# Solutions: [notebook](solutions/03_variational_bounds.ipynb), [in Colab](https://colab.research.google.com/github/simmim-lite/simmim-lite/blob/main/notebooks/solutions/03_variational_bounds.ipynb).
#
# ### Exercise 4 · ★★ · 4 minutes · function
#
# NWJ uses the tangent of the logarithm at $e$. Use the tangent at any $a > 0$ in Donsker-Varadhan,
# $\ln Z \le \ln a + Z/a - 1$, and write the bound that results as a function of a score matrix.


# %% tags=["exercise"]
def my_tangent_bound(scores, a):
    """Lower bound in nats; scores: NumPy array (K, K), positive pairs on the diagonal."""
    ...  # your code


exercises.check("tangent bound", my_tangent_bound)

# %% [markdown]
# ### Exercise 5 · ★★★ · 4 minutes · derive
#
# Show that leave-one-out is an upper bound. Start with
# $\mathbb{E} \ln p(y_i|x_i) - \mathbb{E} \ln \frac{1}{K-1} \sum_{j \ne i} p(y_i|x_j)$. Bring the steps in
# order.
#
# - (a) So $\mathbb{E} \ln \frac{1}{K-1} \sum_{j \ne i} p(y_i|x_j) \le \mathbb{E} \ln p(y_i)$.
# - (b) For a fixed $y_i$, the other $x_j$ are independent of $y_i$, so the mean of each $p(y_i|x_j)$ is $p(y_i)$.
# - (c) So the start is at least $\mathbb{E} \ln p(y_i|x_i) - \mathbb{E} \ln p(y_i) = I(X; Y)$.
# - (d) Therefore the sum divided by $K - 1$ has the mean $p(y_i)$, and by Jensen's inequality the mean of its
#   logarithm is at most $\ln p(y_i)$.

# %% tags=["exercise"]
my_order = None  # four letters, such as "abcd"

exercises.check("leave-one-out", my_order)

# %% [markdown]
# ### Exercise 6 · ★★ · 3 minutes · find the bug
#
# This code should compute Donsker-Varadhan. Its value grows without a limit when the scores are multiplied
# by 10. Which line is wrong?
#
# ```python
# 1  scores = critic(x, y)
# 2  K = len(scores)
# 3  positive = scores.diagonal().mean()
# 4  others = ~torch.eye(K, dtype=torch.bool)
# 5  Z = scores[others].mean().exp()
# 6  value = positive - Z.log()
# ```

# %% tags=["exercise"]
my_wrong_line = None  # the number of the line as a string, such as "1"

exercises.check("too good to be true", my_wrong_line)

# %% [markdown]
# ### Exercise 7 · ★★ · 2 minutes · choose
#
# A paper should say "in expectation, at least this much information, and the value is stable over batches".
# You have a trained critic and 50 batches of 512 pairs that it has not seen. The information is about 3 nats.
# Which value? (a) SMILE with clip 1. (b) NWJ of the best of the 50 batches. (c) InfoNCE, mean over the 50
# batches.

# %% tags=["exercise"]
my_choice = None  # "a", "b" or "c"

exercises.check("a value for the paper", my_choice)

# %% [markdown]
# ## What to try next
#
# - Replace the ideal critic of Section 4 by `2 * scores`, and find out which bounds become negative.
# - Draw 10,000 batches in place of 400 in Section 6, and see whether NWJ comes closer to the solid gray
#   curve.
# - Train the critic of Section 9 by InfoNCE and evaluate it by SMILE. Is the value still plausible?
# - Shuffle the recordings of Section 9 before training. No bound should be clearly above 0 on new pairs.
#
# ## References
#
# - Barber, D., & Agakov, F. (2003). The IM algorithm: a variational approach to information maximization. NIPS 16. https://papers.nips.cc/paper/2003/hash/a6ea8471c120fe8cc35a2954c9b9c595-Abstract.html
# - Donsker, M. D., & Varadhan, S. R. S. (1983). Asymptotic evaluation of certain Markov process expectations for large time, IV. Communications on Pure and Applied Mathematics 36(2), 183-212. https://doi.org/10.1002/cpa.3160360204
# - Nguyen, X., Wainwright, M. J., & Jordan, M. I. (2010). Estimating divergence functionals and the likelihood ratio by convex risk minimization. https://arxiv.org/abs/0809.0853
# - van den Oord, A., Li, Y., & Vinyals, O. (2018). Representation learning with contrastive predictive coding. https://arxiv.org/abs/1807.03748
# - Belghazi, M. I., et al. (2018). Mutual information neural estimation. https://arxiv.org/abs/1801.04062
# - Hjelm, R. D., et al. (2019). Learning deep representations by mutual information estimation and maximization. https://arxiv.org/abs/1808.06670
# - Poole, B., et al. (2019). On variational bounds of mutual information. https://arxiv.org/abs/1905.06922
# - Song, J., & Ermon, S. (2020). Understanding the limitations of variational mutual information estimators. https://arxiv.org/abs/1910.06222
# - Cheng, P., et al. (2020). CLUB: a contrastive log-ratio upper bound of mutual information. https://arxiv.org/abs/2006.12013
# - McAllester, D., & Stratos, K. (2020). Formal limitations on the measurement of mutual information. https://arxiv.org/abs/1811.04251
#
# Previous: [02 · Mutual information](02_mutual_information.ipynb) · Next: [04 · Encoders](04_encoders.ipynb)
