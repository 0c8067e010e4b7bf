"""Config, fingerprints and presets -> Calibration, every value with its trail."""
