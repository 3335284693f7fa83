"""From `course/` (text) to what people open: notebooks, the README's map, static pages.

The modules on this floor are the commands: `build` makes and compares, `handout` makes a copy for
a class, `new` makes an empty exercise room, `reset` gives a starter back, `lab` opens JupyterLab.
They import the rooms below, and no room imports them:

- `site` writes the course as pages to read online, and imports `readme` and `notebooks`;
- `gates` says what a lesson or an exercise lacks, and imports `notebooks`;
- `readme` makes the built parts of README.md, and imports `notebooks`;
- `notebooks` turns the texts of `course/` into notebooks, and imports none of the others.

Of ours, authoring imports only what lies beside it and imports nothing itself, such as `course`.
Nothing in it is imported when an answer is marked.
"""
