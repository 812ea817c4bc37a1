"""The end of data: a copy for the patient, erasure with its certificate, and the time after which it comes."""
