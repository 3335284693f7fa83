"""Turns criteria and one answer into a mark.

Import `mark` (an exercise, its result) and `judging` (`Verdict`).
"""
