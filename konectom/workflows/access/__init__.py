"""Who works with the installation: people, programs and tokens, how they prove who they are, and whom they reach."""
