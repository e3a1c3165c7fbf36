"""`python benchmarks/speed`, from the root of the project."""

import sys
from pathlib import Path

# Python put this folder first; the package and its neighbour machine.py are one above it.
sys.path[0] = str(Path(__file__).parents[1])

from speed.command import main  # noqa: E402

if __name__ == "__main__":
    main()
