"""The command lines that come with the package: ``tapegan COMMAND``."""
