"""`docs/TEACHING.md`: its links, sections and exercises exist, its minutes and seconds add up."""

import json
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

import nbformat
import pytest
from document_links import links_hold

from notebooks.tools import builder, quiz
from simmim_lite import doctor

CLONE = Path(__file__).resolve().parents[1]
PAGE = CLONE / "docs" / "TEACHING.md"
NAMES = {name[:2]: name for name in builder.names(builder.FOLDER)}
ARTICLE = "What the article gets wrong"
HOURS = {  # minutes of each table of a schedule, without lunch
    "Half a day (3.5 hours)": [210],
    "One day (7 hours with coffee breaks, and lunch)": [420],
    "Two days": [420, 420],
}
LONGEST = 95  # minutes without a break
WAITING = 300  # seconds an hour
MISTAKES = ["Mistake"] * 3
IMPORTS = 5  # seconds for each row of a schedule that opens a notebook


class Section(NamedTuple):
    """A row of a notebook's table; ``seconds`` is None if its cells were not measured."""

    title: str
    minutes: int
    seconds: int | None
    how: str


class Slot(NamedTuple):
    """A row of a schedule; ``start`` in minutes after midnight, or the week of a term."""

    start: int
    minutes: int
    notebook: str
    sections: str
    what: str


@cache
def script(number: str) -> nbformat.NotebookNode:
    return builder.read_script(builder.FOLDER / "scripts" / f"{NAMES[number]}.py")


@cache
def titles(number: str) -> list[str]:
    """Sections of a notebook that count for its minutes, but for those of a minute."""
    cells = [cell.source for cell in script(number).cells if cell.cell_type == "markdown"]
    found = re.findall(r"^## (.+)$", "\n\n".join(cells), re.MULTILINE)
    return [t for t in found if re.match(r"\d+\. ", t) or t in (ARTICLE, "Exercises")]


@cache
def exercises(number: str) -> dict[int, tuple[int, bool]]:
    """Minutes of each exercise, and whether it stands at the end and not in a section."""
    cells = [cell.source for cell in script(number).cells if cell.cell_type == "markdown"]
    lesson, _, end = "\n\n".join(cells).partition("\n## Exercises\n")
    pattern = re.compile(r"^### Exercise (\d+) · ★+ · (\d+) min", re.MULTILINE)
    found = {int(n): (int(minutes), False) for n, minutes in pattern.findall(lesson)}
    found |= {int(n): (int(minutes), True) for n, minutes in pattern.findall(end)}
    return found


def part(text: str, heading: str) -> str:
    """Text below a heading, up to the next heading of this level or a higher one."""
    level = heading.split()[0]
    found = re.search(
        rf"^{re.escape(heading)}\n(.*?)(?=^#{{1,{len(level)}}} |\Z)", text, re.M | re.S
    )
    return found[1] if found else ""


def entries(text: str) -> dict[str, str]:
    """The text about each notebook, by its number."""
    split = re.split(r"^### (\d\d) · .+\n", part(text, "## Notebooks"), flags=re.MULTILINE)
    return dict(zip(split[1::2], split[2::2], strict=True))


def table(entry: str) -> list[Section]:
    found = re.findall(r"^\| (.+?) \| (\d+) \| ?(\d+ s|trains|) ?\| (.+) \|$", entry, re.MULTILINE)
    measured = "| trains |" not in entry
    return [
        Section(title, int(minutes), int((seconds or "0").split()[0]) if measured else None, how)
        for title, minutes, seconds, how in found
    ]


def slots(text: str) -> list[list[Slot]]:
    """Each table of a part with a schedule."""
    tables: list[list[Slot]] = []
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if cells[0] in ("time", "week"):
            tables.append([])
        elif line.startswith("|") and cells[0][:1].isdigit():
            hours, _, minutes = cells[0].partition(":")
            start = 60 * int(hours) + int(minutes) if minutes else int(hours)
            tables[-1].append(Slot(start, int(cells[1]), *cells[2:5]))
    return tables


def choices(slot: Slot) -> Iterator[tuple[str, list[str], list[int]]]:
    """Notebook, sections and exercises of a row, for each of its choices."""
    if slot.notebook != "–":
        both = zip(slot.notebook.split(" or "), slot.sections.split(" or "), strict=True)
        for number, listed in both:
            sections, _, extra = listed.partition("exercise")
            yield number, re.findall(r"\w+", sections), [int(n) for n in re.findall(r"\d+", extra)]


