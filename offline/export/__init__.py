"""A trained generator to a target file."""
