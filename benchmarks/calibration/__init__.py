"""Calibration of the audit: how often its tests reject equal laws, how often its intervals hold the truth."""