def rows_of(text: str, number: str, sections: list[str]) -> Iterator[Section | str]:
    """Rows of the notebook's table for sections such as "3" or "article"; a name that is none."""
    rows = table(entries(text).get(number, ""))
    for name in sections:
        start = ARTICLE if name == "article" else f"{name}. "
        yield next((row for row in rows if row.title.startswith(start)), f"{number}, {name}")


def links_resolve(text: str) -> Iterator[str]:
    yield from links_hold(PAGE, text)


def entries_are_complete(text: str) -> Iterator[str]:
    """Each notebook has its sections, in order, aim, board, three mistakes, and what to skip."""
    found = entries(text)
    if list(found) != list(NAMES):
        yield f"entries of {list(found)}, notebooks {list(NAMES)}"
    for number in found.keys() & NAMES.keys():
        entry = found[number]
        title = builder.lesson(NAMES[number], script(number)).title
        if f"### {number} · {title}\n" not in text:
            yield f"{number}: the title is not {title!r}"
        if [row.title for row in table(entry)] != titles(number):
            yield f"{number}: the sections are not {titles(number)}"
        leads = re.findall(r"^(?:- )?\*\*(Aim|Board|Mistake|Late\?|Waits)\*\*", entry, re.MULTILINE)
        count = leads.count("Board")
        wanted = ["Aim", *["Board"] * count, *MISTAKES, "Late?", "Waits"]
        if "| trains |" not in entry and leads[-1] != "Waits":
            wanted.pop()  # the table says how long
        if not 2 <= count <= 4 or leads != wanted:
            yield f"{number}: it consists of {leads}"
        mistakes = re.findall(r"^- \*\*Mistake\*\* \(exercise (\d+)\)", entry, re.MULTILINE)
        if len(mistakes) != 3 or not {int(n) for n in mistakes} <= exercises(number).keys():
            yield f"{number}: mistakes of the exercises {mistakes}"


def minutes_follow_the_builder(text: str) -> Iterator[str]:
    for number in entries(text).keys() & NAMES.keys():
        stated = sum(row.minutes for row in table(entries(text)[number]))
        computed = builder.working_minutes(script(number))
        if abs(stated - computed) > 0.2 * computed:
            yield f"{number}: {stated} minutes in the table, {computed} by the builder"


def seconds_follow_the_map(text: str) -> Iterator[str]:
    """The seconds of a whole notebook are those of the map, but for a factor of two."""
    for number in entries(text).keys() & NAMES.keys():
        measured = builder.lesson(NAMES[number], script(number)).seconds or 0
        for stated in re.findall(r"About (\d+) s in all", entries(text)[number]):
            if not measured / 2 <= int(stated) <= 2 * measured:
                yield f"{number}: {stated} s, in the map {measured} s"


def numbers_are_of_the_notebook(text: str) -> Iterator[str]:
    """Each decimal number of an entry stands in the notebook or in the reasons of its answers."""
    reasons = "".join(
        p.read_text(encoding="utf-8") for p in (CLONE / "simmim_lite").rglob("*.toml")
    )
    for number in entries(text).keys() & NAMES.keys():
        path = builder.FOLDER / f"{NAMES[number]}.ipynb"
        known = json.dumps(json.loads(path.read_text(encoding="utf-8"))["cells"]) + reasons
        for decimal in re.findall(r"\d+\.\d+", entries(text)[number]):
            if decimal not in known:
                yield f"{number}: {decimal} is not in the notebook"


def schedules(text: str) -> Iterator[tuple[str, list[Slot]]]:
    for title, hours in HOURS.items():
        tables = slots(part(text, f"### {title}"))
        if len(tables) != len(hours):
            yield f"{title}: {len(tables)} tables", []
        yield from ((title, rows) for rows in tables)


def times_add_up(text: str) -> Iterator[str]:
    """No gap, no overlap, the hours of the heading, and no stretch without a break."""
    for title, hours in HOURS.items():
        tables = slots(part(text, f"### {title}"))
        worked = [sum(slot.minutes for slot in rows if slot.what != "lunch") for rows in tables]
        if worked != hours:
            yield f"{title}: {worked} minutes, not {hours}"
        for rows in tables:
            stretch = 0
            for slot, after in zip(rows, [*rows[1:], None], strict=True):
                if after and slot.start + slot.minutes != after.start:
                    yield f"{title}: the row after {clock(slot)} does not begin at its end"
                stretch = 0 if slot.sections == "break" else stretch + slot.minutes
                if stretch > LONGEST and after:
                    yield f"{title}: no break before the end of {clock(slot)}"


