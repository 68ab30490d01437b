"""Training: one loop, `fit`, for all systems of the package, on a CPU, a GPU or several GPUs.

``model(batch)`` returns the outputs, ``loss(outputs, batch)`` a scalar or a dict of scalars. On a
GPU, ``model.to(memory_format=torch.channels_last)`` before `fit` makes convolutions faster, and
``model.compile()`` saves time in runs of more than a few minutes.

| for | use | cost |
|---|---|---|
| a larger batch | ``chunk=256``, exact except with BatchNorm | one more forward pass |
| a run longer than a session | ``checkpoints=folder, resume=True`` | a write each epoch |
| several GPUs | ``torchrun --nproc-per-node N script.py`` | embeddings are exchanged |

Examples:
    >>> import torch
    >>> from simmim_lite.training import Batches, ContrastiveLoss, fit
    >>> x = torch.randn(64, 4, generator=torch.Generator().manual_seed(0))
    >>> class Pair(torch.nn.Module):
    ...     def __init__(self):
    ...         super().__init__()
    ...         self.weight = torch.nn.Parameter(torch.eye(4))
    ...     def forward(self, batch):
    ...         return batch["x"] @ self.weight, batch["y"]
    >>> batches = Batches({"x": x, "y": x.flip(1)}, batch_size=32)
    >>> history = fit(Pair(), ContrastiveLoss(), batches, epochs=20, learning_rate=0.1)
    >>> history.steps, history.stop_reason
    (40, 'finished')
    >>> history["nats"][0] < 1 < history["nats"][-1]
    True
"""

from simmim_lite.training._batches import Batches as Batches
from simmim_lite.training._fit import fit as fit
from simmim_lite.training._processes import (
    ContrastiveLoss as ContrastiveLoss,
    compare_gathers as compare_gathers,
    gather_rows as gather_rows,
    gathered_info_nce_loss as gathered_info_nce_loss,
    process_group as process_group,
)
from simmim_lite.training._resume import History as History, load_weights as load_weights
from simmim_lite.training._weights import (
    load_trained as load_trained,
    save_trained as save_trained,
)
