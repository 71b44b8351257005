"""Who may do what: credentials, and the one policy of their roles."""
