"""A browser without JavaScript for the login pages of a site in other processes."""

from __future__ import annotations

import re

import requests


class Browser:
    """Keeps cookies, and sends the form token of the last page."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._session = requests.Session()
        self._session.headers["Accept-Language"] = "en"
        self._token = ""

    def __enter__(self) -> Browser:
        return self

    def __exit__(self, *exception: object) -> None:
        self._session.close()

    def open(self, path: str) -> requests.Response:
        return self._read(self._session.get(f"{self._url}{path}", timeout=60))

    def send(self, path: str, **fields: str) -> requests.Response:
        fields["csrfmiddlewaretoken"] = self._token
        return self._read(self._session.post(f"{self._url}{path}", data=fields, timeout=60))

    def _read(self, answer: requests.Response) -> requests.Response:
        token = re.search(r'csrfmiddlewaretoken" value="([^"]+)', answer.text)
        self._token = token[1] if token else self._token
        return answer