def clock(slot: Slot) -> str:
    return f"{slot.start // 60:02d}:{slot.start % 60:02d}"


def all_slots(text: str) -> Iterator[Slot]:
    for rows in slots(part(text, "## Schedules")):
        yield from rows


def slots_hold_their_sections(text: str) -> Iterator[str]:
    """Sections and exercises exist, and their minutes fit into the row."""
    for slot in all_slots(text):
        if slot.notebook == "–" and re.search(r"\d", slot.sections):
            yield f"{slot}: sections without a notebook"
        for number, sections, extra in choices(slot):
            if number not in NAMES:
                yield f"{slot}: there is no notebook {number}"
                continue
            needed = 0
            for row in rows_of(text, number, sections):
                if isinstance(row, str):
                    yield f"{slot}: there is no section {row}"
                else:
                    needed += row.minutes
            for n in extra:
                minutes, at_end = exercises(number).get(n, (None, False))
                if minutes is None:
                    yield f"{slot}: there is no exercise {number}, {n}"
                needed += minutes if minutes and at_end else 0
            if needed > slot.minutes:
                yield f"{slot}: its sections need {needed} minutes"


def waiting(text: str, rows: list[Slot]) -> list[float]:
    """Seconds in which the room waits in each row of a schedule.

    Skipped sections run, too, because later cells need them. A notebook that was not measured by
    sections waits for all of its cells when it is opened.
    """
    reached: dict[str, int] = {}
    seconds = []
    for slot in rows:
        of_choices = [0.0]
        for number, sections, _ in choices(slot):
            cells, start = table(entries(text)[number]), reached.get(number, 0)
            listed = [cells.index(r) + 1 for r in rows_of(text, number, sections) if r in cells]
            reached[number] = end = max([start, *listed])
            if all(cell.seconds is not None for cell in cells):
                of_choices.append(IMPORTS + sum(cell.seconds or 0 for cell in cells[start:end]))
            elif start == 0:
                of_choices.append(builder.lesson(NAMES[number], script(number)).seconds or 0)
        seconds.append(max(of_choices))
    return seconds


def hours_wait_little(text: str) -> Iterator[str]:
    """The rows that touch any 60 minutes wait for at most five minutes in all."""
    for title, rows in schedules(text):
        waits = dict(zip(rows, waiting(text, rows), strict=True))
        for first in rows:
            end = first.start + first.minutes + 60
            total = sum(waits[slot] for slot in rows if first.start <= slot.start < end)
            if total > WAITING:
                yield f"{title}: {total:.0f} s of waiting from {clock(first)}"


def the_term_has_twelve_weeks(text: str) -> Iterator[str]:
    """Each week has 75 minutes beside the opening, and its homework exists."""
    body = part(text, "### A term of twelve weeks")
    (rows,) = slots(body)
    weeks = {week: sum(s.minutes for s in rows if s.start == week) for week in range(1, 13)}
    if {s.start for s in rows} != set(weeks) or set(weeks.values()) != {75}:
        yield f"minutes of the weeks: {weeks}"
    for number, listed in re.findall(r"(\d\d): (\d+(?:, \d+)*) \|$", body, re.MULTILINE):
        if missing := {int(n) for n in listed.split(", ")} - exercises(number).keys():
            yield f"homework: {number} has no exercises {missing}"


def each_notebook_has_a_quiz(text: str) -> Iterator[str]:
    stated = re.search(r"^Each notebook has (\w+) questions", text, re.MULTILINE)
    count = ["one", "two", "three", "four", "five", "six"].index(stated[1]) + 1 if stated else 0
    for number, name in NAMES.items():
        if len(quiz.read(builder.FOLDER, name)) != count:
            yield f"{number}: not {count} questions"


def fast_is_offered(text: str) -> Iterator[str]:
    stated = re.search(r"^Notebooks with `FAST = True`: ((?:\d\d(?:, )?)+)", text, re.MULTILINE)
    cells = {number: "\n".join(c.source for c in script(number).cells) for number in NAMES}
    offered = [n for n, source in cells.items() if re.search(r"^FAST = False", source, re.M)]
    if not stated or stated[1].split(", ") != offered:
        yield f"FAST is offered by {offered}"


