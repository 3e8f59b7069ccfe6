"""The work around the models: configuration, data access, files and the command line."""

import logging

logging.getLogger(__name__).addHandler(logging.NullHandler())
