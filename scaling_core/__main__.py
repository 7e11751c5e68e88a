"""``python -m scaling_core``."""

import sys

from scaling_core.cli import main

sys.exit(main())
