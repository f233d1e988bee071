"""`python -m loupe`."""

from loupe import main

main()
