"""Hooks of pods as planning sees them: asking, arguments, clean-up of HookRuns."""
