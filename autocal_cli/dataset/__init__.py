"""Folders of images -> DatasetFingerprint."""
