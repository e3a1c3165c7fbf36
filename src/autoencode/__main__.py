"""`python -m autoencode` is the command."""

from autoencode.cli.main import main

if __name__ == "__main__":
    main()
