"""What a trained model needs to be used elsewhere: its networks as graphs that a web page runs."""
