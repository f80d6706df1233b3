"""Own tables in: what a site sent, read by a mapping, cleaned by named rules, questioned, blinded until unblinded."""
