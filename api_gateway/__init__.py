"""The gateway: pictures in from people, text out, and an honest word when that can't be done."""
