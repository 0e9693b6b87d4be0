"""`python -m ocr_client`: the command `ocr`."""

from ocr_client.command import main

main()
