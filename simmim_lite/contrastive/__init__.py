"""Contrastive losses with exact gradients, in memory that grows with the batch, not its square.

A batch of B pairs has B x B scores. The losses compute them a tile at a time, use each tile for the
loss and for the gradient, and drop it: memory O(B x tile), where the plain formula needs O(B^2).
The loss and the gradients of queries, keys and temperature are the same up to rounding.

Scores are ``queries @ keys.T / temperature``; normalize the embeddings first, as is usual.
With N queries and M keys, ln M - `info_nce_loss` is a lower bound on the mutual information in nats
one way, and (ln M + ln N) / 2 - `info_nce_loss` both ways: at most that of the logarithms.

Examples:
    >>> import torch
    >>> from simmim_lite.contrastive import info_nce_loss
    >>> embeddings = torch.eye(8)
    >>> round(info_nce_loss(embeddings, embeddings, 0.1).item(), 4)
    0.0003
    >>> same = torch.ones(8, 4)  # every key fits every query: log 8 nats
    >>> round(info_nce_loss(same, same, 0.1).item(), 4)
    2.0794
"""

from simmim_lite.contrastive._tiles import (
    LearnedTemperature as LearnedTemperature,
    info_nce_loss as info_nce_loss,
    nt_xent_loss as nt_xent_loss,
)
