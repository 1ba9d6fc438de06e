"""Admission webhooks: deletion protection and validation, in a process of its own (docs/spec/admission.md)."""
