"""Measures what a config's losses do to its network before it is trained: value, noise, and pull of each."""
