"""Contrastive losses with exact gradients in memory that grows with the batch, not with its square.

A batch of B pairs has B x B scores. They are computed a tile at a time, used for the loss and for
the gradient, and forgotten: memory O(B x tile) where the plain formula needs O(B^2). The result is
the same, gradients of queries, keys and temperature included, up to rounding.

Scores are ``queries @ keys.T / temperature``; normalize the embeddings first, as is usual. The
bound on the mutual information that a batch shows is ``log(len(keys)) - info_nce_loss(...)`` nats
(one-way, or the mean of both ways): 0 while nothing is learned, at most ``log(len(keys))``.
"""

from simmim_lite.contrastive._losses import (
    info_nce_loss as info_nce_loss,
    nt_xent_loss as nt_xent_loss,
    sigmoid_loss as sigmoid_loss,
)
