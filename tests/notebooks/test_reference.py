"""The API reference: every public name is in it, and no page of it loads anything."""

import re

import pytest

from notebooks.tools.reference import public_modules, public_names, write_reference


@pytest.mark.slow
def test_every_public_name_has_an_entry_and_no_page_needs_the_network(tmp_path):
    write_reference(tmp_path)
    modules = public_modules()
    assert {"bounds", "memory", "training"} <= {m.__name__.split(".")[1] for m in modules}
    for module in modules:
        page = tmp_path / "simmim_lite" / f"{module.__name__.split('.')[1]}.html"
        text = page.read_text(encoding="utf-8")
        missing = [name for name in public_names(module) if f'id="{name}"' not in text]
        assert missing == [], module.__name__
        assert re.findall(r"""(?:src|<link[^>]*href)=["']https?:""", text) == []
