"""Plant a fault of each kind in a copy of the package, and see whether a test notices.

    python tests/properties/mutations.py            # all kinds
    python tests/properties/mutations.py 4 11       # some kinds

Each mutation replaces a piece of the source by the code that a beginner would write. The named
tests must pass without the mutation and fail with it.
"""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

CLONE = Path(__file__).resolve().parents[2]
PROPERTIES = "tests/properties"
COPIED = ("simmim_lite", "tests", "data", "pyproject.toml")


class Mutation(NamedTuple):
    """A fault of one kind: (old, new) pieces of a file, and the tests that should notice."""

    kind: int
    essence: str
    file: str
    pieces: tuple[tuple[str, str], ...]
    tests: tuple[str, ...]


def prop(module: str, test: str, *doors: str) -> tuple[str, ...]:
    return tuple(f"{PROPERTIES}/test_{module}.py::test_{test}[{door}]" for door in doors)


MUTATIONS = [
    Mutation(
        1,
        "squared distances by expansion, without centering",
        "_numerics.py",
        (
            ("    a, b = a - center, b - center\n    norms", "    norms"),
            ("squares <= sure * norms", "squares < -1"),
        ),
        prop(
            "shift_and_scale",
            "an_origin_at_the_end_of_the_range_changes_nothing",
            "evaluation.density_and_coverage",
            "evaluation.distance_to_nearest",
        ),
    ),
    Mutation(
        2,
        "a constant column is found by == 0",
        "_numerics.py",
        (("half <= _CONSTANT * np.finfo(np.float64).eps / 2 * largest", "half == 0"),),
        ("tests/test_numerics.py",),
    ),
    Mutation(
        2,
        "float32 before centering",
        "_numerics.py",
        (
            (
                "values = np.asarray(values, np.float64)\n",
                "values = np.asarray(values, np.float32)\n",
            ),
        ),
        prop(
            "shift_and_scale",
            "an_origin_at_the_end_of_the_range_changes_nothing",
            "mutual_information.gaussian",
            "manifold.nearest_neighbors",
        ),
    ),
    Mutation(
        3,
        "copies of pairs count as neighbors",
        "mutual_information/_neighbors.py",
        (("kept, note = distinct_pairs(x, y)", "kept, note = np.arange(len(x)), ''"),),
        prop("copies", "copies_do_not_look_like_information", "ksg-twice", "ksg-four times"),
    ),
    Mutation(
        4,
        "without the normal form of Unicode",
        "encoders/_text.py",
        (
            ('unicodedata.normalize("NFD", text).casefold()', "text.casefold()"),
            ('unicodedata.normalize("NFC", word).rstrip', "word.rstrip"),
        ),
        ("tests/test_encoders_text.py",),
    ),
    Mutation(
        4,
        "combining marks separate words",
        "encoders/_text.py",
        (('{"M": "m", ', '{"M": " ", '),),
        ("tests/test_encoders_text.py",),
    ),
    Mutation(
        5,
        "np.asarray for the door: masks are lost",
        "_arguments.py",
        (
            (
                "missing = np.ma.getmaskarray(value) if isinstance(value, np.ma.MaskedArray) else",
                "missing = np.False_ if isinstance(value, np.ma.MaskedArray) else",
            ),
        ),
        prop(
            "wrong_data",
            "a_missing_number_is_refused_by_name",
            "entropy.sample_entropy",
            "mutual_information.gaussian",
        ),
    ),
    Mutation(
        6,
        "symbols are told by their dtype",
        "_arguments.py",
        (
            (
                "    most = max(min(2, N // 4), N // 10)\n",
                '    return array.dtype.kind in "biuOSU"\n',
            ),
        ),
        prop(
            "symbols",
            "the_type_of_symbols_does_not_matter",
            "mutual_information.ross",
            "mutual_information.estimate[mixed]",
        ),
    ),
    Mutation(
        7,
        "training keeps the caller's inference mode",
        "_torch_state.py",
        (("torch.inference_mode(False), torch.enable_grad()", "ExitStack()"),),
        (
            *prop(
                "ambient_torch",
                "what_is_set_in_torch_changes_nothing",
                "evaluation.integrated_gradients",
                "multimodal.MultimodalInfoMax.fit",
            ),
        ),
    ),
    Mutation(
        7,
        "new tensors on torch's default device",
        "_torch_state.py",
        (('if torch.empty(0).device.type != "cpu":', "if False:"),),
        (
            *prop(
                "ambient_torch",
                "what_is_set_in_torch_changes_nothing",
                "manifold.ManifoldInfoMax.fit",
            ),
        ),
    ),
    Mutation(
        8,
        "foreign byte order reaches torch",
        "_arguments.py",
        (('array = array.astype(array.dtype.newbyteorder("="), copy=False)\n', "pass\n"),),
        prop(
            "other_types",
            "other_layout_of_the_same_numbers",
            "memory.SimulatedMemory.write[cosine]",
            "training.Batches",
        ),
    ),
    Mutation(
        8,
        "negative strides and read-only arrays reach torch",
        "_arguments.py",
        (
            (
                "return array if array.flags.writeable and not awkward else array.copy()",
                "return array",
            ),
        ),
        (
            "tests/test_arguments.py",
            *prop("other_types", "other_layout_of_the_same_numbers", "training.Batches"),
        ),
    ),
    Mutation(
        9,
        "transactions that begin by reading",
        "memory/_sqlite.py",
        (('kind: str = "IMMEDIATE"', 'kind: str = "DEFERRED"'),),
        ("tests/test_memory_sqlite.py", "tests/test_memory_backends.py"),
    ),
    Mutation(
        10,
        "the address of an object is part of a fingerprint",
        "memory/_items.py",
        (("description(encoder)", "str(encoder)"),),
        ("tests/test_memory_numbers.py",),
    ),
    Mutation(
        11,
        "some errors of parsers come out",
        "datasets/_files.py",
        (("    except Exception as error:  # each", "    except OSError as error:  # each"),),
        ("tests/test_datasets_files.py",),
    ),
    Mutation(
        12,
        "images in 0..255 where 0..1 is promised",
        "evaluation/_generation.py",
        (("EXCESS = 10.0", "EXCESS = 1e9"),),
        ("tests/test_evaluation_arguments.py", "tests/test_evaluation_reconstruction.py"),
    ),
    Mutation(
        13,
        "columns that determine one another are not noticed",
        "mutual_information/_numbers.py",
        (("determined = own > MOST_OWN", "determined = False"),),
        (
            "tests/test_mutual_information_learned.py::"
            "test_columns_that_determine_one_another_are_noticed",
        ),
    ),
]


