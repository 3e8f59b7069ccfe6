"""Customers who have occasions to buy, and at each of them do or do not."""
