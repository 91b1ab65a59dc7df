"""The label party's scoring service: publications, partners asked within a budget, answers. No HTTP here."""
