"""The site itself: its settings, its retention, and the proxies before it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from django.core import checks
from django.db import router
from django.utils import timezone
from django.utils.translation import gettext as _

from django_voicepassword import upkeep
from django_voicepassword.conf import settings
from django_voicepassword.history import outdated
from django_voicepassword.limits import alarms, client_ip
from django_voicepassword.management.doctor.findings import (
    Finding,
    fault,
    fine,
    skipped,
    warning,
)
from django_voicepassword.models import CallRequest
from django_voicepassword.models.moments import as_aware
from django_voicepassword.upkeep import Kind
from django_voicepassword.upkeep.words import duration

#: The purge runs once a day.
OVERDUE_AFTER = timedelta(days=2)
#: What was noticed of proxies longer ago is no news.
NEWS = timedelta(days=1)


def settings_checks() -> Iterator[Finding]:
    """The system checks, those of ``--deploy`` too: the IDs, for ``check`` has the words."""
    databases = [router.db_for_write(CallRequest)]
    told = [
        message
        for message in checks.run_checks(include_deployment_checks=True, databases=databases)
        if message.level >= checks.WARNING and not message.is_silenced()
    ]
    # An error that other apps see in a deployment alone keeps no call from working: from Django
    # 6.1, that mail goes to the console.
    grave = {message.id for message in checks.run_checks(databases=databases)}
    explain = _("“manage.py check --deploy --database %(alias)s” explains each.") % {
        "alias": databases[0]
    }
    errors = [
        str(message.id)
        for message in told
        if message.level >= checks.ERROR
        and (message.id in grave or str(message.id).startswith("voicepassword."))
    ]
    warnings = [str(message.id) for message in told if str(message.id) not in errors]
    if errors:
        yield fault(_("settings"), _ids(errors), explain)
    if warnings:
        yield warning(_("settings"), _ids(warnings), explain)
    if not told:
        yield fine(_("settings"), _("The system checks find nothing."))


def _ids(ids: list[str]) -> str:
    return ", ".join(sorted(set(ids)))


def needs() -> Iterator[Finding]:
    """What somebody must do now, and beat's heartbeat. The money has a probe of its own."""
    names = {
        Kind.ACCOUNT: _("site"),
        Kind.QUEUE: _("waiting calls"),
        Kind.BEAT: _("beat"),
        Kind.OUTAGE: _("outage"),
        Kind.ATTACK: _("attack"),
        Kind.OPERATOR: _("operators"),
    }
    found = {need.kind: need for need in upkeep.needs(upkeep.read_figures())}
    last = upkeep.last_beat()
    if Kind.BEAT not in found and last is not None:
        text = _("The periodic tasks last ran %(age)s ago.")
        yield fine(names[Kind.BEAT], text % {"age": _age(last)})
    for kind in filter(found.__contains__, names):
        need = found[kind]
        severity = fault if need.is_grave or kind == Kind.BEAT else warning
        yield severity(names[kind], need.text, need.advice)


def _age(moment: datetime) -> str:
    """How long ago it was, in words."""
    age = as_aware(timezone.now()) - as_aware(moment)
    return duration(max(int(age.total_seconds()), 0))


def retention() -> Iterator[Finding]:
    """Is there a row that the daily purge should have taken long ago?"""
    name = _("retention")
    if settings.RETENTION_DAYS is None:
        yield skipped(name, _("RETENTION_DAYS is not set: history is kept"))
        return
    old = outdated.Outdated(timezone.now() - OVERDUE_AFTER).calls
    if settings.RETENTION == "mask":
        old = outdated.unmasked(old)
    if old.exists():
        yield fault(
            name,
            _("There are calls older than RETENTION_DAYS, so the task purge does not run."),
            _("Let beat start it every day; “manage.py voicepassword_purge” does it now."),
        )
    else:
        text = _("No call is older than RETENTION_DAYS (%(days)d).")
        yield fine(name, text % {"days": settings.RETENTION_DAYS})


def proxies() -> Iterator[Finding]:
    """What requests of the last day have shown of the proxies before the site."""
    name = _("proxies")
    news = [(text, alarms.last_time(seen)) for seen, text in _proxy_texts().items()]
    recent = [(text, at) for text, at in news if at is not None and at > timezone.now() - NEWS]
    for text, at in recent:
        yield warning(
            name,
            f"{text} {_('Last seen %(age)s ago.') % {'age': _age(at)}}",
            _("Set TRUSTED_PROXIES to the number of proxies that stand before the site."),
        )
    if not recent:
        text = _("TRUSTED_PROXIES is %(count)d, and no request of the last day contradicts it.")
        yield fine(name, text % {"count": settings.TRUSTED_PROXIES})


def _proxy_texts() -> dict[str, str]:
    """What ``limits.client_ip`` may have noticed -> what it means by the settings of now."""
    texts = {
        client_ip.NO_ADDRESS: _("A request had no client address: all such share one limit."),
    }
    if settings.TRUSTED_PROXIES:
        texts[client_ip.FEW_ENTRIES] = _(
            "A request had fewer entries in X-Forwarded-For than TRUSTED_PROXIES says."
        )
    else:
        texts[client_ip.FORWARDED] = _(
            "A request had the header X-Forwarded-For, but TRUSTED_PROXIES is 0: if a proxy stands "
            "before the site, all its clients share one limit."
        )
    return texts
