"""Plain modules, with no probability inside."""
