"""From records and executed chapters to the book.

``chapters`` executes notebooks, ``records`` collects what they measured, ``pages`` turns records into pages, ``api``
turns docstrings into the reference, ``stage`` lays the sources of the book side by side, ``book`` builds it. Nothing
in the rest of the library imports this package; a chapter imports only ``provenance``.
"""
