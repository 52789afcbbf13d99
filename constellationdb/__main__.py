"""``python -m constellationdb`` is the command ``constellation``."""

from constellationdb.cli.main import main

if __name__ == "__main__":
    main()
