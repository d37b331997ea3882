"""The command line: arguments, thread limits, exit codes."""
