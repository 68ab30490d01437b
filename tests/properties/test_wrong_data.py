"""Missing values, wrong shapes, types and lengths raise an error that names the argument."""

import numpy as np
import pandas as pd
import pytest
from doors import Argument, Broken, Door, Refused, finite, short
from variants import (
    arrays,
    doors,
    tensor,
    with_gaps,
    words_with_gaps,
    wrong_shapes,
    wrong_types,
)


def given(argument: Argument, value):
    """A wrong value in the form that the door documents, where it has one."""
    plain = type(value) is np.ndarray and value.dtype.kind in "biuf"
    if argument.tensor and plain:
        value = tensor(value)
        return value.float() if value.is_floating_point() else value
    return value


RANKS = {  # only the order counts, and an infinite number has a place in it
    "evaluation.precision_at_k",
    "evaluation.recall_at_k",
    "evaluation.retrieval_table",
    "evaluation.rank_correlation",
}
UNREAD = {
    "augment.RandomWarp.__call__",  # the first number is not read, or may be anything
    "bounds.moving_log_mean",  # a positive
    "datasets.Pairing",
    "encoders._Images.augment",  # moved out of the image
    "augment.random_crop",
    "training.Batches",
    "memory.SimulatedMemory.write[values]",
    "evaluation.randomization_table",
}


@pytest.mark.parametrize("door", doors(16, lambda d: True))
def test_a_missing_number_is_refused_by_name(door: Door):
    """In a training loop NaN may come back as a number that is visibly not finite."""
    wrong = []
    for name, argument in arrays(door):
        if argument.value.ndim == 0 or argument.kind == "mask" or repr(door) in UNREAD:
            continue
        gaps = with_gaps(argument.value)
        if argument.kind in ("labels", "classes") and argument.value.ndim == 1:
            gaps = [*gaps, *words_with_gaps(argument.value)]
        for kind, value in door.few(gaps):
            found = door.of(**{name: given(argument, value)})
            infinite = kind.endswith("inf")
            if isinstance(found, dict) and (
                (door.layer and (infinite or not finite(found)))
                or (infinite and door.name in RANKS)
            ):
                continue
            complaint = door.complaint(name, found, None, loud=True)
            if complaint:
                wrong.append(f"{name}, {kind}: {complaint}")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize(
    "door", doors(17, lambda d: any(a.kind == "texts" for a in d.arguments.values()))
)
def test_a_missing_text_is_refused_by_name(door: Door):
    wrong = []
    for name, argument in door.arguments.items():
        if argument.kind != "texts":
            continue
        for gap in (None, np.nan, pd.NA, 7, b"nine", ["a"]):
            complaint = door.complaint(
                name, door.of(**{name: [*argument.value[:-1], gap]}), None, loud=True
            )
            if complaint:
                wrong.append(f"{name} with {gap!r}: {complaint}")
    assert not wrong, "\n".join(wrong)


def all_right(door: Door, name: str, kind: str, found: dict[str, np.ndarray]) -> bool:
    """Whether a door may take an argument of this shape, and gives the right result for it."""
    if all(array.size == 0 for array in found.values()):
        return True
    if kind in ("no rows", "an empty list"):
        return (door.rowwise and finite(found)) or name == "query"
    if kind == "ragged":
        return door.arguments[name].kind == "recordings" or door.name in RAGGED
    if kind == "no columns":
        return door.name in NO_COLUMNS
    if kind == "one number":
        return door.layer or door.name in SCALARS
    same = not door.complaint(name, found, door.expected)
    return kind == "three more dimensions" and (same or door.name in ANY_SHAPE)


@pytest.mark.parametrize("door", doors(18, lambda d: True))
def test_wrong_shapes_are_refused_by_name(door: Door):
    """The shapes of several arguments disagree, and any of them may be named."""
    wrong = []
    several = (*door.arguments, *BY_SIZE)
    for name, argument in arrays(door):
        if argument.value.ndim == 0:
            continue
        for kind, value in door.few(wrong_shapes(argument.value)):
            found = door.of(**{name: given(argument, value)})
            if isinstance(found, dict) and all_right(door, name, kind, found):
                continue
            complaints = [door.complaint(one, found, None, loud=True) for one in (name, *several)]
            if all(complaints):
                wrong.append(f"{name}, {kind}: {complaints[0]}")
    assert not wrong, "\n".join(wrong)


