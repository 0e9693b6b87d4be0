"""The code of the splitter and composer processes. No other code imports it."""
