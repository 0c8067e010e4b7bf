"""`python -m autocal_cli`."""

from autocal_cli.cli import main

if __name__ == "__main__":  # worker processes import this module again
    main()
