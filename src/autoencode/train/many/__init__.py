"""Many trainings: side by side in processes, in lockstep, or one after another."""
