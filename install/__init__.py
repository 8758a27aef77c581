"""What sets up an environment before the lock file is installed: `torch_wheels.py`."""
