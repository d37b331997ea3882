"""Cells of foreign registers as numbers: notations, units, datums, antenna patterns."""
