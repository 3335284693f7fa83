"""Writes the course as static pages, executed, to read without installing anything.

Import from this room itself; it imports `notebooks` and `readme`, which lie beside it, and
`unblocked.course`.

nbconvert, which comes with JupyterLab, makes the bodies; the page around them is ours. MyST and
Jupyter Book 2 do not build without a network of their own: their theme is in no package registry
but is asked for at api.mystmd.org each time. These pages refer to nothing outside their folder,
show their text without JavaScript, and work from a disk as well as from any static host.
"""

from unblocked.authoring.site._site import site as site