def run(tests: tuple[str, ...], folder: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *tests]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def caught_by(mutation: Mutation) -> str:
    """Run the tests on a copy of the package without and with the fault, and tell what happened."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        for name in COPIED:
            source = CLONE / name
            copy = shutil.copytree if source.is_dir() else shutil.copy
            copy(source, folder / name)
        file = folder / "simmim_lite" / mutation.file
        text = file.read_text(encoding="utf-8")
        for old, _ in mutation.pieces:
            if old not in text:
                return f"stale: {old!r} is not in {mutation.file}"
        before = run(mutation.tests, folder)
        if before.returncode:
            return f"the tests fail without it: {last(before.stdout)}"
        for old, new in mutation.pieces:
            text = text.replace(old, new)
        file.write_text(text, encoding="utf-8")
        after = run(mutation.tests, folder)
        if after.returncode != 1:  # 1: some tests failed
            return f"NOT CAUGHT ({last(after.stdout)})"
        return f"caught: {first_failure(after.stdout)}"


def last(output: str) -> str:
    return output.strip().splitlines()[-1] if output.strip() else "no output"


def first_failure(output: str) -> str:
    lines = [line for line in output.splitlines() if line.startswith(("FAILED", "ERROR"))]
    return lines[0].split(" - ")[0].removeprefix("FAILED ") if lines else last(output)


def main() -> int:
    kinds = {int(word) for word in sys.argv[1:]}
    missed = 0
    for mutation in MUTATIONS:
        if not kinds or mutation.kind in kinds:
            result = caught_by(mutation)
            missed += not result.startswith("caught")
            print(f"{mutation.kind:2} {mutation.essence}: {result}", flush=True)
    return missed


if __name__ == "__main__":
    sys.exit(main())
