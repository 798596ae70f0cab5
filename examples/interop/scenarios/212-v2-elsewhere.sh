# Redirects (RFC 5685) and counters after a takeover (RFC 6311): strongSwan follows, and answers.
other_address() { ip -n "$(nsname b)" addr add 192.0.2.12/24 dev outer; }
served_at() { swan_sas a | sees -E "remote .*@ $1"; } # ADDRESS
went_on() { # of the first messages to the other address
  [ "$(isakmp_count 'isakmp.exchangetype == 34 && ip.dst == 192.0.2.12 && isakmp.notify.msgtype == 16408')" -ge 1 ] ||
    fail "no REDIRECTED_FROM in an IKE_SA_INIT request to the other address"
}
redirected_at_first() {
  pair b; settings GWPEER="redirect-to = \"192.0.2.12\""$'\n'"redirect-when = \"first-message\""; topology direct; other_address; capture b
  start b; start a; initiate a; both_up; served_at 192.0.2.12 || fail "not at the other address"
  ping_through a 3; capture_end b; went_on
  [ "$(children_made b)" = 1 ] || fail "$(children_made b) children came up"
}
redirected_in_session() {
  pair b; topology direct; other_address; capture b
  start b; start a; initiate a; both_up; ping_through a 2
  step "b sends a to another address"
  gw b redirect peer --to 192.0.2.12 || fail "refused"
  expect 20 "strongSwan did not go there" served_at 192.0.2.12
  both_up; ping_through a 3; ping_through b 2; capture_end b; went_on
}
synchronized() { # SIDE: ours, the responder: strongSwan announces it as initiator only
  pair "$1"; topology direct; capture b
  start b; start a; initiate a; both_up; ping_through a 2
  step "$1 asks for the counters to go on with"
  gw "$1" synchronize peer --epoch 1 --skip 100000 || fail "refused"
  expect 10 "no answer" gw_log "$1" 'after a takeover our requests go on'
  rekey "$1" child; rekey "$PEER" child; expect 20 "no rekey" rekeyed_often "$1" 3; ping_through a 3; ping_through b 3
  rekey "$PEER" ike; sleep 2; rekey "$1" ike; ping_through a 2; capture_end b
  [ "$(isakmp_count 'isakmp.exchangetype == 34')" = 2 ] || fail "IKE_SA_INIT again"
}
rekeyed_often() { [ "$(children_made "$1")" -ge "$2" ]; }
scenario v2-resp-redirect-init 40 'we send strongSwan to another address in IKE_SA_INIT' redirected_at_first
scenario v2-resp-redirect-session 60 'the same in mid-session' redirected_in_session
scenario v2-resp-synchronize 60 'message IDs are synchronised with strongSwan after a takeover at our end' synchronized b
