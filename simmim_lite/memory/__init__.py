"""A memory of slots: writes pairs of things, finds them by either, forgets, and keeps.

    memory = SimulatedMemory(64)
    ids = memory.write({"image": z["image"], "speech": z["speech"]}, {"image": images})
    recall = memory.read(z_heard, "speech", k=8)      # search by ear ...
    pictures = recall.values("image")                 # ... and cross to what belongs to it

| where items are kept | |
|---|---|
| `Ram` (default) | in this process; `SimulatedMemory.save` writes one file |
| `SQLite` | in a database file: what is acknowledged survives a crash; several processes |
| `Milvus` | in a vector database: a local file, or a server or cluster by its address |

| how `Ram` and `SQLite` search | |
|---|---|
| `Exact` (default) | every key, on a CPU or GPU |
| `Faiss` | inverted lists, graphs or hashing, for millions of keys |

`SumMemory`, `OuterProductMemory` and `HopfieldMemory` are memories of a fixed size, to compare; how
much each should hold say `familiarity_auroc`, `sign_accuracy`, `slot_accuracy`, `attention_weight`.
"""

from simmim_lite.memory._associative import (
    HopfieldMemory as HopfieldMemory,
    OuterProductMemory as OuterProductMemory,
    SumMemory as SumMemory,
)
from simmim_lite.memory._backend import Backend as Backend, Ram as Ram
from simmim_lite.memory._faiss import Faiss as Faiss
from simmim_lite.memory._fingerprint import fingerprint as fingerprint
from simmim_lite.memory._index import Exact as Exact, Index as Index
from simmim_lite.memory._memory import SimulatedMemory as SimulatedMemory
from simmim_lite.memory._milvus import Milvus as Milvus
from simmim_lite.memory._recall import ReadResult as ReadResult
from simmim_lite.memory._sqlite import SQLite as SQLite
from simmim_lite.memory._theory import (
    attention_weight as attention_weight,
    familiarity_auroc as familiarity_auroc,
    sign_accuracy as sign_accuracy,
    slot_accuracy as slot_accuracy,
)
