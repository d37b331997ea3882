"""Formats of registers: the declarative table, and those with a name, one file each."""
