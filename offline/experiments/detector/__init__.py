"""``detector``: a forgery detector trained here, and what it makes of our outputs; see ``row.py``."""
