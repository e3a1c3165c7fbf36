"""The command `autoencode`: one file for each verb; heavy modules are imported when a verb runs."""
