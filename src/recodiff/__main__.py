"""`python -m recodiff`."""

from recodiff.cli import main

if __name__ == "__main__":
    main()
