"""The curl commands of a page, with the addresses, ids, codes and tokens of this run."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Protocol

from tests.docs_samples.servers import PATIENCE, wait_for
from tests.docs_samples.shell import Command, fits

_ID = re.compile(r"[0-9a-f]{4,8}…")
_CODE = re.compile(r"""(code=|"code": ")\d{4,}""")
_TOKEN = re.compile(r"Token [0-9a-f]+…")


class HasCode(Protocol):
    """A server with a transport that calls phones."""

    def code(self) -> str:
        """Return the newest code."""


class Curl:
    """Runs curl commands. ``token``: of a member of the staff.

    A variable such as ``$PROOF`` is the field ``proof`` of an earlier answer.
    """

    def __init__(self, folder: Path, token: str = "") -> None:
        self._folder = folder
        self._token = token
        #: Upper-case name of a field -> its value in the newest answer that had it.
        self._fields: dict[str, str] = {}

    def run(self, command: Command, addresses: dict[str, str], server: HasCode) -> str:
        """Run a command and return its output; repeat a GET until the output is as shown."""
        words = [self._real(word, addresses, server) for word in command.words]
        reads = not {"-d", "-X"} & set(words)
        output = ""

        def is_as_shown() -> bool:
            nonlocal output
            done = subprocess.run(
                words, cwd=self._folder, capture_output=True, text=True, timeout=PATIENCE
            )
            output = done.stdout
            return not reads or command.shown is None or fits(command.shown, output)

        try:
            wait_for(is_as_shown, "the answer that is shown")
        except AssertionError as error:
            raise AssertionError(f"{error}; it was\n{output}") from None
        self._remember(output)
        return output

    def _real(self, word: str, addresses: dict[str, str], server: HasCode) -> str:
        for shown, real in addresses.items():
            word = word.replace(shown, real)
        if _CODE.search(word):
            code = server.code()
            word = _CODE.sub(lambda match: match[1] + code, word)
        word = _TOKEN.sub(f"Token {self._token}", word)
        word = re.sub(r"\$([A-Z]+)", lambda match: self._fields[match[1]], word)
        return _ID.sub(self._fields.get("ID", ""), word)

    def _remember(self, output: str) -> None:
        try:
            answer = json.loads(output)
        except ValueError:
            raise AssertionError(f"no JSON:\n{output}") from None
        self._fields |= {
            name.upper(): value for name, value in answer.items() if isinstance(value, str)
        }
