"""What memories of N random items should hold, by formula, to be compared with what they do.

Keys are unit vectors in uniformly random directions of ``dim`` dimensions; N may be an array.
"""

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import beta as beta_distribution, norm

_NODES, _WEIGHTS = np.polynomial.hermite_e.hermegauss(80)  # of a standard normal variable


def familiarity_auroc(N: ArrayLike, dim: int) -> np.ndarray:
    """Probability that a vector in a `SumMemory` scores above one that isn't.

    Phi(sqrt(dim / (2 N - 1))): the scores differ by 1, with a variance of (N - 1) / dim + N / dim,
    in a Gaussian approximation.
    """
    return norm.cdf(np.sqrt(dim / (2 * np.asarray(N) - 1)))


def sign_accuracy(N: ArrayLike, dim: int) -> np.ndarray:
    """Probability that an `OuterProductMemory` of bipolar values gives a sign back right, N >= 2.

    Phi(sqrt(dim / (N - 1))): to the value, 1 or -1, each other item adds noise of variance 1 / dim.
    """
    return norm.cdf(np.sqrt(dim / (np.asarray(N) - 1)))


def slot_accuracy(N: ArrayLike, dim: int, noise: float) -> np.ndarray:
    """Probability that a noisy key is nearest to its own slot, by cosine.

    The mean of F(c)^(N - 1): c is the cosine of query and own key, F the distribution of that of
    two random directions, whose (1 + c) / 2 is beta-distributed.

    Args:
        noise: standard deviation of each component, times sqrt(dim): the length of the noise.
    """
    along = noise * _NODES / np.sqrt(dim)  # the noise in the direction of the key
    length = np.sqrt(np.maximum(1 + 2 * along + noise**2, 1e-9))
    below = beta_distribution.cdf((1 + (1 + along) / length) / 2, (dim - 1) / 2, (dim - 1) / 2)
    powers = below ** (np.asarray(N, dtype=float)[..., None] - 1)
    return powers @ _WEIGHTS / _WEIGHTS.sum()


def attention_weight(N: ArrayLike, dim: int, beta: float) -> np.ndarray:
    """Weight that softmax attention gives to the slot of a query without noise.

    1 / (1 + (N - 1) exp(beta^2 / (2 dim) - beta)), for E exp(beta c) is about exp(beta^2 / 2 dim)
    for each of the others, and their sum near its mean as long as beta^2 / dim is below ln N.
    """
    return 1 / (1 + (np.asarray(N) - 1) * np.exp(beta**2 / (2 * dim) - beta))
