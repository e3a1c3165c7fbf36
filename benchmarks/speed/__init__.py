"""Speed of this package, of other libraries, and of lower bounds of the machine: `make bench`."""
