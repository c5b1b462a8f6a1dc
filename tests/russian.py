"""The rules of typography that every Russian text keeps."""

from __future__ import annotations

import re

#: What a Russian text must not have, and the rule that it breaks.
SLIPS = {
    "a line can begin with a dash: put U+00A0 before it": re.compile(r"(^|[ \n])[—–](\s|$)"),
    "a number can be parted from its noun: put U+00A0 between them": re.compile(
        r"((?<![a-z])\d|%d|%\(\w+\)[dg]|%\((count|rows|most|digits|used)\)s|№) (?=[а-яё₽\d])",
        re.IGNORECASE,
    ),
    "ё is written as е": re.compile(
        r"\b(ее|еще|идет|трех|четырех|(рас|у|от)?счет\w*|(подтвержд|отмен|введ|заверш)ен(н\w+)?)\b",
        re.IGNORECASE,
    ),
    "the quotation marks are not «ёлочки»": re.compile(r"[“”„]|(?<!=)\"(?=\w)"),
    "SMS is neuter": re.compile(r"\bSMS\b[^.,;:]{0,20} (доставлен|отправлен|получен|пришл)а\b"),
    "a known device is called известное устройство": re.compile(
        r"\b(доверенн|знаком)\w*\s+устройств", re.IGNORECASE
    ),
    "вы has a capital letter": re.compile(r"(?<=[а-яё,»] )В(ы|ас|ам|аш\w*)\b"),
}
