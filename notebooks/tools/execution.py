"""Execute a notebook in a fresh kernel of the running interpreter."""

import asyncio
import time
from dataclasses import dataclass
from pathlib import Path

import nbformat
from ipykernel.kernelspec import get_kernel_dict
from jupyter_client import AsyncKernelManager
from jupyter_client.kernelspec import KernelSpec, KernelSpecManager
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
from nbformat import NotebookNode
from traitlets import default

KERNEL = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}
WIDGET = "application/vnd.jupyter.widget-view+json"  # a control is of no use without its kernel
CELL_TIMEOUT = 600  # seconds; a hung cell fails instead of blocking the whole run


@dataclass(frozen=True)
class Run:
    """A notebook after execution, as far as it came."""

    notebook: NotebookNode
    seconds: float
    failed_cell: int | None = None  # index among all cells
    failure: str = ""  # last line of the error

    @property
    def executed(self) -> list[NotebookNode]:
        """Code cells that ran through."""
        cells = self.notebook.cells[: self.failed_cell]
        return [cell for cell in cells if cell.cell_type == "code" and cell.execution_count]


class _ThisPython(KernelSpecManager):
    """Every kernel is the running interpreter, whatever kernels the user has installed."""

    def get_kernel_spec(self, kernel_name: str) -> KernelSpec:
        return KernelSpec(**get_kernel_dict())


class _KernelManager(AsyncKernelManager):
    @default("kernel_spec_manager")
    def _this_python(self) -> KernelSpecManager:
        return _ThisPython()


class _Loop(asyncio.SelectorEventLoop):
    def add_signal_handler(self, *_: object) -> None:
        raise RuntimeError  # else nbclient would end one kernel, and the run would go on


def execute(notebook: NotebookNode, folder: Path, *, timeout: int = CELL_TIMEOUT) -> Run:
    """Execute a copy of ``notebook`` top to bottom, in a fresh kernel that stands in ``folder``.

    Nothing is raised for a failing cell: the `Run` says which one and why.
    """
    notebook = nbformat.from_dict(notebook)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    for cell in code:
        cell.outputs, cell.execution_count = [], None
    last = 0

    def remember(cell: NotebookNode, cell_index: int) -> None:
        nonlocal last
        last = cell_index

    client = NotebookClient(
        notebook,
        timeout=timeout,
        record_timing=False,
        extra_arguments=["--log-level=ERROR"],  # the kernel's own warnings, not the notebook's
        kernel_manager_class=_KernelManager,
        resources={"metadata": {"path": str(folder)}},
        on_cell_execute=remember,
    )
    start = time.perf_counter()
    failed_cell, failure, loop = None, "", _Loop()
    try:
        loop.run_until_complete(client.async_execute())
    except CellExecutionError as error:
        failed_cell, failure = last, f"{error.ename}: {error.evalue}".strip().splitlines()[-1]
    except CellTimeoutError:
        failed_cell, failure = last, f"no answer after {timeout} s"
    except DeadKernelError:
        failed_cell, failure = last, "the kernel died"
    except KeyboardInterrupt:
        client.shutdown_kernel = "immediate"
        tasks = [task for task in asyncio.all_tasks(loop) if task.cancel()]
        loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
        raise
    finally:
        loop.close()
    seconds = time.perf_counter() - start
    notebook.metadata = NotebookNode({"kernelspec": KERNEL})
    for cell in code:
        cell.outputs = [out for out in _merge_streams(cell.outputs) if WIDGET not in _data(out)]
    return Run(notebook, seconds, failed_cell, failure)


def _data(output: NotebookNode) -> NotebookNode:
    return output.get("data", NotebookNode())


def _merge_streams(outputs: list[NotebookNode]) -> list[NotebookNode]:
    """Join neighboring pieces of one stream: where the kernel cut it depends on the moment."""
    merged: list[NotebookNode] = []
    for output in outputs:
        if merged and output.output_type == "stream" and merged[-1].get("name") == output.name:
            merged[-1].text += output.text
        else:
            merged.append(output)
    return merged
