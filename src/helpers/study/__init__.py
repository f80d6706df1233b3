"""What was planned: protocol, criteria, parameters, scenarios, codebook, the checks of tables; on the ground floor
also the key of freshness and the one reader and writer. Imports no other room.
"""
