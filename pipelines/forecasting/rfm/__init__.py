"""RFM scores and segments of scored customers: found, summed, and held against those before."""
