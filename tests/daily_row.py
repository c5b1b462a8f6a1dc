"""A row of the daily statistics as the provider's document shows it, with an unassigned number."""

USUAL_ROW = {
    "id": "100001",
    "number": "79990000001",
    "date": "11.09.2020 13:34:39",
    "duration": "00:04",
    "price": "0.35",
    "service": "Voice Password",
    "state": "Успешно",
}
