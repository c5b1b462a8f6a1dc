"""The headers that protect the pages in the browser: framing, referrer, Content-Security-Policy."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

from django.conf import settings
from django.http import HttpResponseBase
from django.template.loader import get_template
from django.templatetags.static import static

from django_voicepassword.verifications.challenge import Widget

CSP = "Content-Security-Policy"
_TEMPLATES = Path(__file__).parent.parent / "templates"
#: The templates that each page includes.
_SHARED = ("voicepassword/base.html", "voicepassword/icon.html")
#: Page -> the templates that it includes beside these. The templates that are there to be replaced,
#: consent.html and other_ways.html, hold text and links, so the policy stays.
_PARTS = {
    "voicepassword/login.html": ("voicepassword/consent_shown.html",),
    "voicepassword/confirm.html": ("voicepassword/consent_shown.html",),
    "voicepassword/phone_add.html": ("voicepassword/consent_shown.html",),
    "voicepassword/code.html": (
        "voicepassword/code_title.html",
        "voicepassword/number.html",
        "voicepassword/incoming_call.html",
        "voicepassword/code_form.html",
        "voicepassword/remember.html",
        "voicepassword/missed_call.html",
    ),
}
#: The template of a widget, which the pages include where there is a challenge to solve.
_CHALLENGE = "voicepassword/challenge.html"


def protect(response: HttpResponseBase, template_name: str, challenge: Widget | None) -> None:
    """Set the headers that ``response`` does not have yet.

    Where a middleware of the project sets a Content-Security-Policy, it alone does.
    ``template_name`` is that of the page; "" for an answer that is no page. ``challenge`` is the
    widget on it.
    """
    headers = response.headers
    headers.setdefault("X-Frame-Options", _framing())
    # Not "no-referrer": Django's CSRF check needs the referrer of the site's own forms.
    headers.setdefault("Referrer-Policy", "same-origin")
    if not _project_has_policy():
        headers.setdefault(CSP, _policy(template_name, challenge))


def _framing() -> str:
    return str(settings.X_FRAME_OPTIONS).upper()


def _project_has_policy() -> bool:
    """Whether a middleware sets the header: Django's own, that of django-csp, or one named alike.

    These leave a header alone that is there already, so ours would win over the project's.
    """
    names = [path.lower().replace("_", "") for path in settings.MIDDLEWARE]
    return any("csp" in name or "contentsecuritypolicy" in name for name in names)


def _policy(template_name: str, challenge: Widget | None) -> str:
    """Return the strictest policy that the page works under.

    It has no ``form-action``: browsers apply that to the redirects after a form as well, and a
    login may lead to another site. A template of the project may load what it likes, so a page that
    uses one is only protected from being framed.
    """
    ancestors = "'none'" if _framing() == "DENY" else "'self'"
    parts = _PARTS.get(template_name, ())
    included = (*_SHARED, template_name, *parts, _CHALLENGE if challenge else "")
    if not all(map(_is_ours, filter(None, included))):
        return f"object-src 'none'; frame-ancestors {ancestors}"
    assets = f"'self'{_origin_of_static_files()}"
    origins = challenge.provider.origins if challenge and challenge.provider else ()
    widget = "".join(f" {origin}" for origin in origins)
    frames = f"frame-src{widget}; " if widget else ""
    return (
        f"default-src 'none'; script-src {assets}{widget}; style-src {assets}{widget}; "
        f"img-src {assets}; connect-src 'self'{widget}; {frames}base-uri 'none'; "
        f"frame-ancestors {ancestors}"
    )


def _is_ours(template_name: str) -> bool:
    """Whether no template of the project stands in for this one."""
    origin = get_template(template_name).origin  # type: ignore[attr-defined] # Django's engines
    return Path(str(origin.name)).is_relative_to(_TEMPLATES)


def _origin_of_static_files() -> str:
    """Return a space and the host of the static files; "" where it is this site."""
    address = urlsplit(static("voicepassword/voicepassword.js"))
    if not address.netloc:
        return ""
    return f" {address.scheme}://{address.netloc}" if address.scheme else f" {address.netloc}"
