"""From `course/` (text) to what people open: notebooks, the README's map, static pages.

`build` makes and compares, `reset` gives a starter back, `new` makes an empty exercise room,
`contract` says what a lesson and a room must hold, `site` makes pages to read online. Each is
imported by the command that needs it; nothing here is imported when an answer is marked.
"""
