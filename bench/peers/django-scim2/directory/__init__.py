"""The users and groups of the project in ../host.py."""
