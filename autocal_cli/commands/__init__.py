"""One module a command: its arguments, its call, its view, its exit code."""
