"""A saved report, checked key by key before it is drawn again."""
