"""Oceanographic radars: the register in the format of CR/372 and the distances of Resolution 612."""
