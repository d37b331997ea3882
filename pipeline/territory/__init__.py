"""Stage 1: polygons or a box become the padded pixel grid with land, countries, coast and population."""
