"""The hook controller: measures, and says what the measurements mean."""
