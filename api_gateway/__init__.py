"""The gateway: takes uploads, has the model server read them, and sends the text or a clear error."""
