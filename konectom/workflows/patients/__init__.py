"""Studies, sites and patients: who they are, which phones they have, and what is due from them."""
