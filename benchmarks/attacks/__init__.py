"""Attacks against the app, simulated: who gets in, who is rung, who is refused, what it costs.

The app's own verbs and tables work on a database in memory under a false clock, between honest
people, robots and a provider that calls nobody. See docs/benchmarks.md.
"""
