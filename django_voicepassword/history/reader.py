"""Who reads the call history, and what this person may search for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from django_voicepassword import limits
from django_voicepassword.exceptions import RateLimited
from django_voicepassword.security import audit

if TYPE_CHECKING:
    from django.contrib.auth.base_user import AbstractBaseUser
    from django.contrib.auth.models import AnonymousUser

#: The permission to see whole numbers.
PERMISSION = "django_voicepassword.view_full_phone"


@dataclass(frozen=True)
class Reader:
    """Whoever searches the history at ``where``, for example ``list of callrequest``.

    ``user`` is None for a management command: whoever may run one can read the database too.
    """

    user: AbstractBaseUser | AnonymousUser | None
    where: str

    @property
    def sees_whole_numbers(self) -> bool:
        return self.user is None or self.user.has_perm(PERMISSION)  # type: ignore[union-attr]

    def note_search(self) -> None:
        """Count and record a search for a whole number; call it before the search.

        Raises RateLimited for a user who has made as many searches as ``limits.staff`` allows.
        """
        try:
            if self.user is not None:
                limits.count_search(self.user.pk)
        except RateLimited:
            audit.whole_number_searched(self.user, self.where, refused=True)
            raise
        audit.whole_number_searched(self.user, self.where)
