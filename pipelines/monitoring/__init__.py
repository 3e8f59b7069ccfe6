"""Whether what was forecast comes true: the ledger judged, month by month."""
