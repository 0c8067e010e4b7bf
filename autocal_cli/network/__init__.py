"""Network options -> NetworkFingerprint."""
