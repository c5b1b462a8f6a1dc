"""Hypothesis strategies for input from strangers."""

from __future__ import annotations

import os
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st

#: ``HOSTILE_EXAMPLES=5000`` searches longer. No deadline, because CI is slow at times.
EXAMPLES = int(os.environ.get("HOSTILE_EXAMPLES", "100"))
thorough = settings(deadline=None, max_examples=EXAMPLES)

#: Texts that are known to break parsers.
NASTY = [
    "",
    " ",
    "\x00",
    "\ud800",
    "\udfff\ud800",
    "\ufeff",
    "\u202e1234",
    "\r\nSet-Cookie: a=b",
    "İ",
    "ß" * 100,
    "²³¹",
    "٣٤٥٦",
    "１２３４",
    "-0",
    "-1",
    "NaN",
    "Infinity",
    "1e999999",
    "-1e9999999",
    "1e-9999999",
    "0e9999999",
    "99999999.99999999",
    "9999999999.99999",
    "9" * 5000,
    "0" * 5000 + "1",
    "0001-01-01 00:00:00",
    "31.12.9999 23:59:59",
    "2020-02-30 00:00:00",
    "99:99:99",
    "167:59:60",
    "<script>alert(1)</script>",
    "'; DROP TABLE users; --",
    "%00%0d%0a",
    "+7 999 123-45-67",
    "ANSWERED",
    "не доставлено",
    "x" * 10000,
]

#: Any text, also with lone surrogates, which JSON may contain.
texts = st.one_of(st.sampled_from(NASTY), st.text(st.characters(), max_size=80))
#: Numbers as JSON decoders return them.
numbers = st.one_of(st.integers(-(10**40), 10**40), st.decimals(), st.floats())
scalars: st.SearchStrategy[Any] = st.one_of(st.none(), st.booleans(), numbers, texts)
values: st.SearchStrategy[Any] = st.recursive(
    scalars,
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(texts, inner, max_size=4)),
    max_leaves=8,
)

KEYS = [
    "id",
    "number",
    "state",
    "duration",
    "price",
    "date",
    "service",
    "code",
    " message",
    "security",
    "STATE ",
    "Id",
]
#: An object as the provider might send it, or somebody who claims to be the provider.
objects = st.dictionaries(st.one_of(st.sampled_from(KEYS), texts), values, max_size=12)

#: A normalized number, a code and a key of the account.
phones = st.integers(79000000000, 79999999999).map(str)
codes = st.integers(0, 9999).map("{:04}".format)
keys = st.text("abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ", min_size=16, max_size=120)
