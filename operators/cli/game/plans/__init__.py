"""``plan``: the future of a rollout, played by the simulation before anything is written."""
