"""What a learner sees in a notebook: measurements in `compare`, tasks and marks in `learner`.

Lessons import `unblocked.show.figure`, which has the colours of all pictures; everything else that
they need is in `unblocked` itself. `compare` and `learner` do not import each other.
"""
