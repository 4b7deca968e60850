"""What a monitor learns: readouts, their fusion, concept models, and thresholds that are certified on images held out."""
