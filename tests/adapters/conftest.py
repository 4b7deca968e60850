from importlib.util import find_spec

from tests.peers.conftest import import_torchvision

# Before transformers is imported, which remembers what it could not import.
if find_spec("torchvision") is not None and find_spec("torch") is not None:
    import_torchvision()
