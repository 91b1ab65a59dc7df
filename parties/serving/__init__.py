"""The label party's scoring service, without HTTP.

A request passes `service` (finds the model), `deployment` (the model in service), `parsed_records` (records
as arrays), `customer_index` (where customers are), `fanout` (asks all peers within the budget, over the
`peer_connection` of each) and `scorer`. `publish` and `parity` make a `publication`.
"""
