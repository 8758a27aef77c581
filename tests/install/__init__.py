"""What sets up an environment, tried with indexes of its own on this machine."""
