"""What people see: the console and the other pages, and the HTTP API."""
