"""``python -m benchmarks``. Next to empty: every process that is started for a measurement imports it again."""

if __name__ == "__main__":
    import sys

    from benchmarks.cli import main

    sys.exit(main())
