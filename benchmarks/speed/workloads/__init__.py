"""What is timed. A module is imported only in the process that has the libraries it needs."""
