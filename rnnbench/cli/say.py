"""What a user must know, beside the output."""

import sys


def say(message: str) -> None:
    """One line to the error stream."""
    print(f"rnnbench: {message}", file=sys.stderr)
