"""The devices of a simulated home: pendants, sensors, and people who live their days."""
