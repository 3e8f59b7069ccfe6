"""Customers under contract, who renew it or do not."""
