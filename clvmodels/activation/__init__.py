"""What customers' histories say to do: scores and segments."""
