"""kubectl game against a real API server, in pipes and in a real terminal."""
