"""The page that sums up a run."""
