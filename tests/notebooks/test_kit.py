"""The zip for a room without a network: complete, small, and its pages lead nowhere else."""

import zipfile
from pathlib import Path

import pytest
from test_pages import complaints

from notebooks.tools import builder, kit


@pytest.mark.slow
def test_the_kit_is_complete_and_small(tmp_path: Path):
    path = kit.make(output=tmp_path / "kit.zip", say=lambda line: None)
    assert path.stat().st_size <= 40 * 2**20
    assert [p.name for p in tmp_path.iterdir()] == ["kit.zip"]  # nothing half-written is left
    with zipfile.ZipFile(path) as archive:
        archive.extractall(tmp_path)
    top = tmp_path / kit.TOP
    names = builder.names(builder.FOLDER)
    assert [p.stem for p in sorted((top / "notebooks").glob("*.ipynb"))] == names
    assert [p.stem for p in sorted((top / "notebooks" / "solutions").glob("*.ipynb"))] == names
    assert {f"{name}.html" for name in names} <= {p.name for p in (top / "pages").glob("*.html")}
    assert complaints(top / "pages") == []
    (wheel,) = (top / "notebooks").glob("*.whl")
    assert wheel.name in (top / "README.txt").read_text(encoding="utf-8")
    inside = set(zipfile.ZipFile(wheel).namelist())
    assert {"simmim_lite/data/digits.npz.xz", "simmim_lite/data/NOTICES.txt"} <= inside
