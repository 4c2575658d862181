"""How close outputs come to the truth."""
