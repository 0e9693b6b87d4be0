"""PDFs and TIFFs of many pages: taken apart in a child process, spread over the model servers, put together again.

kind.py      what an upload is, from its first bytes
spool.py     the upload on disk
selection.py which pages were asked for
splitter.py  the child that takes a document apart: splitter_child.py with pdf.py, embedded.py, tiff.py, grey.py
fanout.py    pages to the model servers, as many at once as window.py finds room for
job.py       one document from its file to its pages, in order
results.py   what is kept of the pages until the answer is made
"""
