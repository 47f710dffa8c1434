"""``python -m gan COMMAND`` is ``tapegan COMMAND``."""

from gan.cli.main import main

main()