RAGGED = {"memory.SimulatedMemory.write", "datasets.Pairing"}  # values of any shapes
SCALARS = {  # elementwise
    "memory.SimulatedMemory.values",
    "entropy.entropy_from_counts",
    "entropy.leave_one_out",
    "evaluation.gaussian_noise",
    "evaluation.salt_and_pepper",
    "memory.SimulatedMemory.keys",
    "memory.SimulatedMemory.forget",
    "memory.familiarity_auroc",
    "memory.sign_accuracy",
    "memory.slot_accuracy",
    "memory.attention_weight",
    "generation.bits_per_dimension",
    "multimodal.minus_log",
    "augment.as_float",
    "multimodal.LearnedOffset.forward",
}
ANY_SHAPE = SCALARS | {
    "training.Batches",
    "training.gather_rows",
    "evaluation.gaussian_noise",
    "evaluation.salt_and_pepper",
    "evaluation.occlude",
    "evaluation.blur",
    "evaluation.distance_to_nearest",
    "entropy.chain_rule_terms",
    "evaluation.integrated_gradients",
    "fusion.drop_modalities",
    "memory.SimulatedMemory.write",
    "augment.as_images",
    "evaluation.robustness_table",
    "generation.condition_batches",
}
NO_COLUMNS = {  # an empty text, an empty value
    "encoders.Tokenizer.decode",
    "generation.CaptionDecoder.forward",
    "memory.SimulatedMemory.write",
    "evaluation.robustness_table",
    "datasets.Pairing",  # paired by class
}
NO_KAPPA = {"evaluation.agreement_table"}  # nan for one class, as it says


BY_SIZE = ("dim_x", "dim_y", "k", "n_neighbors", "bins", "folds", "batch_size", "dim", "memory")


@pytest.mark.parametrize("door", doors(19))
def test_one_row_is_refused_by_name_or_gives_finite_numbers(door: Door):
    wrong = []
    for name, argument in arrays(door):
        if argument.value.ndim == 0:
            continue
        group = {
            other: a.given(a.value[:1])
            for other, a in door.arguments.items()
            if other == name or (a.rows and a.rows == argument.rows and a.kind != "texts")
        }
        if any(door.arguments[other].kind == "graph" for other in group):
            continue
        found = door.of(**group)
        if isinstance(found, Broken):
            if not door.layer:
                wrong.append(f"{name}: {found.message:.120}")
        elif isinstance(found, Refused):
            named = any(door.names(found.message, n) for n in (*door.arguments, *BY_SIZE))
            if not (door.foreign or door.layer or named):
                wrong.append(f"{name}: the error doesn't name it: {found.message:.120}")
        elif not finite(found) and door.name not in NO_KAPPA:
            wrong.append(f"{name}: not finite: {short(found)}")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("door", doors(20, lambda d: True))
def test_wrong_types_are_refused_by_name(door: Door):
    wrong = []
    for name, argument in door.arguments.items():
        variants = wrong_types()
        if argument.kind in ("labels", "classes"):
            variants = [v for v in variants if v[0] not in SYMBOLS]
        if argument.kind == "texts":
            variants = [v for v in variants if v[0] not in ("array of words", "set", "dict")]
        if door.label == "values" and name == "values":  # texts and bytes can be values
            variants = [v for v in variants if v[0] not in ("array of words", "complex")]
        for kind, value in variants[:3] if door.rare else variants:
            complaint = door.complaint(name, door.of(**{name: value}), None, loud=True)
            if complaint:
                wrong.append(f"{name} as {kind}: {complaint}")
    assert not wrong, "\n".join(wrong)


SYMBOLS = ("array of words", "dates", "complex", "list of objects")


def lengths(door: Door) -> list[tuple[str, str]]:
    """Pairs of arguments that must have the same length."""
    rows = [(name, a.rows) for name, a in door.arguments.items() if a.rows and a.kind != "graph"]
    return [(a, b) for i, (a, r) in enumerate(rows) for b, s in rows[i + 1 :] if r == s]


@pytest.mark.parametrize("door", doors(21, lengths))
def test_unequal_lengths_are_refused_by_name(door: Door):
    wrong = []
    for pair in lengths(door):
        for shorter in pair:
            argument = door.arguments[shorter]
            found = door.of(**{shorter: argument.given(argument.value[:-1])})
            complaints = [door.complaint(name, found, None, loud=True) for name in pair]
            if all(complaints):
                wrong.append(f"{shorter} of {pair}: {complaints[0]}")
    assert not wrong, "\n".join(wrong)
