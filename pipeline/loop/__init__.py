"""The database of white space in service: devices ask, report what they use, and are told to stop."""
