"""`python benchmarks/speed`, from the root of the project."""

import sys
from pathlib import Path

# Python put this folder first; the package and machine.py are in the folder above.
sys.path[0] = str(Path(__file__).parents[1])

from speed.command import main  # noqa: E402

if __name__ == "__main__":
    main()
