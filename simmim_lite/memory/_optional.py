"""Packages that only large memories need."""

import importlib
import warnings
from types import ModuleType


def require(module: str, package: str) -> ModuleType:
    """Import a module of a package that may be missing."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # SWIG's and setuptools' own
            return importlib.import_module(module)
    except ImportError as error:
        raise ImportError(
            f"{module} is not installed: pip install {package}, "
            'or everything for large memories: pip install "simmim-lite[scale]"'
        ) from error
