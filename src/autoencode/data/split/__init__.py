"""Labels, splits and binarisation."""
