"""``python -m pushforward.cli`` is ``pushforward``."""

from pushforward.cli.app import main

if __name__ == "__main__":
    main()
