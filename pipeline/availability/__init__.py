"""Stage 7: limits of all services -> maximum e.i.r.p., availability, counts, statistics."""
