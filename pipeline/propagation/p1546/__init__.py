"""Rec. ITU-R P.1546-6."""
