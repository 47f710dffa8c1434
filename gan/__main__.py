"""``python -m gan COMMAND`` is ``tapegan COMMAND``."""

import sys

try:
    from gan.cli.main import main
except KeyboardInterrupt:  # before a command listens for it
    sys.exit(130)
main()
