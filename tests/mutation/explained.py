"""Changes that no test can notice, and why: (what stands there, what would stand there, the reason), parts of lines."""

from __future__ import annotations

EXPLAINED: dict[str, tuple[tuple[str, str, str], ...]] = {
    "limits": (
        ("PURGE_BATCH = 1000", "PURGE_BATCH = ", "a size by choice"),
        ("@lru_cache(maxsize=256)", "", "for speed alone"),
        ("key__in=wanted", "objects.filter().values_list", "more rows are read than are looked at"),
        ("default=86400", "default=", "DEVICE_LIMITS always has a rate"),
        ("default=86400", "for rate in rates),)", "DEVICE_LIMITS always has a rate"),
        ("(at - moment) / 1000 + rate.seconds), 1)", ", 0)", "what counts ends later than now, by a second rounded up"),
        ("time.min, zone) - now).total_seconds()), 1)", ", 0)", "midnight is later than now, by a second rounded up"),
        ("RETURNING", "XX, ", "a name for a column that is read by its place"),
        ("strict=True", "row,)]", "a row has as many values as there are fields"),
        ("strict=True", "strict=False", "a row has as many values as there are fields"),
    ),
    "protocol/words": (
        ('_normal(word or "")', '_normal(word or "XX")', "neither is a word of the document"),
        ('(service or "").casefold() else "voice"', '(service or "XX")', "neither names a flash call"),
    ),
}
