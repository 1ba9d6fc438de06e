"""Admission webhooks: a process of its own."""
