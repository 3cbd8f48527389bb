"""`python -m sweeps`: the command `sweep`, where no script is installed."""

from sweeps.cli import main

if __name__ == "__main__":
    main()
