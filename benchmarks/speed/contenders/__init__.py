"""What is timed. A module is imported only in the process whose libraries it needs."""
