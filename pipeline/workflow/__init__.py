"""Commands around a run: check, compute, keep, what if."""
