"""Side by side with peers, in one run each; every file here is run by itself."""
