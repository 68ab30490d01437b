"""Print the lower bounds of pyproject.toml as constraints for pip: ``numpy==1.26``."""

import tomllib
from pathlib import Path

project = tomllib.loads(Path("pyproject.toml").read_text(encoding="utf-8"))["project"]
for requirements in (project["dependencies"], *project["optional-dependencies"].values()):
    for requirement in requirements:
        print(requirement.replace(">=", "==", 1))
