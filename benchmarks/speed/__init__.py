"""Speed beside other libraries and beside the machine's limit: `make bench`."""
