"""Learning representations by information maximization: the package behind the notebooks.

Information is in nats throughout. Import the module that you need, as the notebooks do:
``from simmim_lite import entropy, mutual_information``.
"""

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("simmim-lite")
except PackageNotFoundError:  # run from a source tree that was never installed
    __version__ = "0+unknown"
