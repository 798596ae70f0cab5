gw_start() { fail "no gateway yet"; }
