"""`python -m lcmat.cli`: the command `lcmat` where it is not on the path."""

import sys

from lcmat.cli.main import main

sys.exit(main())
