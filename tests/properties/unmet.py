"""Tests of doors that are known to fall short, and what happens there: `unmet.txt`.

python tests/properties/unmet.py    # runs all tests of the folder and writes the list anew
"""

import os
import re
import subprocess
import sys
from pathlib import Path

FOLDER = Path(__file__).parent
LIST = FOLDER / "unmet.txt"


def read() -> dict[str, str]:
    """Names of tests, such as "test_symbols.py::test_x[door]", with what happens."""
    lines = LIST.read_text(encoding="utf-8").splitlines() if LIST.exists() else []
    return dict(line.split(" | ", 1) for line in lines if " | " in line)


def main() -> None:
    tests = [FOLDER / name for name in read()] if "--listed" in sys.argv else [FOLDER]
    command = [sys.executable, "-m", "pytest", "-q", "--tb=short", "-p", "no:cacheprovider", *tests]
    environment = os.environ | {"PROPERTIES_ALL": "1"}
    run = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    reasons: dict[str, str] = {}
    failed, current = [], ""
    for line in run.stdout.splitlines():
        if heading := re.fullmatch(r"_+ (test_\S+) _+", line):
            current = heading[1]
        elif (problem := re.match(r"E +(?:AssertionError: )?(.*)", line)) and current:
            reasons.setdefault(current, problem[1])
        elif summary := re.match(r"FAILED (?:\S*/)?(test_\w+\.py)::(test_.*?)(?: - .*)?$", line):
            failed.append((summary[1], summary[2]))
    lines = [f"{a}::{b} | {reasons.get(b, '')[:150].strip()}\n" for a, b in sorted(failed)]
    LIST.write_text("".join(lines), encoding="utf-8")
    print(f"{len(lines)} tests fall short; {run.stdout.splitlines()[-1]}")


if __name__ == "__main__":
    main()
