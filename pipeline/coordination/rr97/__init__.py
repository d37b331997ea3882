"""Non-geostationary systems and large earth stations (RR Nos. 9.7A and 9.7B)."""
