"""Coordination with other administrations: RR No. 9.41, fixed links, oceanographic radars."""
