from tests.adapters.torchvision_operators import declare

# Before transformers is imported, which remembers what it could not import.
declare()
