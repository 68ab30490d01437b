"""Tools of the notebooks: from scripts to notebooks (`builder`) to pages (`pages`, `reference`)."""
