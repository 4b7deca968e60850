"""What faults are planted in: networks on rendered scenes and on photographs, and the models of studies."""
