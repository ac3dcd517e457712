"""Programs on the library and on the CRM package, which the tests run."""
