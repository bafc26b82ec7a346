"""Procedural worlds: data sets that are drawn, not downloaded, with exact labels."""
