"""The watchdog: outside the alert path, it presses a test pendant, and shouts when the press does not arrive."""
