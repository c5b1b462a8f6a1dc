"""Notices on every page of the admin: what somebody must do now."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from django.contrib import messages
from django.contrib.admin import AdminSite
from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse
from django.utils.functional import Promise
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from django_voicepassword import upkeep
from django_voicepassword.upkeep import Kind, Need


@dataclass(frozen=True)
class _Link:
    """A page of the admin: its route, what follows its address, its permission and its label."""

    route: str
    rest: str
    permission: str
    label: str | Promise


_PROTECTION = _Link(
    "django_voicepassword_protection", "", "view_fraudtrip", gettext_lazy("Protection")
)
_NEEDS = _Link(
    "django_voicepassword_dashboard", "#vp-needs", "view_dailystatistics", gettext_lazy("Dashboard")
)
#: Where more is told about a need.
_LINKS = {
    Kind.QUEUE: _Link(
        "django_voicepassword_callrequest_changelist",
        "?state=queued",
        "view_callrequest",
        gettext_lazy("Calls that wait"),
    ),
    Kind.OUTAGE: _PROTECTION,
    Kind.ATTACK: _PROTECTION,
    Kind.MONEY: _Link(
        "django_voicepassword_dashboard",
        "#vp-balance-now",
        "view_dailystatistics",
        gettext_lazy("Balance"),
    ),
    Kind.OPERATOR: _Link(
        "django_voicepassword_dashboard",
        "?days=7#vp-prefixes",
        "view_dailystatistics",
        gettext_lazy("Conversion by operator"),
    ),
}
#: The most notices of one page.
MOST_SHOWN = 2
#: Set on a request that has its notices.
_WARNED = "_voicepassword_warned"


def warn(request: HttpRequest, site: AdminSite) -> None:
    """Add the notices to this page, once for each page, also one that answers a POST."""
    if hasattr(request, _WARNED):
        return
    setattr(request, _WARNED, True)
    needs = upkeep.needs(upkeep.kept_figures() if _sees_figures(request) else None)
    if not needs:
        return
    waiting = _waiting(request)
    for tag, level, text in _notices(needs, links(request, site), _all_needs(request, site)):
        if tag not in waiting:
            messages.add_message(request, level, text, extra_tags=tag, fail_silently=True)


def _notices(
    needs: list[Need], addresses: dict[Kind, SafeString], dashboard: str
) -> Iterator[tuple[str, int, str]]:
    """Yield the tag, the level and the text of each notice.

    More than MOST_SHOWN would fill a phone: then the dashboard shows the others, if the reader may
    open it.
    """
    shown = needs if len(needs) <= MOST_SHOWN or not dashboard else needs[: MOST_SHOWN - 1]
    for need in shown:
        parts = [need.text, _advice(need, bool(dashboard)), addresses.get(need.kind, "")]
        text = format_html_join(" ", "{}", [(part,) for part in parts if part])
        level = messages.ERROR if need.is_grave else messages.WARNING
        yield f"vp-{need.kind.value}", level, text
    others = len(needs) - len(shown)
    if others:
        label = ngettext(
            "And %(count)d thing more needs doing", "And %(count)d things more need doing", others
        ) % {"count": others}
        yield "vp-others", messages.WARNING, _anchor(dashboard, label)


def _advice(need: Need, is_owner: bool) -> str:
    """Return what this reader can do: support starts no worker, and tells whoever does.

    The advice about an attack says what it means for the people who call support.
    """
    if is_owner or need.kind is Kind.ATTACK:
        return need.advice
    return _("Tell whoever runs this site.")


def omit(request: HttpRequest) -> None:
    """Leave the notices out of this page: it shows the same itself."""
    setattr(request, _WARNED, True)


def _waiting(request: HttpRequest) -> set[str]:
    """Return the tags of the messages that this page will show anyway.

    A page that was not rendered, because its form led elsewhere, leaves its own for the next one.
    """
    storage = messages.get_messages(request)
    try:
        return {message.extra_tags for message in storage}
    finally:
        # To read them is no reason to drop them. A project without messages has a list here.
        if hasattr(storage, "used"):
            storage.used = False


def links(request: HttpRequest, site: AdminSite) -> dict[Kind, SafeString]:
    """Return for each kind of need a link to the page that shows more.

    Only links to pages that this site has and this reader may open.
    """
    found = {}
    for kind, link in _LINKS.items():
        if request.user.has_perm(f"django_voicepassword.{link.permission}"):
            address = _address(site, link)
            if address:
                found[kind] = _anchor(address, link.label)
    return found


def _all_needs(request: HttpRequest, site: AdminSite) -> str:
    """Return the address of all needs on the dashboard; "" where this reader or site has none."""
    return _address(site, _NEEDS) if _sees_figures(request) else ""


def _sees_figures(request: HttpRequest) -> bool:
    """Whether the reader is shown money and conversion."""
    return bool(request.user.has_perm("django_voicepassword.view_dailystatistics"))


def _anchor(address: str, label: str | Promise) -> SafeString:
    # django-unfold underlines a link in a message only with this class of its own.
    return format_html('<a href="{}" class="underline">{}</a>', address, label)


def _address(site: AdminSite, link: _Link) -> str:
    try:
        return reverse(f"admin:{link.route}", current_app=site.name) + link.rest
    except NoReverseMatch:
        return ""
