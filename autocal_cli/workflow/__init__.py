"""The commands as functions: files, clocks and progress at the rim, the pure steps in between."""
