"""What controllers of workloads have in common: passes, and the writes that carry out their plans."""
