"""Files, locks, memory, progress and signals: what every room of the package rests on."""
