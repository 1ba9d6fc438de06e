"""What waits, retries, caches and fails; knows no workload."""
