"""A training config -> everything that is wrong in it, each with its place, its reason and its cure."""
