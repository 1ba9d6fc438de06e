"""Updates in place: what may change, how far a pod has come, what its annotations say."""
