"""The front page of ``make demo``, and the people who may log in to its admin."""
