"""What an instructor writes checks with: an exam, its app, callers, upstreams, expectations.

Import from `exam`, and scripts for upstreams from `upstream`.
"""
