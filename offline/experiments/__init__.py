"""The paper's experiments, a command each: ``python -m offline.experiments ROW``; see ``docs/experiments.md``."""
