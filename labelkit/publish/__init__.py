"""From records and executed chapters to the book.

``chapters`` executes notebooks, ``records`` collects what they measured, ``scoreboard`` and ``tables`` turn records
into pages, ``api`` turns docstrings into the reference, ``stage`` lays the sources of the book side by side, ``book``
builds it, ``benchmarks`` runs and stores the benchmarks. Nothing in the rest of the library imports this package; a
chapter imports only ``provenance`` and ``parameters``.
"""
