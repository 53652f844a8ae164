"""What the dashboard keeps: sessions."""

ORDER = 3  # after the register
