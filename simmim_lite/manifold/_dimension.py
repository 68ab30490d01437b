"""Intrinsic dimension: how many numbers it takes to say where on the manifold a point lies."""

from typing import Any

import numpy as np

from simmim_lite._arguments import as_samples, check_choice, check_integer
from simmim_lite.manifold._neighbors import nearest_neighbors


def intrinsic_dimension(x: Any, method: str = "two_nn", *, n_neighbors: int = 10) -> float:
    """Dimension of the manifold that the rows of ``x`` (N, d) lie on, from distances alone.

    Within a small ball the number of points grows like its radius to the power of the dimension.

    Args:
        x: (N, d) real numbers. Rows that occur before are left out: a distance of 0 says nothing.
        method: "two_nn" (Facco et al. 2017, doi:10.1038/s41598-017-11873-y): the ratio of the
            distances to the second and to the first neighbor has density
            dim / ratio^(dim + 1), of which this is the maximum likelihood estimate; or
            "levina_bickel" (Levina & Bickel 2004): maximum likelihood from ``n_neighbors``
            distances at each point, its inverses averaged (MacKay & Ghahramani 2005), as the mean
            of the dimensions themselves is too large.
        n_neighbors: k of "levina_bickel", 3 to N - 1. More see farther, where manifolds bend.

    Raises:
        ValueError: fewer distinct rows than neighbors need.
    """
    check_choice("method", method, ("two_nn", "levina_bickel"))
    samples = np.unique(as_samples("x", x), axis=0)
    k = 2 if method == "two_nn" else check_integer("n_neighbors", n_neighbors, minimum=3)
    if len(samples) <= k:
        raise ValueError(f"x: expected more than {k} distinct rows, got {len(samples)}")
    distance = np.log(nearest_neighbors(samples, k)[0].astype(np.float64))
    if method == "two_nn":  # with N - 1 in place of N it is unbiased
        return float((len(samples) - 1) / (distance[:, 1] - distance[:, 0]).sum())
    inverse = (distance[:, -1:] - distance[:, :-1]).mean(axis=1)
    return float(1 / inverse.mean())
