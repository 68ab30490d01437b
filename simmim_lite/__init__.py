"""Learning representations by information maximization: the package behind the notebooks.

Information is in nats throughout. Import the module that you need, as the notebooks do:
``from simmim_lite import entropy, mutual_information``. In the order of the notebooks:

| modules | what they teach |
|---|---|
| `entropy`, `ground_truth`, `mutual_information` | information, exact and estimated |
| `bounds`, `critics`, `contrastive` | lower bounds that networks can maximize |
| `datasets`, `augment`, `encoders`, `fusion` | from images, speech, text and tables to vectors |
| `training` | one loop for all systems |
| `multimodal`, `manifold`, `memory`, `generation` | the systems of the three articles |
| `evaluation`, `figures`, `exercises` | what a result is worth, plots, checks of the exercises |
| `environment`, `doctor`, `storage` | the machine, what it lacks, files |
"""

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("simmim-lite")
except PackageNotFoundError:  # run from a source tree that was never installed
    __version__ = "0+unknown"
