"""The scripts that made the embedded files make them again, byte for byte."""

import hashlib
import platform
import subprocess
import sys
from pathlib import Path

import pytest

DATA = Path(__file__).parents[1] / "data"
NAMES = ["digits", "speech", "emoji", "glosses", "tables", "tweets", "visual_questions"]


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_the_embedded_file_is_made_again(name):
    if name == "speech" and (sys.platform, platform.machine()) != ("linux", "x86_64"):
        pytest.skip("the synthesizer's noise comes from the C library: Linux x86-64 only")
    command = [sys.executable, str(DATA / f"make_{name}.py"), "--check"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if " could not fetch " in done.stderr and "HASHES" not in done.stderr:
        pytest.skip(f"no package index is reached: {done.stderr.strip().splitlines()[-1]}")
    assert done.returncode == 0, done.stderr
    assert "identical" in done.stdout


@pytest.mark.parametrize("name", NAMES)
def test_the_datasheet_states_the_files_size_and_checksum(name):
    content = (DATA / f"{name}.npz.xz").read_bytes()
    datasheet = (DATA / "README.md").read_text(encoding="utf-8")
    assert f"{len(content):,} bytes" in datasheet
    assert hashlib.sha256(content).hexdigest() in datasheet
