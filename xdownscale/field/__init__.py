"""What a field is: its axes, factors, grids, units, values, provenance. Knows xarray, no networks."""
