"""What of the lines is a sale, of which order, in what currency, and what was paid back."""
