"""Tests of kubectl game that need no cluster."""
