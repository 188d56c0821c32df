"""`python -m rnnbench` is the command `rnnbench`."""

from rnnbench.cli import main

if __name__ == "__main__":
    main()
