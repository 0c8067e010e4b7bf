"""What a trainer imports. Needs torch and the standard library only, whatever else is installed."""
