-- Nothing looks the log up by object, and keeping the index took a page of writing for every piece of evidence.
DROP INDEX custody_object;
