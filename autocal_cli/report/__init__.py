"""Calibration, fingerprints and findings -> terminal and JSON."""
