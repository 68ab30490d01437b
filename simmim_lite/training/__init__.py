"""Training: one loop, `fit`, for all systems; it survives being killed and grows with the machine.

    batches = Batches({"image": images, "speech": waves}, 256, transform=augment)
    history = fit(model, ContrastiveLoss(), batches, epochs=20, checkpoints="runs/a", resume=True)

`model(batch)` gives the outputs, `loss(outputs, batch)` a scalar or a dict of them. The same lines
run on a CPU, on a GPU, and under ``torchrun`` in several processes. To go faster on a GPU, do this
before: ``model.to(memory_format=torch.channels_last)`` for convolutions, ``model.compile()`` for
runs of more than a few minutes.

| to fit | do | what it costs |
|---|---|---|
| a larger batch | ``chunk=256``, exact but for BatchNorm | one more forward pass |
| longer than a session lasts | ``checkpoints=folder, resume=True`` | a write an epoch |
| several GPUs | ``torchrun --nproc-per-node N script.py`` | embeddings are exchanged |

A generator and a discriminator are one system, too: let each loss see the other one's weights
detached, and add the two.
"""

from simmim_lite.training._batches import Batches as Batches
from simmim_lite.training._fit import fit as fit
from simmim_lite.training._gathers import compare_gathers as compare_gathers
from simmim_lite.training._history import History as History
from simmim_lite.training._measure import (
    measure_bytes as measure_bytes,
    measure_seconds as measure_seconds,
)
from simmim_lite.training._optimizers import (
    make_optimizer as make_optimizer,
    make_schedule as make_schedule,
)
from simmim_lite.training._processes import (
    ContrastiveLoss as ContrastiveLoss,
    gather_rows as gather_rows,
    gathered_info_nce_loss as gathered_info_nce_loss,
    process_group as process_group,
)
from simmim_lite.training._resume import load_weights as load_weights
