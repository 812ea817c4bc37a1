"""The subcommands of ``konectom``, a file each. What is costly to import is imported where it is used."""
