"""The GameStatefulSet controller."""
