"""Writes the course as static pages, executed, to read without installing anything.

Import from this room itself; it imports `notebooks` and `readme`, which lie beside it, and
`unblocked.course`.

nbconvert, which comes with JupyterLab, makes the bodies of the pages, and the page around them is
ours. Jupyter Book 1.0.4 was tried on the same notebooks: it builds them offline (17 s without
execution) and has search and a dark page, but it brings 267 MB of packages, shows the source of
folded cells, so that each quiz gives its answers away, leaves Mermaid diagrams as text, links no
terms of the glossary, and has two kinds of faults that axe finds on every page, where ours have
none. MyST and Jupyter Book 2 do not build without a network, as their theme is in no package
registry but is asked for at api.mystmd.org each time.
"""

from unblocked.authoring.site._site import site as site
