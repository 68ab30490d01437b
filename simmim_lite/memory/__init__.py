"""A memory of slots: write items, find them by any of their modalities, forget, save.

| where items are stored | |
|---|---|
| `Ram` (default) | in this process; `SimulatedMemory.save` writes one file |
| `SQLite` | in a database file: written items survive a crash; several processes may share it |
| `Milvus` | in a vector database: a local file, or a server or cluster at an address |

`Ram` and `SQLite` search with `Exact`, which compares every key, on a CPU or GPU, or with `Faiss`:
inverted lists, graphs or hashing, for millions of keys.

`SumMemory`, `OuterProductMemory` and `HopfieldMemory` have a fixed size, for comparison;
`familiarity_auroc`, `sign_accuracy`, `slot_accuracy` and `attention_weight` predict how well
memories work.

Examples:
    >>> import torch
    >>> from simmim_lite.memory import SimulatedMemory
    >>> seen, heard = torch.randn(2, 3, 8, generator=torch.Generator().manual_seed(0))
    >>> memory = SimulatedMemory(8)
    >>> memory.write({"image": seen, "speech": heard}, {"image": ["cat.png", "dog.png", "owl.png"]})
    tensor([0, 1, 2])

    A sound finds its image: the query searches the keys of speech, and the item has the image.

    >>> result = memory.read(heard[1:] + 0.1, "speech")
    >>> result.ids
    tensor([[1],
            [2]])
    >>> result.values("image")
    [['dog.png'], ['owl.png']]
    >>> memory.forget([1]), len(memory)
    (1, 2)
"""

from simmim_lite.memory._backend import Backend as Backend, Ram as Ram
from simmim_lite.memory._items import fingerprint as fingerprint
from simmim_lite.memory._memory import SimulatedMemory as SimulatedMemory
from simmim_lite.memory._milvus import Milvus as Milvus
from simmim_lite.memory._recall import (
    HopfieldMemory as HopfieldMemory,
    OuterProductMemory as OuterProductMemory,
    ReadResult as ReadResult,
    SumMemory as SumMemory,
    attention_weight as attention_weight,
    familiarity_auroc as familiarity_auroc,
    sign_accuracy as sign_accuracy,
    slot_accuracy as slot_accuracy,
)
from simmim_lite.memory._search import Exact as Exact, Faiss as Faiss, Index as Index
from simmim_lite.memory._sqlite import SQLite as SQLite
