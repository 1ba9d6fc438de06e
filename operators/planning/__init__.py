"""Rules that decide, shared by all workloads; pure."""
