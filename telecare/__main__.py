"""`python -m telecare`: the `telecare` command."""

from telecare.cli import main

main()
