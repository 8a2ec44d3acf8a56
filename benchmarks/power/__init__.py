"""Power of the audit on six alternatives, against scipy's and hyppo's tests and sbi's c2st on the same data."""
