"""Kubernetes operators for game workloads."""
