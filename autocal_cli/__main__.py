"""`python -m autocal_cli`, and the command `autocal`."""

import sys


def main() -> None:
    """Runs the command; Ctrl-C while its modules are still being imported ends it without a traceback too."""
    try:
        from autocal_cli.cli import main as run
    except KeyboardInterrupt:
        sys.exit(130)
    run()


if __name__ == "__main__":  # worker processes import this module again
    main()
