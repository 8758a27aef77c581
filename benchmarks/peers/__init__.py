"""The other tools, each used as its own documentation has it."""
