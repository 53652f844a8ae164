"""Commissioners' part: reablement episodes, their import, and what is reported of them and of the alerts."""
