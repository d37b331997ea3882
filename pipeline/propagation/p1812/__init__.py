"""Rec. ITU-R P.1812-8."""
