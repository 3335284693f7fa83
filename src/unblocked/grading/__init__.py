"""From an answer to a mark."""
