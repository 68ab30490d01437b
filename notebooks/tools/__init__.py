"""Tools of the notebooks: scripts become notebooks (`builder`), notebooks become pages (`pages`)."""
