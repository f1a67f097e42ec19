"""What a field is: its axes, factors, grids, units, values and provenance. Knows xarray, knows no networks."""
