"""One update of the weights: the optimiser, its precision, and the whole of it as one program."""
