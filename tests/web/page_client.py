"""A browser without JavaScript for the tests: opens pages, fills in forms, presses buttons."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any
from urllib.parse import urljoin

from django.test import Client

VOID_TAGS = {"meta", "link", "input", "br", "img", "hr"}


@dataclass
class Button:
    label: str = ""
    name: str = ""
    value: str = ""
    is_disabled: bool = False
    style: str = ""


@dataclass
class Form:
    action: str
    fields: dict[str, str] = field(default_factory=dict)
    buttons: list[Button] = field(default_factory=list)


class Page(HTMLParser):
    """The visible content of a page. Raises AssertionError for elements that do not nest."""

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

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = {name: value or "" for name, value in attrs}
        self.elements.append((tag, attributes))
        if tag not in VOID_TAGS:
            self._open.append((tag, attributes))
        if self._is_hidden(attributes):
            return
        if tag == "form":
            self.forms.append(Form(attributes.get("action", "")))
        elif tag == "input":
            self.forms[-1].fields[attributes["name"]] = attributes.get("value", "")
        elif tag == "button":
            self.forms[-1].buttons.append(
                Button(
                    "",
                    attributes.get("name", ""),
                    attributes.get("value", ""),
                    "disabled" in attributes,
                    attributes.get("class", ""),
                )
            )
        if attributes.get("role") == "alert":
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
        if any(attributes.get("role") == "alert" for _, attributes in self._open):
            self.alerts[-1] += f" {data}"

    def form_of(self, button: str) -> tuple[Form, Button]:
        for form in self.forms:
            for candidate in form.buttons:
                if candidate.label.strip() == button:
                    return form, candidate
        raise AssertionError(f"no button {button!r} in: {self.text}")

    @property
    def buttons(self) -> list[str]:
        return [button.label.strip() for form in self.forms for button in form.buttons]

    @property
    def main_buttons(self) -> list[str]:
        """Those that are neither quiet nor look like a link."""
        buttons = [button for form in self.forms for button in form.buttons]
        return [button.label.strip() for button in buttons if button.style == "vp-button"]

    def element(self, **expected: str) -> dict[str, str]:
        matches = [
            attributes for _, attributes in self.elements if expected.items() <= attributes.items()
        ]
        assert len(matches) == 1, f"{len(matches)} elements have {expected}"
        return matches[0]

    def _inside(self, tag: str) -> bool:
        return any(opened == tag for opened, _ in self._open)

    def _is_hidden(self, attributes: dict[str, str]) -> bool:
        return "hidden" in attributes or any("hidden" in attributes for _, attributes in self._open)


class PageClient:
    """A test client that submits forms as they are on the page, with their CSRF tokens."""

    def __init__(self, **extra: Any) -> None:
        self.client = Client(enforce_csrf_checks=True, **extra)
        self.path = ""
        self.status = 0
        self.redirects: list[str] = []

    def open(self, path: str) -> Page:
        return self._load(path, self.client.get(path, follow=True))

    def press(self, button: str, **typed: str) -> Page:
        """Fill in ``typed`` and press the button with this label."""
        form, pressed = self.page.form_of(button)
        assert not pressed.is_disabled, f"{button!r} is disabled"
        assert typed.keys() <= form.fields.keys(), f"the form has only {sorted(form.fields)}"
        data = {**form.fields, **typed}
        if pressed.name:
            data[pressed.name] = pressed.value
        path = urljoin(self.path, form.action) if form.action else self.path
        return self._load(path, self.client.post(path, data, follow=True))

    def reload(self) -> Page:
        return self.open(self.path)

    @property
    def session(self) -> dict[str, object]:
        return dict(self.client.session.items())

    def _load(self, path: str, response: Any) -> Page:
        self.response = response
        self.redirects = [address for address, _ in response.redirect_chain]
        self.path = urljoin(path, self.redirects[-1]) if self.redirects else path
        self.status = response.status_code
        self.page = Page(response.content.decode())
        return self.page
