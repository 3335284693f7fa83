"""What runs beside the learner's code, in processes of their own; it may not be trusted.

The marker imports only names, limits and the message format from here: `levels`, `isolation`,
`channel`, `errors`.
"""
