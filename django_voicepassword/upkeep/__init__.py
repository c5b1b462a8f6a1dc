"""What keeps a site working: the queue, beat, the account, money, operators, attacks.

Each rule of when something is wrong stands here, once. The notices and the dashboard of the admin,
the health checks and the doctor show what it finds.
"""

from django_voicepassword.upkeep.account import account_need
from django_voicepassword.upkeep.attacks import attack_need, digits, open_trips
from django_voicepassword.upkeep.beat import beat_need, last_beat, note_beat
from django_voicepassword.upkeep.gathering import (
    OwnersFigures,
    kept_figures,
    needs,
    read_figures,
)
from django_voicepassword.upkeep.money import money_need
from django_voicepassword.upkeep.needs import Kind, Need
from django_voicepassword.upkeep.operators import falls, operator_need, outage_need
from django_voicepassword.upkeep.queue import Waiting, queue_need, waiting

__all__ = [
    "Kind",
    "Need",
    "OwnersFigures",
    "Waiting",
    "account_need",
    "attack_need",
    "beat_need",
    "digits",
    "falls",
    "kept_figures",
    "last_beat",
    "money_need",
    "needs",
    "note_beat",
    "open_trips",
    "operator_need",
    "outage_need",
    "queue_need",
    "read_figures",
    "waiting",
]
