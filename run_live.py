#!/usr/bin/env python3
"""Head2Head Live: a person before a camera moves another person in a browser. ``--help`` lists the options."""

import sys

from live.cli import main

if __name__ == "__main__":
    sys.exit(main())
