"""From a submitted answer to its mark, and from a class to its tables.

Imported from here: nothing. Each room says what may be imported from it.
"""
