"""The pages for newcomers: short, and every file that they name exists."""

import re
from pathlib import Path

import pytest

CLONE = Path(__file__).resolve().parents[1]
PAGES = [
    "README.md",
    "CONTRIBUTING.md",
    "docs/ARCHITECTURE.md",
    "docs/ARTICLES.md",
    "docs/EVALUATION.md",
    "docs/GLOSSARY.md",
]
FILE = re.compile(r"`([\w./-]+(?:\.(?:py|md|json|ipynb|toml)|/))`")


def missing(text: str) -> list[str]:
    """Files and folders in backticks that are neither in the repository nor in the package."""
    return [
        name
        for name in FILE.findall(text)
        if not (CLONE / name).exists() and not (CLONE / "simmim_lite" / name).exists()
    ]


@pytest.mark.parametrize("page", PAGES)
def test_files_that_a_page_names_exist(page: str):
    text = (CLONE / page).read_text(encoding="utf-8")
    elsewhere = {"MNIST/raw/", "fsdd/recordings/", "cifar-10-batches-bin/"}  # a reader's own data
    templates = [name for name in missing(text) if "_name." in name or "/name.toml" in name]
    assert set(missing(text)) - elsewhere - set(templates) == set()


def test_a_missing_file_is_found():
    assert missing("see `bounds/_nowhere.py`, `nowhere/` and `README.md`") == [
        "bounds/_nowhere.py",
        "nowhere/",
    ]


def test_readme_is_short():
    assert len((CLONE / "README.md").read_text(encoding="utf-8").splitlines()) <= 150
