"""People that nobody is: filmed with truth."""
