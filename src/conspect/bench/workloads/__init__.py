"""What is measured on: random properties, drawn pictures, studies of any size."""
