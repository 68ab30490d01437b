"""Symbols count by their values: int, float, bool, word, category and date give the same result."""

import pytest
from doors import Door, Refused
from variants import doors, symbols


def labeled(door: Door) -> list[str]:
    if door.rare:
        return []
    return [n for n, a in door.arguments.items() if a.kind in ("labels", "classes")]


@pytest.mark.parametrize("door", doors(11, labeled))
def test_the_type_of_symbols_does_not_matter(door: Door):
    """One argument alone, or all with labels, where they are compared with one another."""
    wrong = []
    for name in labeled(door):
        argument = door.arguments[name]
        if argument.value.ndim != 1:
            continue
        kinds = symbols(argument.value)
        together = {n: symbols(door.arguments[n].value) for n in labeled(door)}
        for kind, value in kinds:
            alone = door.of(**{name: value})
            complaint = door.complaint(name, alone, door.expected, loud=True)
            if complaint and name in COMPARED:
                continue
            if complaint:
                wrong.append(f"{name} as {kind}: {complaint}")
        if len(together) > 1:
            for kind in {k for k, _ in kinds}:
                found = [dict(v).get(kind) for v in together.values()]
                if any(value is None for value in found):
                    continue
                outcome = door.of(**dict(zip(together, found, strict=True)))
                complaints = [door.complaint(n, outcome, door.expected) for n in together]
                if all(complaints):
                    wrong.append(f"all as {kind}: {complaints[0]}")
    assert not wrong, "\n".join(wrong)


# Labels that are compared with those of another argument: of one type, or refused.
COMPARED = {
    "train_labels",
    "test_labels",
    "query_labels",
    "candidate_labels",
    "first_labels",
    "second_labels",
}


@pytest.mark.parametrize("door", doors(12, labeled))
def test_words_are_symbols(door: Door):
    """Labels of "any sortable type" are taken as words, instead of refused."""
    refused = []
    names = [n for n, a in door.arguments.items() if a.kind == "labels" and a.value.ndim == 1]
    words = {n: dict(symbols(door.arguments[n].value))["str"] for n in names}
    found = door.of(**words)
    if isinstance(found, Refused):
        refused.append(found.message)
    assert not refused, "\n".join(refused)
