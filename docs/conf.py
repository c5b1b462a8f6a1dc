"""The documentation as a site: ``make docs``. The pages are plain Markdown, so that they read well
without it too.
"""

import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent))

from django_voicepassword import __version__

project = "django-voicepassword"
version = release = __version__
language = "en"

extensions = ["myst_parser"]
myst_enable_extensions = ["html_image", "tasklist"]
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


def _say_language(
    app: object, page: str, template: str, context: dict[str, object], tree: object
) -> None:
    """Tell browsers and screen readers that the pages in ``ru/`` are in Russian."""
    if page.startswith("ru/"):
        context["language"] = "ru"


def setup(app: Any) -> None:
    app.connect("html-page-context", _say_language)
