"""Canary steps: where a rollout stands, what holds it, when it goes on."""
