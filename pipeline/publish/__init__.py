"""Stage 9: the run folder that readers see, with its manifest."""
