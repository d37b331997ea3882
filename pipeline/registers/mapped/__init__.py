"""A declarative mapping at work: cells, places and patterns of a table."""
