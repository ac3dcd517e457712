"""The web application in headless Chromium: ``make test-web``."""
