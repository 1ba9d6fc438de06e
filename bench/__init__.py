"""Figures of the operators on fake nodes."""
