"""Runs an answer in an isolated process, and tells what can be seen of it from outside.

Import `pool` (`Sandbox`, which makes runs), `run` (one run and its errors) and `starting`.
"""
