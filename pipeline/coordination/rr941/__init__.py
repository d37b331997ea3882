"""Coordination of satellite networks under RR Nos. 9.41, 9.7, 9.7A and 9.7B."""
