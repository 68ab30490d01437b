"""Checks of public arguments: errors name the argument, what was expected and what came."""

from collections.abc import Collection, Sized
from numbers import Number
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from torch import Tensor

_COMPLEX = (complex, np.complexfloating)


def as_array(name: str, value: Any) -> np.ndarray:
    """Return real numbers or symbols as a NumPy array, safe for `torch.from_numpy`; not a copy.

    Accepted are arrays, lists, tensors (on any device), and columns and tables of pandas. Python
    numbers (Decimal, Fraction) become float64. A value that is missing in another way than by nan
    in an array of numbers (a mask; None or nan among words or objects; NaT, NA) raises ValueError.
    Complex numbers, sets, generators and sparse tensors raise TypeError.
    """
    array = _unconverted(name, value)
    if array.dtype.kind != "O" or not all(map(_is_number, _types(array))):
        return array
    kinds = {np.dtype(kind).kind for kind in _types(array)}
    if kinds == {"b"}:
        return array.astype(bool)
    if kinds <= set("biu"):
        for whole in (np.int64, np.uint64):
            try:
                return array.astype(whole)
            except OverflowError:
                pass  # the numbers are larger
    return _as_float64(name, array)


def as_tensor(name: str, value: Any, *, dtype: Any = None, device: Any = None) -> "Tensor":
    """Return finite real numbers as a dense tensor, on the device of a tensor, else on the CPU.

    A floating point tensor keeps its dtype and gradient. Other numbers become float32 and are
    copied. A ``dtype`` that cannot hold the numbers, such as int64 for 0.5, raises ValueError.
    """
    import torch  # not at the top: the modules of pure NumPy do not load it

    if not isinstance(value, torch.Tensor):
        array = as_array(name, value)
        if array.dtype.kind not in "biuf":
            raise TypeError(f"{name}: expected real numbers, got dtype {array.dtype}")
        value = torch.from_numpy(array.copy())
        dtype = torch.float32 if dtype is None else dtype
    elif value.is_meta or value.is_complex() or value.layout != torch.strided:
        as_array(name, value)  # raises the error
    if dtype is None:
        dtype = value.dtype if value.is_floating_point() else torch.float32
    found = value.to(device=value.device if device is None else device, dtype=dtype)
    good = found.isfinite().to(value.device)
    if not found.is_floating_point():
        good &= found.to(value.device) == value
    if not good.all():
        index = tuple((~good).nonzero()[0].tolist())
        got = f"{value[index].item()} at {index}"
        raise ValueError(f"{name}: expected finite numbers of {dtype}, got {got}")
    return found


def as_samples(name: str, value: Any, *, minimum: int = 2) -> np.ndarray:
    """Return finite real samples as a float64 copy (N, d); a vector (N,) becomes (N, 1)."""
    array = as_array(name, value)
    if array.dtype.kind not in "biuf":
        raise TypeError(f"{name}: expected real numbers, got dtype {array.dtype}")
    if array.ndim == 1:
        array = array[:, None]
    if array.ndim != 2 or array.shape[1] == 0:
        raise ValueError(f"{name}: expected shape (N,) or (N, d) with d >= 1, got {array.shape}")
    array = array.astype(np.float64)
    _check_rows(name, array, minimum, "numbers")
    return array


def as_labels(name: str, value: Any, *, minimum: int = 2) -> np.ndarray:
    """Return discrete samples of any type as integers 0..K-1 of shape (N,), in sorted order.

    Each row of an (N, d) array is one symbol. Equal numbers of different types are one symbol.
    """
    array = _unconverted(name, value)  # as float64, whole numbers above 2**53 could merge
    if array.ndim not in (1, 2) or (array.ndim == 2 and array.shape[1] == 0):
        raise ValueError(f"{name}: expected shape (N,) or (N, d) of symbols, got {array.shape}")
    _check_rows(name, array, minimum, "symbols")
    return _codes_of_rows(name, array.reshape(len(array), -1))


def as_common_labels(**variables: Any) -> list[np.ndarray]:
    """Return the labels (N,) of several variables as integers: equal ones have equal integers."""
    columns, words = [], {}
    for name, value in variables.items():
        as_labels(name, value, minimum=1)
        array = _unconverted(name, value)
        if array.ndim == 2 and array.shape[1] > 1:
            raise ValueError(f"{name}: expected one label per item (N,), got shape {array.shape}")
        columns.append(array.astype(object).ravel())
        words[name] = not all(map(_is_number, _types(columns[-1])))
    if len(set(words.values())) > 1:
        got = ", ".join(f"{name} has {'words' if words[name] else 'numbers'}" for name in words)
        raise TypeError(f"{' and '.join(words)}: expected labels of one kind, got {got}")
    codes = _codes(" and ".join(words), np.concatenate(columns))
    return np.split(codes, np.cumsum([len(column) for column in columns[:-1]]))


