"""The package as others have it: its wheel in an environment with nothing beside it."""
