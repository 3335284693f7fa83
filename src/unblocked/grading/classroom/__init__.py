"""Marks a class: submissions in, results, tables and pages out.

Import `grade`, which is the command; the other modules are its parts.
"""
