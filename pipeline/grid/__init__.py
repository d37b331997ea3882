"""The pixel grid: rasters on it, true distances, polygons."""
