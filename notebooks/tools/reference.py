"""The API reference: pages made by pdoc from the docstrings, readable offline."""

import importlib
import inspect
import pkgutil
from pathlib import Path
from types import ModuleType

import pdoc

import simmim_lite


def public_modules() -> list[ModuleType]:
    """Modules and folders of the package without a leading underscore, in order of name."""
    names = sorted(module.name for module in pkgutil.iter_modules(simmim_lite.__path__))
    return [
        importlib.import_module(f"simmim_lite.{name}") for name in names if not name.startswith("_")
    ]


def public_names(module: ModuleType) -> list[str]:
    """Names that a module defines, or re-exports from its own files, in order of name."""
    found = []
    for name, value in vars(module).items():
        home = getattr(value, "__module__", module.__name__)
        own = home == module.__name__ or home.startswith(f"{module.__name__}._")
        if not name.startswith("_") and not inspect.ismodule(value) and own:
            found.append(name)
    return sorted(found)


def write_reference(output: Path) -> None:
    """Write ``output/index.html`` and a page a module; nothing on them needs the network."""
    modules = public_modules()
    for module in modules:  # pdoc shows re-exported names only if `__all__` lists them
        module.__all__ = public_names(module)
    pdoc.render.configure(docformat="google", show_source=False, search=True)
    pdoc.pdoc("simmim_lite", output_directory=output)
