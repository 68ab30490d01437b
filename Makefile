# The commands themselves are in simmim_lite/__main__.py; here is only their virtual environment.
PYTHON ?= python3
SIMMIM := .venv/bin/python -m simmim_lite

.PHONY: run test check check-lower-bounds lab doctor reproduce kit notebooks clean

run test lab doctor reproduce kit: .venv/installed
	$(SIMMIM) $@

check: .venv/installed
	$(SIMMIM) test --fast

# The same with the oldest releases that pyproject.toml admits
check-lower-bounds:
	$(PYTHON) -m venv --clear build/lower
	$(PYTHON) tests/lower_bounds.py > build/lower/bounds.txt
	build/lower/bin/python -m pip install -c build/lower/bounds.txt -e ".[notebooks,test]"
	build/lower/bin/python -m simmim_lite test --fast

# For authors: notebooks/scripts/*.py -> notebooks/*.ipynb, executed
notebooks: .venv/installed
	$(SIMMIM) build

# The stamp is the last thing written, so an installation that broke off is taken up again.
.venv/installed: pyproject.toml
	$(PYTHON) -m venv .venv
	.venv/bin/python -m pip install --disable-pip-version-check -e ".[notebooks,test]"
	touch $@

clean:
	rm -rf .venv build dist