def as_class_numbers(name: str, value: Any, classes: int) -> np.ndarray:
    """Return whole numbers 0..classes - 1 of any dtype as int64 (N,)."""
    array = as_array(name, value)
    if array.dtype.kind not in "biuf" or array.ndim != 1:
        raise TypeError(f"{name}: expected whole numbers (N,), got {array.shape} of {array.dtype}")
    bad = ~((array >= 0) & (array < classes) & (array == np.floor(array)))
    if bad.any():
        row = int(bad.argmax())
        whole = f"whole numbers 0..{classes - 1}"
        raise ValueError(f"{name}: expected {whole}, got {array[row]} in row {row}")
    return array.astype(np.int64)


def is_symbolic(name: str, value: Any) -> bool:
    """Return whether N samples are symbols rather than quantities: by values, not by their dtype.

    Words are symbols. Numbers, also written as strings, are symbols if at most N / 50 rows (or 2)
    are distinct; or at most N / 10, if each column has 20 or fewer that are whole or evenly spaced,
    or all of 0..K-1 or of 1..K. A continuous quantity is none, if rows are copied.
    """
    array = as_array(name, value)
    if array.ndim not in (1, 2) or array.size == 0:
        return True
    columns = array.reshape(len(array), -1).T
    numbers = [_parsed(name, column) for column in columns]
    if any(column is None for column in numbers):
        for column, parsed in zip(columns, numbers, strict=True):
            if parsed is not None and not is_symbolic(name, parsed):
                raise TypeError(f"{name}: expected symbols or numbers, got both, as {column[0]!r}")
        return True
    N = len(array)
    most = max(min(2, N // 4), N // 10)
    distinct = int(_codes_of_rows(name, columns.T, enough=most + 1).max()) + 1
    if distinct > most or distinct <= max(2, N // 50):
        return distinct <= most
    return all(_is_coarse(np.unique(column)) for column in numbers if column is not None)


def as_finite(name: str, value: Any) -> np.ndarray:
    """Return real numbers of any shape as float64; refuse others, nan and infinity."""
    array = as_array(name, value)
    if array.dtype.kind not in "biuf":
        raise TypeError(f"{name}: expected real numbers, got dtype {array.dtype}")
    if not np.isfinite(array).all():
        raise ValueError(f"{name}: expected finite numbers, got {array[~np.isfinite(array)][0]}")
    return array.astype(np.float64)


def as_probabilities(
    name: str, value: Any, *, tolerance: float = 1e-9, axis: int | None = None
) -> np.ndarray:
    """Return a probability table of any shape as float64: finite, non-negative, with sum 1.

    Numbers of float32 or less need the sum 1 within their precision only, and are renormalized.
    With ``axis`` the sum along this axis is 1, everywhere.
    """
    table = as_array(name, value)
    if table.dtype.kind not in "biuf":
        raise TypeError(f"{name}: expected probabilities, got dtype {table.dtype}")
    dtypes = f"{table.dtype} {getattr(value, 'dtype', '')}"  # bfloat16 has become float32
    table = table.astype(np.float64)
    if table.size == 0 or table.ndim == 0:
        raise ValueError(f"{name}: expected a non-empty table of probabilities, got {table.shape}")
    infinite = ~np.isfinite(table)
    for bad, kind in ((infinite, "finite probabilities"), (table < 0, "probabilities >= 0")):
        if bad.any():
            index = tuple(np.argwhere(bad)[0].tolist())
            raise ValueError(f"{name}: expected {kind}, got {table[index]:g} at {index}")
    single = np.float32(np.minimum(table, 2)) == table  # also as a list, or converted
    rounding = 1e-2 if "float16" in dtypes else 1e-5 if single.all() else 0.0
    total = table.sum(axis=axis, keepdims=True)
    wrong = np.abs(total - 1) > max(tolerance, rounding)
    if wrong.any():
        where = "" if axis is None else f" in row {np.argwhere(wrong)[0, 0]}"
        got = f"sum {total[wrong][0]}{where}"
        raise ValueError(f"{name}: expected probabilities that sum to 1, got {got}")
    return table / total if rounding else table


def check_same_length(**arrays: Sized) -> None:
    """Raise ValueError if arguments that describe the same samples differ in length."""
    lengths = {name: count_rows(name, array) for name, array in arrays.items()}
    if len(set(lengths.values())) > 1:
        got = ", ".join(f"{name} has {length}" for name, length in lengths.items())
        raise ValueError(f"{' and '.join(lengths)}: expected the same number of samples, {got}")


def count_rows(name: str, value: Any) -> int:
    """Return the length of an array or sequence; refuse a value without one by name."""
    try:
        return len(value)
    except TypeError as error:
        raise TypeError(f"{name}: expected a sequence, got {type(value).__name__}") from error


def check_choice(name: str, value: Any, choices: Collection) -> None:
    """Raise ValueError if ``value`` is not one of ``choices``."""
    if value not in choices:
        options = ", ".join(repr(choice) for choice in choices)
        raise ValueError(f"{name}: expected one of {options}, got {value!r}")


def check_integer(name: str, value: Any, *, minimum: int, maximum: int | None = None) -> int:
    """Return a whole number within bounds as a Python int; True and 2.0 are refused."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer):
        raise TypeError(f"{name}: expected a whole number, got {value!r}")
    if value < minimum or (maximum is not None and value > maximum):
        bound = f">= {minimum}" if maximum is None else f"in {minimum}..{maximum}"
        raise ValueError(f"{name}: expected a whole number {bound}, got {value}")
    return int(value)


def check_number(name: str, value: Any, *, minimum: float, maximum: float = np.inf) -> float:
    """Return a finite real number in [minimum, maximum] as a Python float; True is refused."""
    if isinstance(value, bool) or not isinstance(value, int | float | np.integer | np.floating):
        raise TypeError(f"{name}: expected a number, got {value!r}")
    if not (np.isfinite(value) and minimum <= value <= maximum):
        raise ValueError(f"{name}: expected a number in [{minimum:g}, {maximum:g}], got {value}")
    return float(value)


def _unconverted(name: str, value: Any) -> np.ndarray:
    """`as_array`, with Python objects as they are."""
    if hasattr(value, "detach"):  # only a tensor has it; isinstance would import torch
        value = _detached(name, value)
    rows = isinstance(value, list | tuple)
    kinds = set(map(type, value)) if rows else set()
    if any(hasattr(kind, "detach") or issubclass(kind, np.ma.MaskedArray) for kind in kinds):
        value, kinds = [as_array(name, part) for part in value], set()
    try:
        # beside texts, NumPy would decode bytes as ASCII
        array = np.asarray(value, object if len(kinds) > 1 and kinds & {bytes, np.bytes_} else None)
        numbers = array[np.isfinite(array)] if rows and array.dtype.kind == "f" else np.zeros(0)
        # NumPy writes None and 1 as words, and large whole numbers as near ones
        if (rows and array.dtype.kind in "US") or (np.abs(numbers) >= 2**53).any():
            objects = np.asarray(value, dtype=object)
            array = objects if len(_types(objects)) > 1 or int in _types(objects) else array
    except (TypeError, ValueError) as error:
        if rows:
            raise ValueError(f"{name}: expected an array, got rows of unequal length") from error
        raise TypeError(f"{name}: expected an array, got {type(value).__name__}") from error
    if array.ndim == 0 and not (array.dtype.kind in "biuf" or _is_number(type(value))):
        raise TypeError(f"{name}: expected an array, got {type(value).__name__}")
    if array.dtype.kind in "cV" or any(issubclass(kind, _COMPLEX) for kind in _types(array)):
        raise TypeError(f"{name}: expected real numbers or symbols, got dtype {array.dtype}")
    if array.dtype.kind == "T":  # strings of variable length
        array = array.astype(object)
    missing = np.ma.getmaskarray(value) if isinstance(value, np.ma.MaskedArray) else np.False_
    dtypes: Any = getattr(value, "dtypes", getattr(value, "dtype", None))
    if any(hasattr(kind, "na_value") for kind in np.ravel(dtypes)):  # NumPy makes NA of pandas nan
        missing = np.asarray(value.isna())
    if array.dtype.kind in "mM":
        missing = missing | np.isnat(array)
    elif not _types(array) <= {str, int, bool}:
        found = [is_missing(entry) for entry in array.flat]
        missing = missing | np.reshape(found, array.shape)
    if missing.any():
        index = tuple(np.argwhere(missing)[0].tolist())
        entry = "masked" if isinstance(value, np.ma.MaskedArray) else array[index]
        got = f"{entry} in row {index[0]} ({int(missing.sum())} missing)"
        raise ValueError(f"{name}: expected no missing values, got {got}")
    if array.dtype == np.longdouble and array.dtype.itemsize > 8:
        array = _as_float64(name, array)
    array = array.astype(array.dtype.newbyteorder("="), copy=False)
    awkward = any(step < 0 or step % max(array.itemsize, 1) for step in array.strides)
    return array if array.flags.writeable and not awkward else array.copy()


def _detached(name: str, tensor: Any) -> Any:
    """Return the numbers of a tensor as an array; NumPy has none of 8 bits, and no bfloat16."""
    if str(tensor.layout) != "torch.strided" or tensor.is_meta:
        got = "a tensor without data (meta)" if tensor.is_meta else f"layout {tensor.layout}"
        raise TypeError(f"{name}: expected a dense tensor, got {got}")
    tensor = tensor.detach().resolve_conj().resolve_neg().cpu()
    small = any(kind in str(tensor.dtype) for kind in ("bfloat16", "float8"))
    return (tensor.float() if small else tensor).numpy()


def _types(array: np.ndarray) -> set[type]:
    """Return the types of the Python objects in an array, none for other arrays."""
    return set(map(type, array.flat)) if array.dtype.kind == "O" else set()


def _is_number(kind: type) -> bool:
    return issubclass(kind, Number | np.bool_)


def is_missing(entry: Any) -> bool:
    try:
        return entry is None or entry is np.ma.masked or bool(entry != entry)
    except (TypeError, ArithmeticError):  # pandas.NA, Decimal("sNaN")
        return True
    except (ValueError, RuntimeError):  # an array of several entries
        return False


def _as_float64(name: str, array: np.ndarray) -> np.ndarray:
    """Convert numbers of any type; refuse those that float64 cannot hold."""
    with np.errstate(over="ignore", under="ignore"):
        try:
            found = array.astype(np.float64)
            lost = (np.isinf(found) | (found == 0)) & (array != found)
        except OverflowError as error:
            raise ValueError(f"{name}: expected numbers of float64, got larger ones") from error
    if lost.any():
        index = tuple(np.argwhere(lost)[0].tolist())
        raise ValueError(f"{name}: expected numbers of float64, got {array[index]} at {index}")
    return found


def _check_rows(name: str, array: np.ndarray, minimum: int, kind: str) -> None:
    """Raise ValueError if there are too few rows, or if numbers in them are not finite."""
    if len(array) < minimum:
        raise ValueError(f"{name}: expected at least {minimum} samples, got {len(array)}")
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        bad = ~np.isfinite(array).reshape(len(array), -1).all(axis=1)
        row = int(bad.argmax())
        got = f"{array[row].tolist()} in row {row} ({int(bad.sum())} bad rows)"
        raise ValueError(f"{name}: expected finite {kind}, got {got}")


def _codes_of_rows(name: str, rows: np.ndarray, enough: int | None = None) -> np.ndarray:
    """Return each row (N, d) as an integer 0..K-1 in sorted order; stop at K >= ``enough``."""
    codes = np.zeros(len(rows), np.int64)
    for column in rows.T:
        own = _codes(name, column)
        more = codes * (int(own.max()) + 1) + own if codes.any() else own
        codes = np.unique(more, return_inverse=True)[1]
        if codes.max() + 1 >= (enough or len(rows)):
            break
    return codes


def _codes(name: str, column: Any) -> np.ndarray:
    if column.dtype.kind != "O":
        return np.unique(column, return_inverse=True)[1]
    try:
        distinct = set(column)
        if any(isinstance(symbol, str) for symbol in distinct):  # beside them, bytes are words, too
            words = {symbol: symbol.decode() for symbol in distinct if isinstance(symbol, bytes)}
            column = [words.get(symbol, symbol) for symbol in column]
            distinct = set(column)
    except TypeError as error:
        raise TypeError(f"{name}: expected symbols, got {column[0]!r}") from error
    except UnicodeDecodeError as error:
        got = f"{error.object!r:.80} beside words"
        raise ValueError(f"{name}: expected words or UTF-8, got {got}") from error
    ordered = sorted(distinct, key=lambda e: (0, e, "") if _is_number(type(e)) else (1, 0, str(e)))
    code = {symbol: i for i, symbol in enumerate(ordered)}
    return np.array([code[symbol] for symbol in column])


def _parsed(name: str, column: np.ndarray) -> np.ndarray | None:
    """Return the numbers of a column, also of strings with numbers; None for words."""
    if column.dtype.kind in "mM":
        return column.astype(np.int64)
    if column.dtype.kind not in "OUS":
        return column
    try:
        numbers = column.astype(np.float64)
    except (TypeError, ValueError):
        return None
    if np.isnan(numbers).any():
        row = int(np.argmax(np.isnan(numbers)))
        raise ValueError(f"{name}: expected no missing values, got {column[row]!r} in row {row}")
    return numbers


def _is_coarse(values: np.ndarray) -> bool:
    """Return whether sorted distinct numbers are codes, or few and whole or evenly spaced."""
    if len(values) > 20:
        return bool((values == np.arange(len(values)) + (values[0] == 1)).all())
    if values.dtype.kind in "biu":
        return True
    values = values.astype(np.float64)
    if (np.abs(values) < 2**53).all() and (values == np.rint(values)).all():
        return True
    with np.errstate(over="ignore", invalid="ignore"):
        span, step = np.ptp(values), np.diff(values).min()
        places = (values - values[0]) / span * np.rint(span / step)
        return bool((np.abs(places - np.rint(places)) < 0.02).all())
