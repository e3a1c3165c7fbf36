"""Many trainings: in parallel in worker processes, or one after another."""
