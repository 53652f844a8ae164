"""The ground floor: what every service stands on. It imports no service."""
