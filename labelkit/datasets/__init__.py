"""Readers of real data in the layouts in which their owners publish them, label splits, and the data catalogue.

A data set is any object with `name`, `classes`, `palette`, `ignore_index`, `licence`, `fingerprint`, a length, and
samples by index. Each module is imported by its own name; nothing is read at import.
"""
