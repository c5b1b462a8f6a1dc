"""The Russian texts of the sandbox's pages.

They are no catalogue of gettext, because the sandbox needs no Django project.
"""

from __future__ import annotations

import re
from collections.abc import Callable

#: Returns an English text in the language of a page.
Say = Callable[[str], str]

#: English text -> Russian text.
WORDS = {
    # The headings of the magic numbers.
    "What becomes of the call": "Чем заканчивается звонок",
    "The provider refuses: nothing rings, nothing is paid": (
        "Провайдер отказывает: звонка нет, деньги не списываются"
    ),
    "Answers that are slow, lost or odd": "Медленные, потерянные и странные ответы",
    "Callbacks": "Уведомления",
    # What happens to a call: the words of docs/ru/sandbox.md.
    "any other number: a flash call rings out, a voice call is answered, an SMS is delivered": (
        "на любом другом номере звонок-сброс остаётся без ответа, на звонок робота отвечают, а "
        "SMS доставляется"
    ),
    "answered": "ответили",
    "no answer": "нет ответа",
    "busy": "занято",
    "canceled": "отменено",
    "failed: nothing rings": "не удалось: звонка нет",
    "a state that the document does not know": "состояние, которого нет в документации",
    "two different final states": "два разных окончательных состояния",
    "the SMS is not delivered": "SMS не доставлено",
    "the SMS has the id of its call": "у SMS тот же ID, что у звонка",
    "an error code that is not in the document": "код ошибки, которого нет в документации",
    "the answer takes 5 seconds": "ответ приходит через 5\N{NO-BREAK SPACE}секунд",
    "it rings, and no answer comes for a minute": "телефон звонит, но минуту нет ответа на запрос",
    "it rings, and the connection is dropped": "телефон звонит, но соединение обрывается",
    "it rings, and the answer is HTTP 500": "телефон звонит, но ответ\N{NO-BREAK SPACE}— HTTP 500",
    "it rings, and the answer is an HTML page": (
        "телефон звонит, но ответ\N{NO-BREAK SPACE}— страница HTML"
    ),
    "it rings, and the answer is half a JSON": (
        "телефон звонит, но ответ\N{NO-BREAK SPACE}— половина JSON"
    ),
    "the answer has no code": "в ответе нет кода",
    "the id is a JSON number": "ID\N{NO-BREAK SPACE}— число JSON",
    "every callback comes twice": "каждое уведомление приходит дважды",
    "no callback comes": "уведомлений нет",
    "the callback comes before the answer": "уведомление приходит раньше ответа",
    "the callback comes 10 seconds late": "уведомление опаздывает на 10\N{NO-BREAK SPACE}секунд",
    "the callback is a form, not JSON": "уведомление\N{NO-BREAK SPACE}— форма, а не JSON",
    "callbacks come in reverse: the final state first, then the older ones": (
        "уведомления приходят в обратном порядке: сначала окончательное состояние, потом предыдущие"
    ),
    "error {code}": "ошибка {code}",
    # The pages.
    "VoicePassword sandbox": "Песочница VoicePassword",
    "Pages": "Страницы",
    "Phone": "Телефон",
    "Numbers": "Номера",
    "For development only: nobody is called, nothing is paid.": (
        "Только для разработки: никому не звонят, деньги не списываются."
    ),
    "An imitated provider": "Имитация провайдера",
    "A project with this address as its provider rings this {phone}, and nobody else:": (
        "Проект, у которого в настройках этот адрес провайдера, звонит только на {phone} песочницы:"
    ),
    "phone": "телефон",
    "Where callbacks are sent; without it the project polls the states.": (
        "Куда приходят уведомления; без этой строки проект опрашивает состояния."
    ),
    "Balance: {balance} ₽. To set it:": "Баланс: {balance}\N{NO-BREAK SPACE}₽. Чтобы изменить его:",
    "Magic numbers": "Магические номера",
    "The number that is called decides what happens.": "Исход звонка зависит от номера.",
    "Number": "Номер",
    "What happens": "Что происходит",
    "all numbers": "все номера",
    "Only calls to": "Только звонки на",
    "Show": "Показать",
    "Calls and texts": "Звонки и SMS",
    "No call yet.": "Звонков пока нет.",
    "No call to {number} yet.": "Звонков на {number} пока нет.",
    "Ask for a code on the login page of your project: it rings here.": (
        "Запросите код на странице входа своего проекта: звонок придёт сюда."
    ),
    "Flash call to {number}": "Звонок-сброс на {number}",
    "Voice call to {number}": "Звонок робота на {number}",
    "SMS to {number}": "SMS на {number}",
    "{time} in Moscow": "{time} по Москве",
    "the code": "код",
    # The states of a call. Some of them are outcomes, too.
    "ringing": "звонит",
    "not answered": "нет ответа",
    "failed": "не удалось",
    "queued": "в очереди",
    "sent": "отправлено",
    "delivered": "доставлено",
    "not delivered": "не доставлено",
}


def russian(text: str) -> str:
    """Return the Russian of a text; the text itself where there is none."""
    code = text.removeprefix("error ")
    if code != text:
        return WORDS["error {code}"].format(code=code)
    return WORDS.get(text, text)


def said_for(languages: str) -> tuple[str, Say]:
    """Return the language of a page and its words, for a header Accept-Language."""
    known = re.findall(r"\b(ru|en)(?:-\w+)?(?=[,;\s]|$)", languages.lower())
    return ("ru", russian) if known[:1] == ["ru"] else ("en", str)
