"""A district that goes silent, or loses its power, is one incident: one alert that lists its homes."""
