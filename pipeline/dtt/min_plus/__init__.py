"""The smallest limit over all victims of a map, exact."""
