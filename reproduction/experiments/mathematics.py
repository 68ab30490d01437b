"""Identities, closed forms and bounds, compared with their exact values."""

import math

import numpy as np
import scipy.stats
import torch
from sklearn.metrics import mutual_info_score

from reproduction.claims import Claim, Experiment, Interval, Setting
from simmim_lite import bounds, entropy
from simmim_lite.ground_truth import CorrelatedGaussian
from simmim_lite.mutual_information import estimate

_TABLES = 1000
_SAMPLES = 200  # samples of 2,000 pairs, for the bias of the nearest-neighbor estimator
_ROUNDING = 1e-12

_CLAIMS = (
    Claim(
        id="identity-error",
        name="identities of entropy and mutual information, largest error",
        truth="0, on 1,000 random tables of three variables",
        source="Cover & Thomas 2006, ch. 2",
        at_most=_ROUNDING,
        notebook="01",
    ),
    Claim(
        id="library-difference",
        name="entropy, KL divergence and mutual information against SciPy and scikit-learn, "
        "largest difference",
        truth="0, on 1,000 random tables",
        source="the same run",
        at_most=_ROUNDING,
        notebook="01",
    ),
    Claim(
        id="gaussian-error",
        name="closed form of Gaussian mutual information against its integral, largest difference",
        truth="0, by Gauss-Hermite quadrature at 50 correlations",
        source="Cover & Thomas 2006, eq. 8.56",
        unit="nats",
        at_most=1e-10,
        notebook="02",
    ),
    Claim(
        id="ksg-bias",
        name="bias of the nearest-neighbor estimate (KSG), 2,000 pairs with 1 nat",
        truth="0 nats",
        source="Kraskov et al. 2004, arXiv:cond-mat/0305641; closed form",
        unit="nats",
        at_least=-0.02,
        at_most=0.02,
        notebook="02",
        target=0.0,
    ),
    Claim(
        id="info-nce-ceiling",
        name="largest InfoNCE value of 1,000 batches of 32, ideal critic, true value 5 nats",
        truth="ceiling: ln 32 = 3.466 nats",
        source="van den Oord et al. 2018, arXiv:1807.03748",
        unit="nats",
        at_least=3.3,
        at_most=math.log(32),
        notebook="03",
        target=math.log(32),
    ),
    Claim(
        id="smile-overestimate",
        name="SMILE value with clip 1 and the ideal critic, pairs with the same digit",
        truth="true value: ln 10 = 2.303 nats, which SMILE exceeds",
        source="Song & Ermon 2020, arXiv:1910.06222",
        unit="nats",
        at_least=math.log(10) + 0.4,
        notebook="03",
        target=math.log(10),
    ),
)


def _measure(setting: Setting) -> dict[str, float | Interval]:
    generator = np.random.default_rng(setting.seed)
    tables = [_random_table(generator) for _ in range(_TABLES)]
    return {
        "identity-error": max(map(_identity_error, tables)),
        "library-difference": max(map(_library_difference, tables)),
        "gaussian-error": max(map(_integral_error, np.linspace(-0.98, 0.98, 50))),
        "ksg-bias": _neighbor_bias(setting.seed),
        "info-nce-ceiling": _largest_info_nce(setting.seed),
        "smile-overestimate": _clipped_smile(setting.seed),
    }


def _random_table(generator: np.random.Generator) -> np.ndarray:
    """Probabilities p(x, y, z); about a fifth of them are zero."""
    shape = generator.integers(2, 7, size=3)
    weights = generator.exponential(size=shape) * (generator.random(shape) > 0.2)
    weights.flat[0] += 1
    return weights / weights.sum()


def _identity_error(table: np.ndarray) -> float:
    H = entropy.entropy
    pair, triple = table.sum(axis=2), entropy.mutual_information(table.reshape(len(table), -1))
    x, y = pair.sum(axis=1), pair.sum(axis=0)
    information = entropy.mutual_information(pair)
    without = entropy.mutual_information(table.sum(axis=1))
    conditional = entropy.conditional_mutual_information(table)
    zeros = [
        sum(entropy.chain_rule_terms(table)) - H(table),
        information - (H(x) + H(y) - H(pair)),
        information - (H(x) - entropy.conditional_entropy(pair)),
        information - entropy.mutual_information(pair.T),
        information - entropy.kl_divergence(pair, np.outer(x, y)),
        triple - without - conditional,  # the chain rule of mutual information
        min(0.0, information, conditional, H(x) - information, H(y) - information),
    ]
    return max(map(abs, zeros))


def _library_difference(table: np.ndarray) -> float:
    p, counts = table.ravel(), np.rint(1000 * table.sum(axis=2)).astype(int)
    q = (p + np.roll(p, 1)) / 2
    symbols = np.repeat(np.argwhere(counts + 1), counts.ravel(), axis=0).T
    zeros = [
        entropy.entropy(p) - scipy.stats.entropy(p),
        entropy.kl_divergence(p, q) - scipy.stats.entropy(p, q),
        entropy.sample_mutual_information(*symbols) - mutual_info_score(*symbols),
    ]
    return max(map(abs, zeros))


def _integral_error(correlation: float) -> float:
    """Error of the closed form against the integral of the log density ratio.

    The integrand is quadratic, so 20 x 20 nodes are exact.
    """
    nodes, weights = np.polynomial.hermite_e.hermegauss(20)
    x, noise = np.meshgrid(nodes, nodes)
    y = correlation * x + math.sqrt(1 - correlation**2) * noise
    joint = scipy.stats.multivariate_normal(cov=[[1, correlation], [correlation, 1]])
    normal = scipy.stats.norm.logpdf
    ratio = joint.logpdf(np.stack([x, y], axis=-1)) - normal(x) - normal(y)
    integral = (np.outer(weights, weights) * ratio).sum() / weights.sum() ** 2
    return abs(integral - CorrelatedGaussian(correlation=correlation).mutual_information)


def _neighbor_bias(seed: int) -> Interval:
    truth = CorrelatedGaussian(nats=1.0)
    samples = (truth.sample(2000, _SAMPLES * seed + i) for i in range(_SAMPLES))
    errors = np.array([estimate(x, y, "ksg").nats - 1.0 for x, y in samples])
    half = 1.96 * errors.std(ddof=1) / math.sqrt(_SAMPLES)
    return Interval(errors.mean(), errors.mean() - half, errors.mean() + half)


def _largest_info_nce(seed: int) -> float:
    truth, K = CorrelatedGaussian(10, nats=5.0), 32
    rho = truth.correlation
    x, y = truth.sample(1000 * K, seed)
    x, y = (torch.tensor(each).reshape(1000, K, -1) for each in (x, y))
    # log p(y | x) without the terms that do not depend on x
    scores = (rho * x @ y.mT - rho**2 * x.square().sum(-1, keepdim=True) / 2) / (1 - rho**2)
    return max(bounds.info_nce(batch.mT).item() for batch in scores)


def _clipped_smile(seed: int) -> float:
    """Mean over 200 batches of 128 pairs from ten classes."""
    generator = torch.Generator().manual_seed(seed)
    classes = torch.randint(10, (200, 128, 1), generator=generator)
    scores = torch.where(classes == classes.mT, math.log(10), -50.0)
    return torch.stack([bounds.smile(batch, 1.0) for batch in scores]).mean().item()


EXPERIMENTS = (Experiment("mathematics", _CLAIMS, _measure),)
