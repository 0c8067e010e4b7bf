"""The version of the distribution; written into every resolved block."""

__version__ = "0.1.0"
