"""A cluster in memory and virtual time."""
