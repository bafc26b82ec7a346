"""Metrics, each with the name of its protocol."""