def the_doctor_says_so(text: str) -> Iterator[str]:
    """Each line that a learner compares is one that the doctor prints."""
    compared = re.findall(r"^\| ((?:`[a-z0-9 ]+:`(?:, )?)+) \|", text, re.MULTILINE)
    lines = doctor.report()
    names = [name for cell in compared for name in re.findall(r"`(.+?:)`", cell)]
    if len(names) < 5:
        yield "the lines of the doctor are missing"
    yield from (f"the doctor has no line {n}" for n in names if not any(map_starts(lines, n)))


def map_starts(lines: list[str], start: str) -> Iterator[bool]:
    return (line.startswith(start) for line in lines)


CHECKS = [
    links_resolve,
    entries_are_complete,
    minutes_follow_the_builder,
    seconds_follow_the_map,
    numbers_are_of_the_notebook,
    times_add_up,
    slots_hold_their_sections,
    hours_wait_little,
    the_term_has_twelve_weeks,
    each_notebook_has_a_quiz,
    fast_is_offered,
    the_doctor_says_so,
]


@pytest.mark.parametrize("check", CHECKS)
def test_the_page_holds(check):
    assert list(check(PAGE.read_text(encoding="utf-8"))) == []


FAULTS = {
    "a file that is gone": (links_resolve, r"\.\./README\.md#two", "../READMY.md#two"),
    "a heading that is gone": (links_resolve, r"README\.md#two-commands", "README.md#no-commands"),
    "a section of a notebook": (links_resolve, r"#2-are-you-prepared", "#2-are-you-ready"),
    "the label of a link": (links_resolve, r"\[06, section 1\]", "[06, section 2]"),
    "a section is not listed": (entries_are_complete, r"^\| 2\. What do we maximize\?.*\n", ""),
    "another title": (entries_are_complete, r"^### 06 · Multimodal", "### 06 · Bimodal"),
    "an entry is gone": (entries_are_complete, r"^### 11 · ", "#### 11 · "),
    "two mistakes": (entries_are_complete, r"^- \*\*Mistake\*\* .*\n", ""),
    "a mistake of no exercise": (entries_are_complete, r"\(exercise 3\): ", "(exercise 9): "),
    "nothing to leave out": (entries_are_complete, r"^- \*\*Late\?\*\*", "- **Soon?**"),
    "too many minutes": (minutes_follow_the_builder, r"^(\| 4\. .*)\| 20 \|", r"\1| 40 |"),
    "too few seconds": (seconds_follow_the_map, r"About 70 s in all", "About 30 s in all"),
    "a number of no notebook": (numbers_are_of_the_notebook, r"0\.2013", "0.2113"),
    "a gap": (times_add_up, r"^\| 09:25 \|", "| 09:30 |"),
    "an overlap": (times_add_up, r"^(\| 13:25 \|) 45 \|", r"\1 50 |"),
    "a longer day": (times_add_up, r"^(\| 16:50 \|) 10 \|", r"\1 20 |"),
    "no break": (times_add_up, r"\| 15 \| – \| break \|", "| 15 | – | quiz |"),
    "no such section": (slots_hold_their_sections, r"\| 00 \| 1, 3 \|", "| 00 | 1, 9 |"),
    "no such notebook": (slots_hold_their_sections, r"\| 07 or 08 \|", "| 07 or 98 |"),
    "no such exercise": (
        slots_hold_their_sections,
        r"article, exercise 6 \|",
        "article, exercise 66 |",
    ),
    "too full": (slots_hold_their_sections, r"\| 00 \| 1, 3 \|", "| 00 | 1, 3, 4 |"),
    "hours of waiting": (hours_wait_little, r"^(\| 4\. How high .*\| 5 \|).*?\|", r"\1 290 s |"),
    "a week is gone": (the_term_has_twelve_weeks, r"^\| 11 \| 75 .*\n", ""),
    "homework of no exercise": (the_term_has_twelve_weeks, r"06: 3, 4, 5, 6", "06: 3, 4, 5, 16"),
    "another quiz": (each_notebook_has_a_quiz, r"has five questions", "has six questions"),
    "FAST elsewhere": (fast_is_offered, r"`FAST = True`: 06, 07", "`FAST = True`: 05, 07"),
    "a line of no doctor": (the_doctor_says_so, r"`data speech:`", "`data sounds:`"),
}


@pytest.mark.parametrize(("check", "pattern", "fault"), FAULTS.values(), ids=FAULTS)
def test_a_planted_fault_is_found(check, pattern: str, fault: str):
    page = PAGE.read_text(encoding="utf-8")
    broken, places = re.subn(pattern, fault, page, count=1, flags=re.MULTILINE)
    assert places == 1
    assert len(list(check(broken))) >= 1
