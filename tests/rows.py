"""A row of the daily statistics as the provider's document has it, with a number of nobody's."""

USUAL = {
    "id": "100001",
    "number": "79990000001",
    "date": "11.09.2020 13:34:39",
    "duration": "00:04",
    "price": "0.35",
    "service": "Voice Password",
    "state": "Успешно",
}
