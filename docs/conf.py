"""The documentation as a site: ``make docs``. The pages are plain Markdown, so that they read well
without it too.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from django_voicepassword import __version__

project = "django-voicepassword"
version = release = __version__
language = "en"

extensions = ["myst_parser"]
myst_enable_extensions = ["tasklist"]
source_suffix = {".md": "markdown"}
#: Links to a heading, as a code host makes them: ``pages.md#an-important-step``.
myst_heading_anchors = 4
highlight_language = "text"

html_theme = "furo"
html_title = f"{project} {release}"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_show_copyright = False
html_copy_source = False
