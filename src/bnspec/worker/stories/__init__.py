"""What the programs of the stories share: the networks in each framework, and how their weights are recorded."""
