"""The use of trained models: codes, reconstructions, scores and samples of data, as files."""
