"""What makes a verdict checkable by somebody else: certificates, their claims, and what ties them to a study."""
