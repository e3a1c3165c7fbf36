"""Named data sets: the catalogue, and how their files are downloaded."""
