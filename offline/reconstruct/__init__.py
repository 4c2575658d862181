"""Videos of a person to a dataset."""
