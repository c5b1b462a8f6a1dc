"""A person with a browser that runs no script: opens pages, fills in forms, presses buttons."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser
from urllib.parse import urljoin

from django.test import Client

VOID = {"meta", "link", "input", "br", "img", "hr"}


@dataclass
class Button:
    label: str = ""
    name: str = ""
    value: str = ""
    is_disabled: bool = False


@dataclass
class Form:
    action: str
    fields: dict[str, str] = field(default_factory=dict)
    buttons: list[Button] = field(default_factory=list)


class Page(HTMLParser):
    """A page as a person meets it: hidden things are not there."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.html = html
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.forms: list[Form] = []
        self.alerts: list[str] = []
        self.text = ""
        self.title = ""
        self._open: list[tuple[str, dict[str, str]]] = []
        self.feed(html)
        self.text = " ".join(self.text.split())
        self.alerts = [" ".join(alert.split()) for alert in self.alerts if alert.strip()]

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attributes}
        self.elements.append((tag, given))
        if tag not in VOID:
            self._open.append((tag, given))
        if self._is_hidden(given):
            return
        if tag == "form":
            self.forms.append(Form(given.get("action", "")))
        elif tag == "input":
            self.forms[-1].fields[given["name"]] = given.get("value", "")
        elif tag == "button":
            self.forms[-1].buttons.append(
                Button("", given.get("name", ""), given.get("value", ""), "disabled" in given)
            )
        if given.get("role") == "alert":
            self.alerts.append("")

    def handle_endtag(self, tag: str) -> None:
        assert self._open, f"</{tag}> closes nothing"
        opened, _ = self._open.pop()
        assert opened == tag, f"<{opened}> is closed by </{tag}>"

    def handle_data(self, data: str) -> None:
        if self._is_hidden({}):
            return
        if self._inside("title"):
            self.title += data
        elif self._inside("body"):
            self.text += f" {data}"
        if self._inside("button"):
            self.forms[-1].buttons[-1].label += data
        if any(given.get("role") == "alert" for _, given in self._open):
            self.alerts[-1] += f" {data}"

    def form_of(self, button: str) -> tuple[Form, Button]:
        for form in self.forms:
            for one in form.buttons:
                if one.label.strip() == button:
                    return form, one
        raise AssertionError(f"no button {button!r} in: {self.text}")

    @property
    def buttons(self) -> list[str]:
        return [button.label.strip() for form in self.forms for button in form.buttons]

    def element(self, **wanted: str) -> dict[str, str]:
        found = [given for _, given in self.elements if wanted.items() <= given.items()]
        assert len(found) == 1, f"{len(found)} elements have {wanted}"
        return found[0]

    def _inside(self, tag: str) -> bool:
        return any(opened == tag for opened, _ in self._open)

    def _is_hidden(self, own: dict[str, str]) -> bool:
        return "hidden" in own or any("hidden" in given for _, given in self._open)


class Person:
    def __init__(self, **extra: str) -> None:
        self.client = Client(enforce_csrf_checks=True, **extra)
        self.path = ""
        self.status = 0
        self.hops: list[str] = []

    def open(self, path: str) -> Page:
        return self._arrive(path, self.client.get(path, follow=True))

    def press(self, button: str, **typed: str) -> Page:
        """Fill in ``typed`` and press the button of this label."""
        form, pressed = self.page.form_of(button)
        assert not pressed.is_disabled, f"{button!r} is disabled"
        assert typed.keys() <= form.fields.keys(), f"the form has only {sorted(form.fields)}"
        data = {**form.fields, **typed}
        if pressed.name:
            data[pressed.name] = pressed.value
        path = urljoin(self.path, form.action) if form.action else self.path
        return self._arrive(path, self.client.post(path, data, follow=True))

    def reload(self) -> Page:
        return self.open(self.path)

    @property
    def session(self) -> dict[str, object]:
        return dict(self.client.session.items())

    def _arrive(self, path: str, response) -> Page:
        self.response = response
        self.hops = [address for address, _ in response.redirect_chain]
        self.path = urljoin(path, self.hops[-1]) if self.hops else path
        self.status = response.status_code
        self.page = Page(response.content.decode())
        return self.page
