"""The families: modules whose forward returns a distribution."""
