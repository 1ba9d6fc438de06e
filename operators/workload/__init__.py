"""What controllers of workloads have in common at the rim: passes, and the writes that carry out their plans."""
