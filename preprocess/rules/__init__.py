"""The rules: each looks at one property and says what is wrong with it, or nothing. Pure."""
