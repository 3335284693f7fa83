"""Runs an answer in a process that is shut in, and tells what can be seen of it from outside.

Import `pool` (`Sandbox`, which makes runs), `run` (one run and its errors) and `starting`.
"""
