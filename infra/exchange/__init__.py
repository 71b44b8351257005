"""Exchange with other systems: where changes of alerts are delivered."""
