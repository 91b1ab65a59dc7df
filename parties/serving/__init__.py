"""The label party's scoring service: published models, partners asked within a budget, answers. No HTTP here."""
