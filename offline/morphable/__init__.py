"""How the morphable model that ships is built."""
