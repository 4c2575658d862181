"""The error a user can cause; commands print its one sentence and exit with a non-zero status."""


class UserError(Exception):
    """What is wrong and what to do about it, in one sentence for the user."""
