"""``study``, the paper's Tables II and III: people rate clips; see ``row.py`` and ``server.py``."""
